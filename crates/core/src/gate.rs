//! A limit on how many are inside at one time, with a line before it.

mod answers;
mod idle;
mod limit;

use std::{sync::PoisonError, task::Waker};

use self::idle::Watchers;
pub use self::{
    answers::{Joined, Look},
    idle::Idle,
};
use crate::{
    clock::Nanos,
    ranks::{Place, Rank, Ranks},
    sync::{
        Mutex,
        atomic::{
            AtomicU64,
            Ordering::{AcqRel, Acquire},
        },
    },
};

/// The most that can be inside, whatever the limit.
const MOST: u64 = (1 << 29) - 1;
/// Newcomers are refused.
const CLOSED: u64 = 1 << 29;
/// Somebody wants to know when nobody is left.
const WATCHED: u64 = 1 << 30;
/// Somebody stands in line, and newcomers go behind.
const QUEUED: u64 = 1 << 31;

/// A limit on how many are inside at one time, which can be changed at any time, with those who
/// wait before it in their [`Ranks`]: by class, fair between clients, first come, first served.
///
/// While nobody waits, going in and out is one atomic operation each, without the lock. All that
/// decides is in one word, so there is one order of events and no wake-up between them is lost.
/// Places in line and entries are given back by the caller, best in the `Drop` of a guard.
///
/// At most 536 870 911 are inside, whatever the limit. A limit of 0 lets nobody in.
///
/// ```
/// use std::task::Waker;
/// use tower_ballast_core::{
///     clock::Nanos,
///     gate::{Gate, Joined, Look},
///     ranks::Rank,
/// };
///
/// let (gate, now) = (Gate::new(1), Nanos::ZERO);
/// assert!(gate.try_enter());
/// let Joined::Waits(place) = gate.join(Rank::default(), now, |ranks| ranks.len() < 10) else {
///     panic!("it is full");
/// };
/// let mut place = Some(place);
/// assert_eq!(gate.look(&mut place, now, Waker::noop()), Look::NotYet);
/// gate.exit(); // wakes the next in line
/// assert_eq!(gate.look(&mut place, now, Waker::noop()), Look::Entered);
/// assert_eq!((gate.inside(), gate.waiting()), (1, 0));
/// # gate.exit();
/// ```
#[derive(Debug)]
pub struct Gate {
    /// The limit in the upper half; the three flags and the number inside in the lower.
    word: AtomicU64,
    locked: Mutex<Locked>,
}

#[derive(Debug)]
struct Locked {
    ranks: Ranks,
    watchers: Watchers,
}

