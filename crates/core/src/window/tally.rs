use std::ops::{Add, AddAssign, SubAssign};

/// How many calls there were, how many of them failed, and how many were slow.
///
/// ```
/// use tower_ballast_core::window::Tally;
///
/// let tally = Tally::successes(3) + Tally::call(true, false);
/// assert_eq!((tally.calls, tally.failures, tally.slow), (4, 1, 0));
/// assert_eq!(tally.failure_rate(), 0.25);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// All calls.
    pub calls: u64,
    /// Those that failed.
    pub failures: u64,
    /// Those that were slow, whether they failed or not.
    pub slow: u64,
}

impl Tally {
    /// One call.
    #[must_use]
    pub const fn call(failed: bool, slow: bool) -> Self {
        Self { calls: 1, failures: failed as u64, slow: slow as u64 }
    }

    /// So many calls that neither failed nor were slow.
    #[must_use]
    pub const fn successes(calls: u64) -> Self {
        Self { calls, failures: 0, slow: 0 }
    }

    /// Failures by calls; 0 when there were no calls.
    #[must_use]
    pub fn failure_rate(&self) -> f64 {
        rate(self.failures, self.calls)
    }

    /// Slow calls by calls; 0 when there were no calls.
    #[must_use]
    pub fn slow_rate(&self) -> f64 {
        rate(self.slow, self.calls)
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.failures = self.failures.saturating_add(other.failures);
        self.slow = self.slow.saturating_add(other.slow);
    }
}

impl SubAssign for Tally {
    fn sub_assign(&mut self, other: Self) {
        self.calls = self.calls.saturating_sub(other.calls);
        self.failures = self.failures.saturating_sub(other.failures);
        self.slow = self.slow.saturating_sub(other.slow);
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts beyond 2^53 do not occur")]
fn rate(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
