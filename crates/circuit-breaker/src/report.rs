//! What the circuit says: refusals, and changes of its state.

use std::mem;

use tower_ballast_core::{Event, EventKind, Rejected, RetryAfter, Verdict};

use crate::{
    decision::Ended,
    phase::Change,
    shared::{Refusal, Shared},
};

impl Shared {
    /// The rejection that a refusal becomes, if it is carried out.
    pub(crate) fn reject(&self, refusal: Refusal) -> Option<Rejected> {
        let carried_out = self.carries_out();
        let rejected = self.report(refusal, carried_out);
        carried_out.then_some(rejected)
    }

    pub(crate) fn carries_out(&self) -> bool {
        self.enforcement.carries_out(&self.random)
    }

    /// Tells of a refusal, and makes the rejection that it is when it is carried out.
    pub(crate) fn report(&self, refusal: Refusal, carried_out: bool) -> Rejected {
        let rejected = Rejected::new(refusal.reason).layer(self.reporter.name());
        let rejected = match refusal.after {
            Some(after) => rejected.retry_after(RetryAfter::hint(after)),
            None => rejected,
        };
        self.reporter.tell(|| Event::refused(&rejected).shadow(!carried_out));
        rejected
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
