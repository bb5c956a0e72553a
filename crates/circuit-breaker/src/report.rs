//! What the circuit says: refusals, and changes of its state.

use std::{mem, time::Duration};

use tower_ballast_core::{BoxError, Event, EventKind, RetryAfter, Verdict};

use crate::{
    decision::Ended,
    phase::{Change, Phase, Tripped},
    shared::{Refusal, Shared},
};

impl Shared {
    /// The epoch of a call that is admitted, or none when it may go and is not counted.
    #[cold]
    pub(crate) fn admit_or_reject(&self) -> Result<Option<u64>, BoxError> {
        if self.enforcement.is_off() {
            return Ok(None);
        }
        match self.admit() {
            Ok(epoch) => Ok(Some(epoch)),
            Err(refusal) if self.carries_out() => Err(self.refuse(refusal)),
            Err(refusal) => {
                self.spare(refusal);
                Ok(None)
            }
        }
    }

    pub(crate) fn carries_out(&self) -> bool {
        self.enforcement.carries_out(&self.random)
    }

    pub(crate) fn refuse(&self, refusal: Refusal) -> BoxError {
        self.reporter.reject(refusal.reason, refusal.after.map(RetryAfter::hint))
    }

    pub(crate) fn spare(&self, refusal: Refusal) {
        self.reporter.spare(refusal.reason, refusal.after.map(RetryAfter::hint));
    }

    /// Tells of a change. A call that was admitted with it is given back if the observer panics.
    pub(crate) fn tell_with(&self, changed: Option<Change>, admitted: Option<&u64>) {
        if changed.is_some() {
            let unclaimed = Unclaimed { shared: self, epoch: admitted.copied() };
            self.tell(changed);
            mem::forget(unclaimed);
        }
    }

    pub(crate) fn tell(&self, changed: Option<Change>) {
        let Some(change) = changed else { return };
        self.reporter.tell(|| {
            Event::new(EventKind::StateChanged)
                .states(change.from.as_str(), change.to.as_str())
                .reason(change.reason.as_str())
                .delay(change.rest)
                .sequence(change.sequence)
        });
    }
}

/// A circuit that is gone is in no state: who adds up the states of many hears of it.
impl Drop for Shared {
    fn drop(&mut self) {
        let (from, sequence) = {
            let circuit = &self.lock().circuit;
            (circuit.phase(), circuit.epoch() + 1)
        };
        if from != Phase::Closed {
            let (to, reason) = (Phase::Closed, Tripped::Dropped);
            self.tell(Some(Change { from, to, reason, sequence, rest: Duration::ZERO }));
        }
    }
}

/// A call that is admitted and not yet in anybody's hands.
struct Unclaimed<'a> {
    shared: &'a Shared,
    epoch: Option<u64>,
}

impl Drop for Unclaimed<'_> {
    fn drop(&mut self) {
        if let Some(epoch) = self.epoch {
            self.shared.settle(Ended { epoch, verdict: Verdict::ignore(), slow: false });
        }
    }
}
