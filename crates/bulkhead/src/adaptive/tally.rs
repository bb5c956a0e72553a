//! What an epoch adds up.

use std::time::Duration;

use tower_ballast_core::clock::Nanos;

use super::{Outcome, Sample};

/// The calls that ended in a span of time: all of them, since to leave out those that began before
/// it would leave out the long ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// From when on it counts.
    pub(super) since: Nanos,
    answered: f64,
    answered_seconds: f64,
    calls: f64,
    seconds: f64,
    in_flight: f64,
}

impl Tally {
    pub(super) fn from(since: Nanos) -> Self {
        Self { since, ..Self::default() }
    }

    pub(super) fn add(&mut self, sample: &Sample) {
        let calls = f64::from(sample.calls);
        let seconds = calls * sample.latency.as_secs_f64();
        if sample.outcome != Outcome::Overloaded {
            self.answered += calls;
            self.answered_seconds += seconds;
        }
        self.calls += calls;
        self.seconds += seconds;
        self.in_flight += calls * f64::from(sample.in_flight);
    }

    /// How many calls ended, with an answer or without.
    pub(super) const fn calls(&self) -> f64 {
        self.calls
    }

    /// Whether next to none of them had an answer.
    pub(super) fn is_barren(&self) -> bool {
        self.answered < 0.1 * self.calls
    }

    /// Seconds since it began.
    pub(super) fn age(&self, now: Nanos) -> f64 {
        now.since(self.since).max(Duration::from_nanos(1)).as_secs_f64()
    }

    /// Answers in a second. What gave none took a place for nothing.
    pub(super) fn rate(&self, now: Nanos) -> f64 {
        self.answered / self.age(now)
    }

    /// The mean of the answers, in seconds; without answers, of all calls.
    pub(super) fn latency(&self) -> f64 {
        if self.answered > 0.0 { self.answered_seconds / self.answered } else { self.mean() }
    }

    /// The mean of all calls, in seconds.
    pub(super) fn mean(&self) -> f64 {
        self.seconds / self.calls.max(1.0)
    }

    /// How many were in flight in the mean over time, by Little's law.
    pub(super) fn in_flight(&self, now: Nanos) -> f64 {
        self.seconds / self.age(now)
    }

    /// How many were in flight in the mean over the calls that ended.
    pub(super) fn seen_in_flight(&self) -> f64 {
        self.in_flight / self.calls.max(1.0)
    }
}
