//! What the answers of some time say of a service.

use std::time::Duration;

use tower_ballast_core::{Ratio, clock::Nanos};

use super::Signals;

/// Fewer answers say nothing: one failure of three is no rate.
pub(crate) const ENOUGH: u64 = 20;
/// For so many periods answers are counted together until they are enough, and what is older is forgotten.
pub(crate) const KEPT: u32 = 10;

/// Answers, how many of them were failures, and how long they took in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    pub(crate) answers: u64,
    pub(crate) failures: u64,
    pub(crate) nanos: u64,
}

/// What there is to say at the end of a period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seen {
    /// What enough answers say.
    pub(crate) signals: Signals,
    /// What too few of them say, which is no more than a hint.
    pub(crate) hint: Signals,
    /// How long an answer takes, by all that is known.
    pub(crate) latency: Duration,
}

/// The answers since there last were enough of them.
#[derive(Debug, Default)]
pub(crate) struct Periods {
    since: Nanos,
    tally: Tally,
}

impl Periods {
    /// Ends a period, in which these answers came beside those that are kept.
    pub(crate) fn end(&mut self, now: Nanos, period: Duration, came: Tally) -> Seen {
        let is_old = now.since(self.since) > period.saturating_mul(KEPT);
        let tally = if is_old { Tally::default() } else { self.tally.and(came) };
        let is_enough = tally.answers >= ENOUGH;
        if is_old || is_enough {
            *self = Self { since: now, tally: Tally::default() };
        } else {
            self.tally = tally;
        }
        let (said, unsaid) = (tally.signals(), Signals::NONE);
        let (signals, hint) = if is_enough { (said, unsaid) } else { (unsaid, said) };
        Seen { signals, hint, latency: said.latency }
    }
}

impl Tally {
    fn and(self, other: Self) -> Self {
        Self {
            answers: self.answers.saturating_add(other.answers),
            failures: self.failures.saturating_add(other.failures),
            nanos: self.nanos.saturating_add(other.nanos),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "a share of more than 2^53 is as good rounded")]
    fn signals(self) -> Signals {
        let share = self.failures as f64 / self.answers.max(1) as f64;
        let errors = Ratio::try_new("errors", share).unwrap_or(Ratio::ONE);
        let latency = Duration::from_nanos(self.nanos / self.answers.max(1));
        Signals { errors, latency, ..Signals::NONE }
    }
}