impl Gate {
    /// A gate that lets so many in.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        let locked = Locked { ranks: Ranks::new(), watchers: Watchers::default() };
        Self { word: AtomicU64::new(u64::from(limit) << 32), locked: Mutex::new(locked) }
    }

    /// Goes in if there is room and nobody waits. Who is in must [`exit`](Self::exit).
    #[must_use = "who is in has to go out"]
    #[inline]
    pub fn try_enter(&self) -> bool {
        let enter = |word| (word & (QUEUED | CLOSED) == 0 && has_room(word)).then_some(word + 1);
        self.word.fetch_update(AcqRel, Acquire, enter).is_ok()
    }

    /// Goes out, and wakes the next in line if there is room for it.
    #[inline]
    pub fn exit(&self) {
        // One exit too many must not borrow from the marks above the number.
        let exit = |word| (inside(word) > 0).then(|| word - 1);
        let before = self.word.fetch_update(AcqRel, Acquire, exit);
        debug_assert!(before.is_ok(), "who goes out was in");
        if before.is_ok_and(|word| word & (QUEUED | WATCHED) != 0) {
            self.stir();
        }
    }

    /// Goes in if it is the next whose turn it is, or takes a place in line if it `may` by those who
    /// stand there.
    ///
    /// That runs under the lock: it decides, and does nothing else. It may
    /// [evict](Ranks::evict_newest) somebody, whose waker it keeps for the caller to wake.
    pub fn join(&self, rank: Rank, now: Nanos, may: impl FnOnce(&mut Ranks) -> bool) -> Joined {
        let mut locked = self.lock();
        // Set before looking for room, so that who goes out after the look sees it.
        let before = self.word.fetch_or(QUEUED, AcqRel);
        let joined = if before & CLOSED != 0 {
            Joined::Closed
        } else if locked.ranks.is_empty() && self.take() {
            Joined::Entered
        } else if may(&mut locked.ranks) {
            let place = locked.ranks.join(rank, now);
            // Ahead of one that was woken and has not come yet, there may be room.
            if locked.ranks.is_next(&place) && self.take() {
                locked.ranks.serve(place, now);
                Joined::Entered
            } else {
                Joined::Waits(place)
            }
        } else {
            Joined::Full
        };
        self.unqueue_if_empty(&locked);
        joined
    }

    /// Goes in from a place in line, which is then given back, or leaves word whom to wake.
    ///
    /// # Panics
    ///
    /// Without a place.
    pub fn look(&self, place: &mut Option<Place>, now: Nanos, waker: &Waker) -> Look {
        let mut locked = self.lock();
        let at = place.as_ref().expect("a caller looks only while it stands in line");
        let look = if locked.ranks.is_evicted(at) {
            Look::Evicted
        } else if locked.ranks.is_next(at) && self.take() {
            Look::Entered
        } else {
            locked.ranks.park(at, waker);
            Look::NotYet
        };
        match (look, place.take()) {
            (Look::Entered, Some(place)) => locked.ranks.serve(place, now),
            (Look::Evicted, Some(place)) => _ = locked.ranks.leave(place),
            (_, kept) => *place = kept,
        }
        // It may have been woken for room that is now another's.
        let next = self.next_waker(&mut locked);
        drop(locked);
        wake(next);
        look
    }

    /// Leaves the line.
    pub fn quit(&self, place: Place) {
        let mut locked = self.lock();
        let _ = locked.ranks.leave(place);
        // It may have been woken for room that is now another's.
        let next = self.next_waker(&mut locked);
        let idle = self.take_watchers(&mut locked);
        drop(locked);
        wake(next);
        for (_, watcher) in idle {
            watcher.wake();
        }
    }

    /// Refuses newcomers from now on; who waits is still let in.
    pub fn close(&self) {
        self.word.fetch_or(CLOSED, AcqRel);
    }

    /// Lets newcomers in again.
    pub fn open(&self) {
        self.word.fetch_and(!CLOSED, AcqRel);
    }

    /// Whether newcomers are refused.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.word.load(Acquire) & CLOSED != 0
    }

    /// How many may be inside.
    #[must_use]
    pub fn limit(&self) -> u32 {
        limit(self.word.load(Acquire))
    }

    /// How many are inside. After the limit was lowered that may be more than the limit.
    #[must_use]
    pub fn inside(&self) -> u32 {
        inside(self.word.load(Acquire))
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.lock().ranks.len()
    }

    /// Reads or sets how those who wait are ranked.
    pub fn with_ranks<T>(&self, with: impl FnOnce(&mut Ranks) -> T) -> T {
        with(&mut self.lock().ranks)
    }

    /// Waits until nobody is inside or waits. Dropped before, it leaves nothing behind.
    pub const fn idle(&self) -> Idle<'_> {
        Idle { gate: self, number: None }
    }

    /// Wakes whoever has something new to see.
    #[cold]
    fn stir(&self) {
        let mut locked = self.lock();
        let next = self.next_waker(&mut locked);
        let idle = self.take_watchers(&mut locked);
        drop(locked);
        wake(next);
        for (_, watcher) in idle {
            watcher.wake();
        }
    }

    /// Goes in past those who wait; only for the next of them.
    fn take(&self) -> bool {
        let take = |word| has_room(word).then_some(word + 1);
        self.word.fetch_update(AcqRel, Acquire, take).is_ok()
    }

    /// The next in line, if there is room for it.
    fn next_waker(&self, locked: &mut Locked) -> Option<Waker> {
        self.unqueue_if_empty(locked);
        if has_room(self.word.load(Acquire)) { locked.ranks.next_waker() } else { None }
    }

    fn unqueue_if_empty(&self, locked: &Locked) {
        if locked.ranks.is_empty() {
            self.word.fetch_and(!QUEUED, AcqRel);
        }
    }

    fn lock(&self) -> impl std::ops::DerefMut<Target = Locked> + '_ {
        // Nothing of a user runs under this lock but clones and drops of wakers; each change is whole.
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

