//! What all services of one layer share.

use std::{
    array,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tower_ballast_core::{
    BoxError, EnforcementCell, Event, EventKind, Priority, Random, Reason, Reporter, RetryAfter,
    clock::{self, Nanos},
    ranks::Rank,
};

use crate::{
    Quota,
    door::Door,
    gate::{Algorithm, Gate, Later},
    settle::Settlement,
    slots::Slots,
    statistics::{Counts, Statistics},
};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) door: Door,
    algorithm: Algorithm,
    slots: Slots,
    most_waiting: AtomicU32,
    longest_waits: [AtomicU64; 4],
    needs: AtomicU64,
    pub(crate) counts: Counts,
    pub(crate) enforcement: EnforcementCell,
    pub(crate) reporter: Reporter,
    pub(crate) random: Random,
}

/// Why a request may not pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal {
    pub(crate) class: Priority,
    pub(crate) reason: Reason,
    pub(crate) after: Option<RetryAfter>,
}

impl Shared {
    pub(crate) fn new(algorithm: Algorithm, quota: Quota) -> Self {
        let seconds = Priority::ALL.map(|class| if class == Priority::Batch { 10 } else { 1 });
        Self {
            door: Door::new(Gate::new(algorithm, quota)),
            algorithm,
            slots: Slots::default(),
            most_waiting: AtomicU32::new(0),
            longest_waits: seconds.map(|seconds| AtomicU64::new(seconds * 1_000_000_000)),
            needs: AtomicU64::new(0),
            counts: Counts::default(),
            enforcement: EnforcementCell::default(),
            reporter: Reporter::new("rate_limit"),
            random: Random::new(),
        }
    }

    /// The same settings with a state of its own.
    pub(crate) fn separate(&self) -> Self {
        let separate = Self::new(self.algorithm, self.door.gate.quota());
        let floors = self.door.with_ranks(|ranks| ranks.floors());
        separate.door.with_ranks(|ranks| ranks.set_floors(floors));
        separate.set_most_waiting(self.most_waiting());
        for class in Priority::ALL {
            separate.set_longest_wait(class, self.longest_wait(class));
        }
        separate.set_needs(self.needs());
        separate.enforcement.set(self.enforcement.get());
        separate
    }

    pub(crate) fn most_waiting(&self) -> u32 {
        self.most_waiting.load(Relaxed)
    }

    pub(crate) fn set_most_waiting(&self, most: u32) {
        self.most_waiting.store(most, Relaxed);
    }

    pub(crate) fn longest_wait(&self, class: Priority) -> Duration {
        Duration::from_nanos(self.longest_waits[class.index()].load(Relaxed))
    }

    pub(crate) fn set_longest_wait(&self, class: Priority, longest: Duration) {
        self.longest_waits[class.index()].store(clock::nanos_in(longest), Relaxed);
    }

    pub(crate) fn needs(&self) -> Duration {
        Duration::from_nanos(self.needs.load(Relaxed))
    }

    pub(crate) fn set_needs(&self, needs: Duration) {
        self.needs.store(clock::nanos_in(needs), Relaxed);
    }

    pub(crate) fn set_quota(&self, quota: Quota) {
        self.door.gate.configure(clock::now(), quota);
        // Who was told the old moment must not sleep until then.
        self.door.stir();
    }

    /// Refuses a request that asks for more than ever passes.
    #[cold]
    pub(crate) const fn never(class: Priority) -> Refusal {
        Refusal { class, reason: Reason::RateLimited, after: None }
    }

    /// Refuses a request that may not wait, and says when to come back.
    #[cold]
    pub(crate) fn limited(&self, rank: &Rank, now: Nanos, later: Option<Later>) -> Refusal {
        let earliest = match later {
            Some(Later::Never) => return Self::never(rank.class),
            Some(Later::At(moment)) => moment,
            None => now + self.door.with_ranks(|ranks| ranks.wait_of(rank)),
        };
        self.slot(rank, now, earliest, Reason::RateLimited)
    }

    pub(crate) fn slot(&self, rank: &Rank, now: Nanos, earliest: Nanos, reason: Reason) -> Refusal {
        let cost = self.door.gate.quota().interval().saturating_mul(rank.cost);
        let after = Some(self.slots.next(now, earliest, cost));
        Refusal { class: rank.class, reason, after }
    }

    /// Refuses, unless a refusal is only to be reported.
    #[cold]
    pub(crate) fn reject(&self, refusal: Refusal) -> Option<BoxError> {
        let Refusal { class, reason, after } = refusal;
        self.counts.refuse(class, reason);
        if self.enforcement.carries_out(&self.random) {
            return Some(self.reporter.reject(reason, after));
        }
        self.reporter.spare(reason, after);
        None
    }

    /// Refuses one that has waited; nobody waits unless refusals are carried out.
    #[cold]
    pub(crate) fn give_up(&self, class: Priority, reason: Reason) -> BoxError {
        self.counts.refuse(class, reason);
        self.reporter.reject(reason, None)
    }

    /// Brings what was taken to what the request has cost.
    pub(crate) fn settle(&self, taken: Nanos, cost: u32, settlement: Settlement) {
        let (gate, now) = (&self.door.gate, clock::now());
        match settlement {
            Settlement::Keep => return,
            Settlement::Cost(actual) if actual > cost => {
                gate.charge(now, actual - cost);
                return;
            }
            Settlement::Cost(actual) => gate.give_back(taken, cost - actual),
            Settlement::Refund => gate.give_back(taken, cost),
            Settlement::Drain => {
                gate.charge(now, gate.standing(now).remaining);
                return;
            }
        }
        self.door.stir();
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let waiting = self
            .door
            .with_ranks(|ranks| array::from_fn(|class| ranks.len_of(Priority::ALL[class])));
        self.counts.read(waiting)
    }

    pub(crate) fn tell_settings(&self, what: &'static str) {
        self.reporter.tell(|| Event::new(EventKind::SettingsChanged).reason(what));
    }
}
