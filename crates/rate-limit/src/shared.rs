//! What all services of one layer share.

use std::{
    array,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use tower_ballast_core::{
    BoxError, EnforcementCell, Event, EventKind, Key, Priority, Random, Reason, Reporter,
    RetryAfter,
    clock::{self, Nanos, Span},
    ranks::Rank,
};

use crate::{
    Quota,
    adjusting::Adjusting,
    ahead::Ahead,
    claim::{Claim, Refused},
    door::Door,
    gate::{Algorithm, Gate, Later},
    levels::Levels,
    meter::Meter,
    promises::Promises,
    settle::Settlement,
    slots::Slots,
    statistics::{Counts, Statistics},
};

/// What all services of one layer share. Public as far as the measuring of calls passes it on.
#[derive(Debug)]
#[doc(hidden)]
pub struct Shared {
    pub(crate) door: Door,
    pub(crate) levels: Levels,
    pub(crate) adjusting: Adjusting,
    /// Of a layer that measures what its service answers.
    pub(crate) meter: OnceLock<Meter>,
    algorithm: Algorithm,
    pub(crate) slots: Slots,
    pub(crate) promises: Promises,
    /// What passes ahead within guaranteed shares.
    pub(crate) ahead: Ahead,
    most_waiting: AtomicU32,
    longest_waits: [Span; 4],
    needs: Span,
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
            levels: Levels::default(),
            adjusting: Adjusting::new(quota),
            meter: OnceLock::new(),
            algorithm,
            slots: Slots::new(quota),
            promises: Promises::new(quota),
            ahead: Ahead::new(algorithm, quota, 1),
            most_waiting: AtomicU32::new(0),
            longest_waits: seconds.map(|seconds| Span::new(Duration::from_secs(seconds))),
            needs: Span::default(),
            counts: Counts::default(),
            enforcement: EnforcementCell::default(),
            reporter: Reporter::new("rate_limit"),
            random: Random::new(),
        }
    }

    /// The same settings with a state of its own.
    pub(crate) fn separate(&self) -> Self {
        let mut separate = Self::new(self.algorithm, self.adjusting.quota());
        separate.adjusting = self.adjusting.separate();
        separate.meter =
            self.meter.get().map(Meter::separate).map(OnceLock::from).unwrap_or_default();
        separate.levels = self.levels.separate();
        self.door.with_ranks(|ranks| {
            separate.door.rank_by(|separate| separate.rank_as(ranks));
        });
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
        self.longest_waits[class.index()].get()
    }

    pub(crate) fn set_longest_wait(&self, class: Priority, longest: Duration) {
        self.longest_waits[class.index()].set(longest);
    }

    pub(crate) fn needs(&self) -> Duration {
        self.needs.get()
    }

    pub(crate) fn set_needs(&self, needs: Duration) {
        self.needs.set(needs);
    }

    /// Refuses a request that asks for more than ever passes.
    #[cold]
    pub(crate) const fn never(class: Priority) -> Refusal {
        Refusal { class, reason: Reason::RateLimited, after: None }
    }

    /// Takes what a request asks for, of all limits or of none.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "without keys little is left of it")]
    pub(crate) fn take(&self, claim: &mut Claim) -> Result<(), Refused> {
        self.follow_schedule(claim.taken);
        self.levels.take(claim).map_err(Refused::Key)?;
        self.door.try_pass(claim.taken, claim.cost).map_err(|later| match later {
            Some(later) => Refused::Gate(later),
            None => Refused::Others,
        })
    }

    /// A client has passed without its promise; if the moment of one has come, that was what it came for.
    #[inline]
    pub(crate) fn passed(&self, client: impl FnOnce() -> Option<Key>, now: Nanos) {
        if self.promises.are_out(now) {
            self.needs_no_promise(client(), now);
        }
    }

    #[cold]
    fn needs_no_promise(&self, client: Option<Key>, now: Nanos) {
        if let Some(client) = client {
            self.promises.use_up(client, now);
        }
    }

    /// Gives back what was taken and not used.
    pub(crate) fn give_back(&self, claim: &Claim) {
        self.levels.give_back(claim);
        if claim.ahead {
            self.ahead.give_back(claim.taken, claim.cost);
        }
        self.door.gate.give_back(claim.taken, claim.cost);
        self.door.stir();
    }

    /// Refuses a request that may not wait, and says when to come back.
    #[cold]
    pub(crate) fn limited(&self, rank: &Rank, claim: &Claim, refused: Refused) -> Refusal {
        let now = claim.taken;
        if !matches!(refused, Refused::Key(_)) {
            self.levels.give_back(claim);
        }
        let earliest = match refused {
            Refused::Key(Nanos::MAX) | Refused::Gate(Later::Never) => {
                return Self::never(rank.class);
            }
            // Only its own requests are told this moment, so it is left to their jitter.
            Refused::Key(moment) => {
                let after = Some(RetryAfter::hint(moment.since(now)));
                return Refusal { class: rank.class, reason: Reason::RateLimited, after };
            }
            Refused::Gate(Later::At(moment)) => moment,
            Refused::Others => self.door.next_turn(rank, now),
        };
        self.slot(rank, now, earliest, Reason::RateLimited)
    }

    pub(crate) fn slot(&self, rank: &Rank, now: Nanos, earliest: Nanos, reason: Reason) -> Refusal {
        if earliest == Nanos::MAX {
            return Refusal { class: rank.class, reason, after: None };
        }
        let cost = self.door.gate.quota().interval().saturating_mul(rank.cost);
        let next = || self.slots.next(now, earliest, cost);
        let after = match rank.client {
            Some(client) => self.promises.make(client, now, next),
            None => next(),
        };
        Refusal { class: rank.class, reason, after: Some(after) }
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

    /// Brings what was taken to what the request has cost.
    pub(crate) fn settle(&self, claim: &Claim, settlement: Settlement) {
        let (gate, now) = (&self.door.gate, clock::now());
        match settlement {
            Settlement::Keep => {}
            Settlement::Cost(actual) if actual > claim.cost => {
                let more = actual - claim.cost;
                self.levels.charge(&claim.costs(more), now);
                if claim.ahead {
                    self.ahead.charge(now, more);
                }
                gate.charge(now, more);
            }
            Settlement::Cost(actual) => {
                self.give_back(&claim.costs(claim.cost - actual));
            }
            Settlement::Refund => self.give_back(claim),
            Settlement::Drain => {
                gate.drain(now);
                self.ahead.drain(now);
            }
        }
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