const fn has_room(word: u64) -> bool {
    let inside = word & MOST;
    inside < word >> 32 && inside < MOST
}

#[allow(clippy::cast_possible_truncation, reason = "the upper half of a word")]
const fn limit(word: u64) -> u32 {
    (word >> 32) as u32
}

#[allow(clippy::cast_possible_truncation, reason = "less than half of a word")]
const fn inside(word: u64) -> u32 {
    (word & MOST) as u32
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        future::Future,
        panic::catch_unwind,
        pin::pin,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering::SeqCst},
        },
        task::{Context, Wake},
    };

    use proptest::prelude::*;

    use super::*;
    use crate::Priority;

    #[test]
    fn nobody_overtakes_who_waits() {
        let gate = Gate::new(1);
        assert!(gate.try_enter());
        let mut first = Some(wait(&gate));
        gate.exit();
        assert!(!gate.try_enter(), "the first in line was woken, and its place is its own");
        assert!(matches!(join(&gate, 0), Joined::Full));
        assert_eq!(look(&gate, &mut first), Look::Entered);
        gate.exit();
        assert!(gate.try_enter());
    }

    #[test]
    fn a_closed_gate_lets_in_only_who_waits_already() {
        let gate = Gate::new(1);
        assert!(gate.try_enter());
        let mut place = Some(wait(&gate));
        gate.close();
        assert!(matches!(join(&gate, 9), Joined::Closed) && gate.is_closed());
        gate.exit();
        assert!(!is_idle(&gate));
        assert_eq!(look(&gate, &mut place), Look::Entered);
        gate.exit();
        assert!(is_idle(&gate) && !gate.try_enter());
        gate.open();
        assert!(gate.try_enter());
    }

    #[test]
    fn the_largest_limit_overflows_into_no_flag() {
        let gate = Gate::new(u32::MAX);
        gate.word.fetch_add(MOST - 1, AcqRel);
        assert!(gate.try_enter() && !gate.try_enter() && !gate.is_closed());
        assert_eq!((u64::from(gate.inside()), gate.limit()), (MOST, u32::MAX));
    }

    #[test]
    fn one_exit_too_many_changes_neither_marks_nor_limit() {
        let gate = Gate::new(3);
        // With debug assertions it panics, and changes nothing all the same.
        let _ = catch_unwind(|| gate.exit());
        assert_eq!((gate.limit(), gate.inside(), gate.is_closed()), (3, 0, false));
        assert!(gate.try_enter());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn it_does_what_a_deque_and_two_numbers_would(
            steps in prop::collection::vec((0..8_u8, 0..6_u32), 0..300), limit in 0..5_u32,
        ) {
            const LINE: u32 = 6;
            let gate = Gate::new(limit);
            let (mut limit, mut inside, mut closed) = (limit, 0, false);
            let mut line: VecDeque<Option<Place>> = VecDeque::new();
            for (step, number) in steps {
                let room = inside < limit;
                match step {
                    0 => {
                        let entered = gate.try_enter();
                        prop_assert_eq!(entered, room && line.is_empty() && !closed);
                        inside += u32::from(entered);
                    }
                    1 | 2 => match join(&gate, LINE) {
                        Joined::Closed => prop_assert!(closed),
                        Joined::Entered => {
                            prop_assert!(room && line.is_empty() && !closed);
                            inside += 1;
                        }
                        Joined::Waits(place) => {
                            prop_assert!(!(closed || room && line.is_empty()));
                            line.push_back(Some(place));
                        }
                        Joined::Full => prop_assert_eq!(line.len(), LINE as usize),
                    },
                    3 => if !line.is_empty() {
                        let index = number as usize % line.len();
                        let entered = look(&gate, &mut line[index]) == Look::Entered;
                        prop_assert_eq!(entered, index == 0 && room);
                        if entered {
                            line.pop_front();
                            inside += 1;
                        }
                    },
                    4 => if !line.is_empty() {
                        let place = line.remove(number as usize % line.len()).flatten();
                        gate.quit(place.unwrap());
                    },
                    5 => if inside > 0 {
                        gate.exit();
                        inside -= 1;
                    },
                    6 => {
                        gate.resize(number);
                        limit = number;
                    }
                    _ => {
                        closed = number % 2 == 1;
                        if closed { gate.close() } else { gate.open() }
                    }
                }
                let idle = inside == 0 && line.is_empty();
                prop_assert_eq!(is_idle(&gate), idle);
                prop_assert_eq!((gate.inside(), gate.limit()), (inside, limit));
                prop_assert_eq!(gate.waiting() as usize, line.len());
            }
            while let Some(place) = line.pop_front().flatten() {
                gate.quit(place);
            }
        }
    }

    #[test]
    fn a_newcomer_of_a_higher_class_goes_in_before_one_that_was_woken() {
        let gate = Gate::new(1);
        assert!(gate.try_enter());
        let mut first = Some(wait(&gate));
        gate.exit();
        let high = Rank { class: Priority::High, ..Rank::default() };
        assert!(matches!(gate.join(high, Nanos::ZERO, |_| true), Joined::Entered));
        assert_eq!(look(&gate, &mut first), Look::NotYet);
        gate.exit();
        assert_eq!(look(&gate, &mut first), Look::Entered);
    }

    #[test]
    fn who_was_put_out_learns_it_and_frees_its_place() {
        let gate = Gate::new(0);
        let mut place = Some(wait(&gate));
        assert!(gate.with_ranks(|ranks| ranks.evict_newest(Priority::Medium)).is_none());
        assert_eq!(look(&gate, &mut place), Look::Evicted);
        assert!(place.is_none() && gate.waiting() == 0);
    }

    #[test]
    fn who_was_woken_and_leaves_hands_on_also_when_another_became_the_next_one() {
        let gate = Gate::new(1);
        assert!(gate.try_enter());
        let [mut first, mut second] = [(); 2].map(|()| Some(wait(&gate)));
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        assert_eq!(look(&gate, &mut first), Look::NotYet);
        let waker = Waker::from(Arc::clone(&woken));
        assert_eq!(gate.look(&mut second, Nanos::ZERO, &waker), Look::NotYet);
        gate.exit(); // wakes the first
        gate.with_ranks(|ranks| ranks.set_newest_first(Priority::Medium, true));
        gate.quit(first.take().unwrap());
        assert!(woken.0.load(SeqCst));
        assert_eq!(look(&gate, &mut second), Look::Entered);
    }

    #[test]
    fn who_waits_no_longer_for_the_end_keeps_nothing_in_memory() {
        let gate = Gate::new(1);
        assert!(gate.try_enter());
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let (waker, mut stays) = (Waker::from(Arc::clone(&woken)), pin!(gate.idle()));
        let cx = &mut Context::from_waker(&waker);
        assert!(stays.as_mut().poll(cx).is_pending());
        for _ in 0..100 {
            assert!(pin!(gate.idle()).poll(cx).is_pending());
        }
        assert_eq!(Arc::strong_count(&woken), 3, "that of this test, its waker, and who stays");
        gate.exit();
        assert!(woken.0.load(SeqCst) && stays.poll(cx).is_ready());
    }

    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, SeqCst);
        }
    }

    fn is_idle(gate: &Gate) -> bool {
        pin!(gate.idle()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn join(gate: &Gate, most: u32) -> Joined {
        gate.join(Rank::default(), Nanos::ZERO, |ranks| ranks.len() < most)
    }

    fn look(gate: &Gate, place: &mut Option<Place>) -> Look {
        gate.look(place, Nanos::ZERO, Waker::noop())
    }

    fn wait(gate: &Gate) -> Place {
        match join(gate, 9) {
            Joined::Waits(place) => place,
            other => panic!("{other:?} instead of a place in line"),
        }
    }
}
