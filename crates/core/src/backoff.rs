//! How long to wait before the next attempt.
//!
//! A [`Backoff`] describes a sequence of delays, and [`Delays`] walks it for one request. The
//! description is made of stages, which follow one another:
//!
//! ```
//! use std::time::Duration;
//! use tower_ballast_core::{Backoff, Jitter};
//!
//! // Two quick tries, then patience, and after a minute of waiting no more.
//! let backoff = Backoff::constant(Duration::from_millis(10))
//!     .jitter(Jitter::None)
//!     .take(2)
//!     .then(Backoff::exponential(Duration::from_secs(1)).jitter(Jitter::None))
//!     .until(Duration::from_secs(60));
//!
//! let seconds: Vec<f64> = backoff.iter().map(|delay| delay.as_secs_f64()).collect();
//! assert_eq!(seconds, [0.01, 0.01, 1.0, 2.0, 4.0, 8.0, 16.0]);
//! ```

use std::{fmt, sync::Arc, time::Duration};

use crate::{Multiplier, Random};

mod delays;
mod growth;
mod jitter;
mod stage;

pub use self::{
    delays::{Delays, Iter},
    jitter::Jitter,
};
use self::{growth::Strategy, stage::Stage};

/// A sequence of delays between attempts: how they grow, how far, and how chance spreads them.
///
/// Callers that failed together and wait equally long fail together again, so delays are drawn
/// with [full jitter](Jitter::Full) unless said otherwise. It is a cheap handle to an immutable
/// description: a clone costs one atomic addition.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::{Backoff, Jitter};
///
/// let backoff = Backoff::fibonacci(Duration::from_secs(1)).cap(Duration::from_secs(4));
/// let exact = backoff.jitter(Jitter::None);
/// let seconds: Vec<u64> = exact.iter().take(6).map(|delay| delay.as_secs()).collect();
/// assert_eq!(seconds, [1, 1, 2, 3, 4, 4]);
/// ```
///
/// The default is what a retry layer uses: exponential from 100 ms by doubling, at most 5 s, full
/// jitter. The constructors set no cap. Setters act on the last stage. Arithmetic is exact to the
/// nanosecond and saturates: any attempt number and any duration are fine, and a cap below the
/// base simply wins.
#[derive(Debug, Clone, PartialEq)]
pub struct Backoff {
    stages: Arc<[Stage]>,
}

impl Backoff {
    /// The same delay each time.
    #[must_use]
    pub fn constant(delay: Duration) -> Self {
        Self::new(Strategy::Constant, delay)
    }

    /// Once, twice, three times the base, and so on.
    #[must_use]
    pub fn linear(base: Duration) -> Self {
        Self::new(Strategy::Linear, base)
    }

    /// The base, and then each delay twice the one before; [`multiplier`](Self::multiplier) sets
    /// another factor.
    #[must_use]
    pub fn exponential(base: Duration) -> Self {
        Self::new(Strategy::Exponential(Multiplier::TWO), base)
    }

    /// The base twice, and then each delay the sum of the two before: 1, 1, 2, 3, 5.
    #[must_use]
    pub fn fibonacci(base: Duration) -> Self {
        Self::new(Strategy::Fibonacci, base)
    }

    /// No delay at all.
    #[must_use]
    pub fn none() -> Self {
        Self::constant(Duration::ZERO)
    }

    fn new(strategy: Strategy, base: Duration) -> Self {
        Self { stages: Arc::new([Stage::new(strategy, base)]) }
    }

    /// The factor of an exponential stage. Default: 2. Other stages ignore it.
    #[must_use]
    pub fn multiplier(self, multiplier: Multiplier) -> Self {
        self.last(|stage| {
            if let Strategy::Exponential(factor) = &mut stage.strategy {
                *factor = multiplier;
            }
        })
    }

    /// The longest delay, jitter included. Default: [`Duration::MAX`].
    #[must_use]
    pub fn cap(self, cap: Duration) -> Self {
        self.last(|stage| stage.cap = cap)
    }

