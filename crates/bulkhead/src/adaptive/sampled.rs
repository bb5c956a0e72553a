//! What all services of one layer share.

use std::{
    ops::RangeInclusive,
    sync::{Mutex, MutexGuard, PoisonError, TryLockError},
    time::Duration,
};

use tower_ballast_core::{
    Event, EventKind,
    clock::{self, Nanos},
};

use super::{Limiter, Model, Outcome, Sample, Scaling, missed::Missed, scaling::Load};
use crate::handle::BulkheadHandle;

#[derive(Debug)]
pub(super) struct Sampled {
    bulkhead: BulkheadHandle,
    state: Mutex<State>,
    missed: Missed,
}

#[derive(Debug)]
struct State {
    limiter: Box<dyn Limiter>,
    /// The limit that it has set last. The bulkhead's is another when a person has set it.
    set: u32,
    changes: u64,
    load: Load,
}

/// A change of the limit, to be told when the lock is free.
#[derive(Debug, Clone, Copy)]
struct Changed {
    from: u32,
    to: u32,
    reason: &'static str,
    sequence: u64,
}

impl Sampled {
    pub(super) fn new(bulkhead: BulkheadHandle, limiter: Box<dyn Limiter>) -> Self {
        let set = limiter.initial();
        bulkhead.resize(set);
        let state = Mutex::new(State { limiter, set, changes: 0, load: Load::default() });
        Self { bulkhead, state, missed: Missed::default() }
    }

    /// A call has ended, and this is what it says of the load, if anything.
    pub(super) fn end(&self, began: Nanos, now: Nanos, outcome: Option<Outcome>) {
        let took = now.since(began);
        let Some(mut state) = self.told(outcome, took) else { return };
        let (mut calls, mut sum) = (1, took);
        if outcome == Some(Outcome::Answered) {
            let (missed, nanos) = self.missed.take();
            (calls, sum) = (calls + missed, sum.saturating_add(Duration::from_nanos(nanos)));
        }
        let (limit, in_flight) = (self.bulkhead.limit(), self.bulkhead.in_flight());
        state.load.add(now, (calls, sum), (limit, in_flight), || self.refused());
        // Who has closed it does not expect that the last ones to leave open it again.
        if limit == 0 {
            return;
        }
        let by_hand = state.follow(limit);
        let change = outcome.and_then(|outcome| {
            let sample = Sample::new(now, sum / calls, outcome, in_flight).calls(calls);
            let change = state.limiter.sample(sample)?;
            self.set(&mut state, limit, change.limit, change.reason)
        });
        drop(state);
        self.tell([by_hand, change]);
    }

    /// A call was given up by its caller: a timeout, if that was not before its deadline.
    #[cold]
    pub(super) fn give_up(&self, began: Nanos, deadline: Nanos) {
        // A limiter of one's own that panicked as well would end the process.
        if !std::thread::panicking() {
            let now = clock::now();
            self.end(began, now, (now >= deadline).then_some(Outcome::Overloaded));
        }
    }

    pub(super) fn bulkhead(&self) -> &BulkheadHandle {
        &self.bulkhead
    }

    pub(super) fn range(&self) -> RangeInclusive<u32> {
        self.lock().limiter.range()
    }

    /// Keeps the limit within other bounds from now on.
    pub(super) fn set_range(&self, range: RangeInclusive<u32>) {
        self.bulkhead.tell_settings("bounds");
        let mut state = self.lock();
        let changes = self.keep_within(&mut state, range);
        drop(state);
        self.tell(changes);
    }

    /// The same while it is built, which is no change to tell of.
    pub(super) fn begin_within(&self, range: RangeInclusive<u32>) {
        let mut state = self.lock();
        let changes = state.changes;
        let _ = self.keep_within(&mut state, range);
        state.changes = changes;
    }

    fn keep_within(&self, state: &mut State, range: RangeInclusive<u32>) -> [Option<Changed>; 2] {
        let limit = self.bulkhead.limit();
        let by_hand = if limit == 0 { None } else { state.follow(limit) };
        let kept = state.limiter.set_range(range);
        let change = kept
            .filter(|kept| limit != 0 && *kept != limit)
            .and_then(|kept| self.set(state, limit, kept, "bounds"));
        [by_hand, change]
    }

    pub(super) fn model(&self) -> Model {
        self.lock().limiter.model()
    }

    pub(super) fn scaling(&self) -> Option<Scaling> {
        let now = clock::now();
        let use_now = (self.bulkhead.limit(), self.bulkhead.in_flight());
        self.lock().load.read(now, use_now, || self.refused())
    }

    /// Changes the limit, unless a person has done so meanwhile: that is seen with the next call.
    fn set(&self, state: &mut State, from: u32, to: u32, reason: &'static str) -> Option<Changed> {
        if !self.bulkhead.resize_from(from, to) {
            return None;
        }
        state.set = to;
        state.changed(from, to, reason)
    }

    /// The state. An answer does not wait for it; what it must not miss does, for a moment.
    fn told(&self, outcome: Option<Outcome>, took: Duration) -> Option<MutexGuard<'_, State>> {
        if outcome == Some(Outcome::Answered) {
            match self.state.try_lock() {
                Ok(state) => return Some(state),
                // A limiter that has panicked goes on: its figures are whole, or those before.
                Err(TryLockError::Poisoned(state)) => return Some(state.into_inner()),
                Err(TryLockError::WouldBlock) => {
                    if self.missed.add(clock::nanos_in(took)) {
                        return None;
                    }
                }
            }
        }
        Some(self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused(&self) -> u64 {
        let refused = self.bulkhead.statistics();
        [
            refused.full,
            refused.queue_full,
            refused.queue_timeout,
            refused.wait_too_long,
            refused.deadline_passed,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    fn tell(&self, changes: [Option<Changed>; 2]) {
        for change in changes.into_iter().flatten() {
            self.bulkhead.tell(|| {
                let told = Event::new(EventKind::LimitChanged).reason(change.reason);
                told.limits(change.from, change.to).sequence(change.sequence)
            });
        }
    }
}

impl State {
    /// Has the limiter go on from the limit that there is, if a person has set it.
    fn follow(&mut self, limit: u32) -> Option<Changed> {
        let before = self.set;
        if limit != before {
            self.limiter.restart(limit);
            self.set = limit;
        }
        self.changed(before, limit, "by_hand")
    }

    /// Numbered under the lock, so that the numbers have the order of the changes.
    fn changed(&mut self, from: u32, to: u32, reason: &'static str) -> Option<Changed> {
        if from == to {
            return None;
        }
        self.changes += 1;
        Some(Changed { from, to, reason, sequence: self.changes })
    }
}

/// Takes its limit out of the sum of those that bear the name.
impl Drop for Sampled {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.changes > 0 {
            let set = state.set;
            let gone = state.changed(set, 0, "dropped");
            self.tell([gone, None]);
        }
    }
}
