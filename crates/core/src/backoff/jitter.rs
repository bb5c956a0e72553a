use std::{fmt, time::Duration};

use super::growth::scaled;
use crate::{Random, Ratio, random::duration_from_nanos};

/// How chance spreads the delays of callers that failed together.
///
/// Full, equal and decorrelated jitter are those of Marc Brooker, "Exponential Backoff And
/// Jitter", AWS Architecture Blog, 2015, which also measures them: full jitter costs the fewest
/// calls.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::{Backoff, Jitter, Ratio};
///
/// let backoff = Backoff::constant(Duration::from_secs(1))
///     .jitter(Jitter::Proportional(Ratio::percent::<20>()));
/// let drawn = backoff.iter().next().unwrap();
/// assert!((Duration::from_millis(800)..=Duration::from_millis(1200)).contains(&drawn));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Jitter {
    /// None: the delay as it is.
    None,
    /// From zero to the capped delay.
    #[default]
    Full,
    /// From half of the capped delay to all of it.
    Equal,
    /// From the base to three times the delay drawn before, at most the cap. Of the strategy only
    /// the base counts.
    Decorrelated,
    /// The delay give or take this share, then capped.
    Proportional(Ratio),
}

impl Jitter {
    /// Draws a delay around `nominal`, which is capped already. `base` and `previous`, the delay
    /// drawn before, are for the decorrelated kind.
    pub(super) fn draw(
        self,
        nominal: Duration,
        [base, previous, cap]: [Duration; 3],
        random: &Random,
    ) -> Duration {
        match self {
            Self::None => nominal,
            Self::Full => random.between(Duration::ZERO, nominal),
            Self::Equal => random.between(nominal / 2, nominal),
            Self::Decorrelated => {
                random.between(base.min(cap), previous.saturating_mul(3).min(cap))
            }
            Self::Proportional(share) => {
                let spread = proportion(nominal, share);
                let (low, high) = (nominal.saturating_sub(spread), nominal.saturating_add(spread));
                random.between(low, high).min(cap)
            }
        }
    }
}

impl fmt::Display for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no jitter"),
            Self::Full => f.write_str("full jitter"),
            Self::Equal => f.write_str("equal jitter"),
            Self::Decorrelated => f.write_str("decorrelated jitter"),
            Self::Proportional(share) => write!(f, "{share} jitter"),
        }
    }
}

/// This share of `delay`.
pub(super) fn proportion(delay: Duration, share: Ratio) -> Duration {
    let nanos = delay.as_nanos();
    duration_from_nanos(scaled(nanos, share.get(), nanos))
}