    /// How chance spreads the delays. Default: [`Jitter::Full`].
    #[must_use]
    pub fn jitter(self, jitter: Jitter) -> Self {
        self.last(|stage| stage.jitter = jitter)
    }

    /// Ends the stage after so many delays. Default: it does not end.
    #[must_use]
    pub fn take(self, delays: u32) -> Self {
        self.last(|stage| stage.take = Some(delays))
    }

    /// Ends the stage when its next delay would carry the sum of its delays past `total`.
    /// Default: it does not end.
    #[must_use]
    pub fn until(self, total: Duration) -> Self {
        self.last(|stage| stage.until = Some(total))
    }

    /// Goes on with `next` where this sequence ends. What comes after a stage without an end is
    /// never reached.
    #[must_use]
    #[allow(clippy::needless_pass_by_value, reason = "backoffs are composed as values")]
    pub fn then(self, next: Self) -> Self {
        Self { stages: self.stages.iter().chain(next.stages.iter()).cloned().collect() }
    }

    /// The delays of one request, for layers. Allocates nothing.
    #[must_use]
    pub fn delays(&self) -> Delays {
        Delays::new(self.clone())
    }

    /// The delays as an iterator with random numbers of its own.
    #[must_use]
    pub fn iter(&self) -> Iter {
        self.iter_with(Random::new())
    }

    /// The delays as an iterator that draws from `random`, for instance a seeded one.
    #[must_use]
    pub fn iter_with(&self, random: Random) -> Iter {
        Iter::new(self.delays(), random)
    }

    /// The `n`-th delay, counted from 1, as it is before chance spreads it; `None` past the end.
    /// Number 0, the wait before the first attempt, is zero.
    ///
    /// The cost is bounded for any `n`: of the delays before it at most some thousands are walked,
    /// and those only in a growing stage that ends by a total.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_ballast_core::Backoff;
    ///
    /// let backoff = Backoff::default();
    /// assert_eq!(backoff.nominal(1), Some(Duration::from_millis(100)));
    /// assert_eq!(backoff.nominal(u32::MAX), Some(Duration::from_secs(5)));
    /// assert_eq!(backoff.take(3).nominal(4), None);
    /// ```
    #[must_use]
    pub fn nominal(&self, n: u32) -> Option<Duration> {
        let mut left = n;
        for stage in self.stages.iter() {
            let length = stage.nominal_length();
            match length {
                Some(length) if left > length => left -= length,
                _ => return Some(stage.nominal(left)),
            }
        }
        None
    }

    /// What the first `n` delays can add up to at most, whatever chance does. Saturates at
    /// [`Duration::MAX`]. Without jitter it is their very sum.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_ballast_core::Backoff;
    ///
    /// assert_eq!(Backoff::default().longest(3), Duration::from_millis(700));
    /// ```
    #[must_use]
    pub fn longest(&self, n: u32) -> Duration {
        let (mut sum, mut left) = (Duration::ZERO, n);
        for stage in self.stages.iter() {
            let (longest, fewest) = stage.longest(left);
            sum = sum.saturating_add(longest);
            left -= fewest;
        }
        sum
    }

    fn last(mut self, change: impl FnOnce(&mut Stage)) -> Self {
        if let Some(stage) = Arc::make_mut(&mut self.stages).last_mut() {
            change(stage);
        }
        self
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::exponential(Duration::from_millis(100)).cap(Duration::from_secs(5))
    }
}

impl IntoIterator for &Backoff {
    type Item = Duration;
    type IntoIter = Iter;

    fn into_iter(self) -> Iter {
        self.iter()
    }
}

impl IntoIterator for Backoff {
    type Item = Duration;
    type IntoIter = Iter;

    fn into_iter(self) -> Iter {
        self.iter()
    }
}

/// In words: "exponential from 100ms x 2, at most 5s, full jitter".
impl fmt::Display for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, stage) in self.stages.iter().enumerate() {
            if index > 0 {
                f.write_str(", then ")?;
            }
            stage.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
