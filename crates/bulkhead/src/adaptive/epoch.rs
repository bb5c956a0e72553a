//! A span of time that is long enough for its means to mean something.

use std::ops::Deref;

use tower_ballast_core::clock::Nanos;

use super::{Outcome, Sample, tally::Tally};

#[derive(Debug, Clone)]
pub(super) struct Epoch {
    tally: Tally,
    /// The square of how far latencies scatter, relative to the one without a queue.
    scatter: f64,
}

/// What an epoch has shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Answers in a second.
    pub(super) rate: f64,
    /// The mean of the answers, in seconds.
    pub(super) latency: f64,
    /// Whether the limit was in use.
    pub(super) limited: bool,
    /// The relative error that the two may have.
    pub(super) error: f64,
    /// Seconds until a change of the limit shows.
    pub(super) settle: f64,
    age: f64,
}

/// Below this part of the bandwidth that was believed, it is not that any more.
const STALE: f64 = 0.8;
/// The relative error of a mean that is good enough.
const ERROR: f64 = 0.04;
/// That of an epoch that had calls enough, with what the scatter has moved while it was measured.
const GOOD: f64 = 1.05 * ERROR;

impl Epoch {
    pub(super) fn begin(&mut self, at: Nanos) {
        self.tally = Tally::from(at);
    }

    /// Begins where the last one ends, with the calls that ended last.
    pub(super) fn go_on(&mut self) {
        self.tally = self.tally.next();
    }

    /// Takes in a call, if it counts already. The scatter is measured against `scale`, or if that
    /// is zero against the mean.
    pub(super) fn add(&mut self, sample: &Sample, scale: f64) -> bool {
        if self.tally.since == Nanos::ZERO {
            self.tally.since = sample.now + sample.latency;
        }
        if sample.now < self.tally.since {
            return false;
        }
        self.tally.add(sample);
        // A mean of several scatters less than they do.
        if sample.calls == 1 && sample.outcome == Outcome::Answered {
            let mean = self.tally.latency();
            let scale = if scale > 0.0 { scale } else { mean }.max(f64::MIN_POSITIVE);
            let square = ((sample.latency.as_secs_f64() - mean) / scale).powi(2);
            self.scatter += 0.001 * (square.min(100.0) - self.scatter);
        }
        true
    }

    /// The relative error that the means may have.
    pub(super) fn error(&self) -> f64 {
        (self.scatter.max(0.06) / self.tally.calls().max(1.0)).sqrt()
    }

    /// What it has shown until now, at this limit, of a service of which that is believed.
    pub(super) fn seen(&self, now: Nanos, limit: f64, bandwidth: f64, base: f64) -> Seen {
        let (rate, latency) = (self.tally.rate(now), self.tally.latency());
        let expected = if bandwidth > 0.0 { limit / bandwidth } else { 0.0 };
        // A rate that is next to nothing would have it wait for ever.
        let usual = latency.max(base);
        let settle = usual.max(expected.min(8.0 * usual));
        // In a service that has just become slower the calls that end are still the short ones.
        let slower = self.tally.seen_in_flight() >= 0.8 * limit
            && self.tally.mean() > 1.15 * expected
            && bandwidth > 0.0;
        let limited = slower || self.tally.in_flight(now) >= 0.75 * limit;
        let age = self.tally.age(now);
        Seen { rate, latency, limited, error: self.error(), settle, age }
    }

    /// Whether its means mean something.
    pub(super) fn is_over(&self, now: Nanos, limit: f64, base: f64) -> bool {
        let (calls, age, mean) = (self.tally.calls(), self.tally.age(now), self.tally.mean());
        // Calls that take all the same time come in waves: whole waves are counted, and the last one is
        // not missed for what the base is off.
        let waves = (2.0 * mean / base.max(1e-9) - 0.1).ceil() * base * 0.99;
        let waves = if base > 0.0 { waves } else { 2.0 * mean };
        let needed = (self.scatter / (ERROR * ERROR)).min(8.0 * limit).clamp(20.0, 800.0);
        // With few callers it would never end, and then be of all times.
        calls >= needed && age >= waves || age > 1.0 + 16.0 * mean.max(base)
    }
}

impl Seen {
    /// How much it moves what was believed: less, the worse its mean is. Where one call in a hundred takes twenty times as
    /// long, the calls of an epoch are too few for a mean that is good enough.
    pub(super) fn weight(&self) -> f64 {
        0.3 * (GOOD / self.error).min(1.0)
    }

    /// Whether the service ends less than was believed, as far as so many calls can tell.
    pub(super) fn is_less_than(&self, bandwidth: f64) -> bool {
        self.rate < STALE.min(1.0 - 4.0 * self.error) * bandwidth
    }

    /// Whether it ends so much less that a few calls tell, before the epoch is over.
    pub(super) fn is_plainly_less_than(&self, bandwidth: f64) -> bool {
        let long = self.age >= 2.0 * self.latency;
        long && self.limited && self.rate < STALE.min(1.0 - 5.0 * self.error) * bandwidth
    }
}

impl Default for Epoch {
    fn default() -> Self {
        Self { tally: Tally::default(), scatter: 0.25 }
    }
}

impl Deref for Epoch {
    type Target = Tally;

    fn deref(&self) -> &Tally {
        &self.tally
    }
}
