use std::{ops::RangeInclusive, time::Duration};

use super::{
    Change, Limiter, Model, Outcome, Sample,
    bounds::{Bounds, limit, setters, whole},
};

/// Estimates the queue from the latency and the least one seen, and keeps it small.
///
/// The rule is that of Netflix's concurrency-limits, `VegasLimit`, with its constants; the idea is
/// Brakmo and Peterson, "TCP Vegas", 1995. The least latency is forgotten after 15 to 30 calls for
/// each of the limit. With jitter the least is far below the usual, which looks like a queue: expect
/// a limit below what the service could do.
///
/// As there, refusals and timeouts are latencies too: a service that refuses in a millisecond teaches
/// it that a millisecond is the least. Other than there:
///
/// - how many are in flight is read when a call ends, and not when it begins;
/// - when it forgets comes from a row of numbers that are spread evenly, and not from chance;
/// - answers that end while another is looked at are looked at together, as one step;
/// - a call of no measurable time is not looked at, where there it is an error.
#[derive(Debug, Clone)]
pub struct Vegas {
    bounds: Bounds,
    limit: f64,
    /// Zero until it is known.
    least: Duration,
    calls: f64,
    /// From a half to one, other with each probe, so that a fleet does not probe in step.
    spread: f64,
}

impl Vegas {
    const PROBE: f64 = 30.0;

    /// Starts with 20, from 1 to 1000.
    #[must_use]
    pub const fn new() -> Self {
        let least = Duration::ZERO;
        Self { bounds: Bounds::DEFAULT, limit: 20.0, least, calls: 0.0, spread: 0.75 }
    }

    fn step(&self, sample: &Sample) -> Option<(f64, &'static str)> {
        let root = root(self.limit);
        if sample.outcome == Outcome::Overloaded {
            return Some((self.limit - root, "overloaded"));
        }
        if f64::from(sample.in_flight) * 2.0 < self.limit {
            return None;
        }
        let share = self.least.as_secs_f64() / sample.latency.as_secs_f64();
        let queue = (self.limit * (1.0 - share)).ceil();
        if queue <= root {
            Some((self.limit + 6.0 * root, "room"))
        } else if queue < 3.0 * root {
            Some((self.limit + root, "room"))
        } else if queue > 6.0 * root {
            Some((self.limit - root, "queue"))
        } else {
            None
        }
    }
}

/// What all thresholds and steps are counted in. From 1000 it is the square root, a leap from 2 to 31:
/// that is how it is there.
fn root(limit: f64) -> f64 {
    let limit = limit.floor();
    let root = if limit < 1000.0 { limit.log10() } else { limit.sqrt() };
    root.floor().max(1.0)
}

impl Default for Vegas {
    fn default() -> Self {
        Self::new()
    }
}

setters!(Vegas);

impl Limiter for Vegas {
    limit!();

    fn model(&self) -> Model {
        let least = (!self.least.is_zero()).then_some(self.least);
        Model { base_latency: least, ..Model::default() }
    }

    fn sample(&mut self, sample: Sample) -> Option<Change> {
        if sample.outcome == Outcome::Failed || sample.latency.is_zero() {
            return None;
        }
        self.calls += f64::from(sample.calls);
        if self.calls >= self.spread * Self::PROBE * self.limit {
            // The golden ratio spreads the numbers evenly, and a seed would be one more setting.
            self.spread = 0.5 + 0.5 * ((self.spread - 0.5) * 2.0 + 0.618_034).fract();
            self.calls = 0.0;
            self.least = sample.latency;
            return None;
        }
        if self.least.is_zero() || sample.latency < self.least {
            self.least = sample.latency;
            return None;
        }
        let before = whole(self.limit);
        let (limit, reason) = self.step(&sample)?;
        self.limit = self.bounds.clamp(limit);
        Change::between(before, whole(self.limit), reason)
    }
}
