use std::time::Duration;

use crate::clock::nanos_in;

/// The quota of a key: so much time from one to the next at an even pace, and so many at once after a
/// rest.
///
/// An interval of zero counts as a nanosecond. A burst of 0 lets nothing through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    interval: u64,
    /// In nanoseconds.
    pub(super) burst: u64,
}

impl Pace {
    /// One in each interval, and a burst of so many.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_ballast_core::keys::Pace;
    ///
    /// const TEN_A_SECOND: Pace = Pace::new(Duration::from_millis(100), 10);
    /// ```
    #[must_use]
    pub const fn new(interval: Duration, burst: u32) -> Self {
        // A sixteenth of the line of time at most, so that sums of a burst and a moment fit.
        const LONGEST: u64 = u64::MAX >> 4;
        let interval = match nanos_in(interval) {
            0 => 1,
            nanos if nanos > LONGEST => LONGEST,
            nanos => nanos,
        };
        let most = LONGEST / interval * interval;
        let burst = interval.saturating_mul(burst as u64);
        Self { interval, burst: if burst < most { burst } else { most } }
    }

    /// What so much costs, in nanoseconds.
    #[inline]
    pub(super) const fn weight(self, cost: u32) -> u64 {
        self.interval.saturating_mul(cost as u64)
    }
}
