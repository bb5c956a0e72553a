use std::{ops::RangeInclusive, time::Duration};

use super::{
    Change, Limiter, Model, Outcome, Sample,
    bounds::{Bounds, limit, setters, whole},
};

/// Compares the latency now with that of the last 600 calls, and shrinks while it is much longer.
///
/// The rule is that of Netflix's concurrency-limits, `Gradient2Limit`, with its constants. A queue
/// that stands for long becomes the usual, so the latency can creep up by as much as is tolerated.
///
/// As there, refusals and timeouts are latencies and nothing else: a service that refuses quickly
/// looks quick. Other than there:
///
/// - the limit is from 1 to 1000, and not from 20 to 200: say `bounds(20..=200)`;
/// - how many are in flight is read when a call ends, and not when it begins;
/// - answers that end while another is looked at are looked at together, as one step.
#[derive(Debug, Clone)]
pub struct Gradient2 {
    bounds: Bounds,
    limit: f64,
    /// The usual latency in seconds.
    usual: f64,
    /// The sum of the first few.
    first: f64,
    calls: u32,
}

impl Gradient2 {
    const TOLERANCE: f64 = 1.5;
    const SMOOTHING: f64 = 0.2;
    const QUEUE: f64 = 4.0;
    const WARM_UP: u32 = 10;
    const FACTOR: f64 = 2.0 / 601.0;

    /// Starts with 20, from 1 to 1000.
    #[must_use]
    pub const fn new() -> Self {
        Self { bounds: Bounds::DEFAULT, limit: 20.0, usual: 0.0, first: 0.0, calls: 0 }
    }

    /// Says what was usual with this latency.
    fn learn(&mut self, latency: f64, calls: u32) -> f64 {
        for _ in 0..calls.min(600) {
            if self.calls < Self::WARM_UP {
                self.calls += 1;
                self.first += latency;
                self.usual = self.first / f64::from(self.calls);
            } else {
                self.usual += (latency - self.usual) * Self::FACTOR;
            }
        }
        let usual = self.usual;
        if usual > 2.0 * latency {
            self.usual *= 0.95;
        }
        usual
    }
}

impl Default for Gradient2 {
    fn default() -> Self {
        Self::new()
    }
}

setters!(Gradient2);

impl Limiter for Gradient2 {
    limit!();

    fn model(&self) -> Model {
        let usual = Duration::try_from_secs_f64(self.usual).ok();
        Model { base_latency: usual.filter(|usual| !usual.is_zero()), ..Model::default() }
    }

    fn sample(&mut self, sample: Sample) -> Option<Change> {
        let latency = sample.latency.as_secs_f64();
        if sample.outcome == Outcome::Failed || latency <= 0.0 {
            return None;
        }
        let usual = self.learn(latency, sample.calls);
        if f64::from(sample.in_flight) * 2.0 < self.limit {
            return None;
        }
        let before = whole(self.limit);
        let gradient = (Self::TOLERANCE * usual / latency).clamp(0.5, 1.0);
        let limit = self.limit * gradient + Self::QUEUE;
        self.limit += (limit - self.limit) * Self::SMOOTHING;
        self.limit = self.bounds.clamp(self.limit);
        Change::between(before, whole(self.limit), if gradient < 1.0 { "latency" } else { "room" })
    }
}
