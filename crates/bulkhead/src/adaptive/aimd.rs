use std::{ops::RangeInclusive, time::Duration};

use super::{
    Change, Limiter, Outcome, Sample,
    bounds::{Bounds, limit, setters, whole},
};

/// Grows by one, and shrinks by a tenth with each call that takes too long or is turned away.
///
/// The simplest limiter, for services whose good latency is known. Its threshold is fixed: when the
/// service itself gets slower than that, it keeps too few in flight.
///
/// The rule is that of Netflix's concurrency-limits, `AIMDLimit`, except that how many are in flight is
/// read when a call ends and not when it begins, and that an error says nothing unless it took too
/// long.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_bulkhead::adaptive::{Aimd, Limiter, Outcome, Sample};
/// use tower_ballast_core::clock::Nanos;
///
/// let mut limiter = Aimd::new(Duration::from_millis(100));
/// let slow = Sample::new(Nanos::ZERO, Duration::from_millis(150), Outcome::Answered, 20);
/// assert_eq!(limiter.sample(slow).unwrap().limit, 18);
/// ```
#[derive(Debug, Clone)]
pub struct Aimd {
    too_long: Duration,
    bounds: Bounds,
    limit: f64,
}

impl Aimd {
    const BACKOFF: f64 = 0.9;

    /// Starts with 20, from 1 to 1000. A call that takes longer than `too_long` shrinks it.
    #[must_use]
    pub const fn new(too_long: Duration) -> Self {
        Self { too_long, bounds: Bounds::DEFAULT, limit: 20.0 }
    }
}

setters!(Aimd);

impl Limiter for Aimd {
    limit!();

    fn sample(&mut self, sample: Sample) -> Option<Change> {
        let before = whole(self.limit);
        let (limit, reason) = if sample.outcome == Outcome::Overloaded {
            (self.limit * Self::BACKOFF, "overloaded")
        } else if sample.latency > self.too_long {
            (self.limit * Self::BACKOFF, "latency")
        } else if sample.outcome == Outcome::Failed {
            return None;
        } else if f64::from(sample.in_flight) * 2.0 >= self.limit {
            (self.limit + f64::from(sample.calls), "room")
        } else {
            return None;
        };
        self.limit = self.bounds.clamp(limit.floor());
        Change::between(before, whole(self.limit), reason)
    }
}
