//! What an epoch adds up.

use std::time::Duration;

use tower_ballast_core::clock::Nanos;

use super::{Outcome, Sample};

/// The calls that ended in a span of time: all of them, since to leave out those that began before
/// it would leave out the long ones.
///
/// It reaches from one end of a call to another, and those that end with it belong to the next: calls that
/// take all the same time end in waves, and a span that holds one more of the waves than of the times between them, or
/// one less, shows a rate that is far off.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// From when on it counts.
    pub(super) since: Nanos,
    all: Sums,
    /// The same without those that ended last, all at one time.
    before: Sums,
    last: Nanos,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
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

    /// What begins where this ends, with those that ended last.
    pub(super) fn next(&self) -> Self {
        let all = self.all.without(&self.before);
        Self { since: self.last, all, before: Sums::default(), last: self.last }
    }

    pub(super) fn add(&mut self, sample: &Sample) {
        if self.last == Nanos::ZERO {
            self.since = sample.now;
        }
        if sample.now > self.last {
            (self.before, self.last) = (self.all, sample.now);
        }
        self.all.add(sample);
    }

    /// How many calls ended, with an answer or without.
    pub(super) const fn calls(&self) -> f64 {
        self.all.calls
    }

    /// Whether next to none of them had an answer.
    pub(super) fn is_barren(&self) -> bool {
        self.all.answered < 0.1 * self.all.calls
    }

    /// Seconds since it began.
    pub(super) fn age(&self, now: Nanos) -> f64 {
        now.since(self.since).max(Duration::from_nanos(1)).as_secs_f64()
    }

    /// Answers in a second. What gave none took a place for nothing.
    pub(super) fn rate(&self, now: Nanos) -> f64 {
        self.before.answered / self.age(now)
    }

    /// The mean of the answers, in seconds; without answers, of all calls.
    pub(super) fn latency(&self) -> f64 {
        let Sums { answered, answered_seconds, .. } = self.all;
        if answered > 0.0 { answered_seconds / answered } else { self.mean() }
    }

    /// The mean of all calls, in seconds.
    pub(super) fn mean(&self) -> f64 {
        self.all.seconds / self.all.calls.max(1.0)
    }

    /// How many were in flight in the mean over time, by Little's law.
    pub(super) fn in_flight(&self, now: Nanos) -> f64 {
        self.before.seconds / self.age(now)
    }

    /// How many were in flight in the mean over the calls that ended.
    pub(super) fn seen_in_flight(&self) -> f64 {
        self.all.in_flight / self.all.calls.max(1.0)
    }
}

impl Sums {
    fn add(&mut self, sample: &Sample) {
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

    fn without(&self, others: &Self) -> Self {
        Self {
            answered: self.answered - others.answered,
            answered_seconds: self.answered_seconds - others.answered_seconds,
            calls: self.calls - others.calls,
            seconds: self.seconds - others.seconds,
            in_flight: self.in_flight - others.in_flight,
        }
    }
}
