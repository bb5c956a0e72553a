//! Where requests pass, at once or in their turn.

use std::{sync::PoisonError, task::Waker};

use tower_ballast_core::{
    Priority,
    clock::Nanos,
    ranks::{Place, Rank, Ranks},
};

use crate::{
    gate::{Gate, Later},
    sync::{
        Mutex, MutexGuard,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release, SeqCst},
            fence,
        },
    },
};

/// A gate that opens with time, and those who wait before it.
///
/// Nobody has to tell those who wait that the gate opens: the next one knows when, and sets its
/// timer for it. Whoever stops being the next one wakes its successor, which then does the same. So
/// one timer runs, and a caller that goes away takes nothing along.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) gate: Gate,
    /// Somebody waits, and newcomers ask under the lock. A newcomer that has not seen it yet takes
    /// what it would have got a moment before.
    busy: AtomicBool,
    ranks: Mutex<Ranks>,
}

/// What becomes of a newcomer.
#[derive(Debug)]
pub(crate) enum Joined {
    Passed,
    Waits(Place),
    /// It may not wait, which would be until about then.
    Refused(Nanos),
    /// It asks for more than ever passes at once.
    Never,
}

/// What a caller that waits sees.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Look {
    Passed,
    /// It is the next one, and the gate opens for it then.
    Opens(Nanos),
    /// It is woken when it is the next one, or when a closed gate opens.
    NotYet,
    /// What it asks for is more than ever passes at once.
    Never,
    /// It has lost its place to another.
    Evicted,
}

impl Door {
    pub(crate) fn new(gate: Gate) -> Self {
        Self { gate, busy: AtomicBool::new(false), ranks: Mutex::new(Ranks::new()) }
    }

    /// Passes, if nobody waits and the gate lets it; or says when it would, if nobody waits.
    #[inline]
    pub(crate) fn try_pass(&self, now: Nanos, cost: u32) -> Result<(), Option<Later>> {
        if self.busy.load(Acquire) {
            return Err(None);
        }
        self.gate.take(now, cost).map_err(Some)
    }

    /// Passes if it is the next whose turn it is, or takes a place in line if it `may` by those who
    /// stand there; or, if nobody does, by when the gate opens.
    pub(crate) fn join(
        &self,
        rank: Rank,
        now: Nanos,
        may: impl FnOnce(&mut Ranks, Option<Nanos>) -> bool,
    ) -> Joined {
        let mut ranks = self.lock();
        let mut opens = None;
        if ranks.is_empty() {
            match self.gate.take(now, rank.cost) {
                Ok(()) => return Joined::Passed,
                Err(Later::Never) => return Joined::Never,
                Err(Later::At(moment)) => opens = Some(moment),
            }
        } else if !self.gate.admits(rank.cost) {
            // In line it would cost its class their turns: shares are as large as the largest request.
            return Joined::Never;
        }
        if !may(&mut ranks, opens) {
            return Joined::Refused(opens.unwrap_or_else(|| self.turn_of(&rank, &ranks, now)));
        }
        let before = ranks.turn();
        let place = ranks.join(rank, now);
        let is_next = ranks.is_next(&place);
        self.publish(&ranks);
        if is_next && self.gate.take(now, rank.cost).is_ok() {
            ranks.serve(place, now);
            self.publish(&ranks);
            return Joined::Passed;
        }
        if !is_next && ranks.turn() != before {
            // Its client has used its share up by it, and a third one has the turn now.
            self.hand_on(ranks);
        }
        Joined::Waits(place)
    }

    /// Passes from a place in line, which is then given back, or leaves word whom to wake.
    pub(crate) fn look(&self, place: &mut Option<Place>, now: Nanos, waker: &Waker) -> Look {
        let mut ranks = self.lock();
        let at = place.as_ref().expect("a caller looks only while it stands in line");
        if ranks.is_evicted(at) {
            return Look::Evicted;
        }
        if !ranks.is_next(at) {
            ranks.park(at, waker);
            return Look::NotYet;
        }
        match self.gate.take(now, ranks.cost(at)) {
            // What is closed may be opened, and then the next one is told.
            Err(Later::Never)
                if self.gate.quota().is_closed() || self.gate.admits(ranks.cost(at)) =>
            {
                ranks.park(at, waker);
                return Look::NotYet;
            }
            Err(Later::Never) => return Look::Never,
            Err(Later::At(moment)) => {
                ranks.park(at, waker);
                return Look::Opens(moment);
            }
            Ok(()) => {}
        }
        if let Some(place) = place.take() {
            ranks.serve(place, now);
        }
        self.hand_on(ranks);
        Look::Passed
    }

    /// Leaves the line.
    pub(crate) fn quit(&self, place: Place) {
        let mut ranks = self.lock();
        if ranks.leave(place) {
            self.hand_on(ranks);
        } else {
            self.publish(&ranks);
        }
    }

    /// Has the next one look again, when the gate may open sooner than it was told.
    pub(crate) fn stir(&self) {
        // Either who joins sees the gate as it is now, or this sees that somebody joins.
        fence(SeqCst);
        if self.busy.load(Acquire) {
            self.hand_on(self.lock());
        }
    }

    pub(crate) fn with_ranks<T>(&self, with: impl FnOnce(&Ranks) -> T) -> T {
        with(&self.lock())
    }

    /// Whether somebody of a higher class waits.
    pub(crate) fn has_waiting_above(&self, class: Priority) -> bool {
        let mut above = Priority::ALL.into_iter().filter(|other| *other > class);
        self.with_ranks(|ranks| above.any(|class| ranks.len_of(class) > 0))
    }

    /// Changes how those who wait are ranked; whoever is the next one then, looks again.
    pub(crate) fn rank_by(&self, change: impl FnOnce(&mut Ranks)) {
        let mut ranks = self.lock();
        change(&mut ranks);
        self.hand_on(ranks);
    }

    /// When a newcomer would about have its turn, if it stood behind all that wait: never before
    /// these have passed at an even pace.
    pub(crate) fn next_turn(&self, rank: &Rank, now: Nanos) -> Nanos {
        self.turn_of(rank, &self.lock(), now)
    }

    fn turn_of(&self, rank: &Rank, ranks: &Ranks, now: Nanos) -> Nanos {
        let even = self.gate.quota().interval().saturating_mul(ranks.len().saturating_add(1));
        now + ranks.wait_of(rank).max(even)
    }

    fn hand_on(&self, mut ranks: MutexGuard<'_, Ranks>) {
        let next = ranks.next_waker();
        self.publish(&ranks);
        drop(ranks);
        if let Some(next) = next {
            next.wake();
        }
    }

    fn publish(&self, ranks: &Ranks) {
        self.busy.store(!ranks.is_empty(), Release);
        // Before the gate is looked at again: see `stir`.
        fence(SeqCst);
    }

    fn lock(&self) -> MutexGuard<'_, Ranks> {
        // Nothing of a user runs under this lock but clones and drops of wakers; each change is whole.
        self.ranks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
