use std::{fmt, num::NonZeroU32, time::Duration};

use tower_ballast_core::{Invalid, clock::nanos_in};

const SECOND: u64 = 1_000_000_000;

/// How much may pass in how long: so many per period, and so many at once after a rest.
///
/// The burst is what a caller that has been quiet finds saved up. It is a second's worth unless it
/// is set, at least 1 and at most the count, so that a quota of 600 a minute lets 10 through at
/// once and not 600.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::count;
/// use tower_ballast_rate_limit::Quota;
///
/// const SEARCH: Quota = Quota::per_second(count::<100>());
/// const LOGIN: Quota = Quota::per_minute(count::<5>()).burst(count::<3>());
/// const REPORTS: Quota = Quota::per(Duration::from_secs(10), count::<40>());
///
/// assert_eq!((SEARCH.burst_size(), LOGIN.burst_size(), REPORTS.burst_size()), (100, 3, 4));
/// assert_eq!(LOGIN.to_string(), "5 per 60s, burst 3");
/// ```
///
/// Numbers from a file go through [`try_new`](Self::try_new), for which a count of 0 is legal and
/// means [`CLOSED`](Self::CLOSED).
///
/// # Extremes
///
/// A nanosecond is the smallest step of time, and a billion a second the highest rate. A period of
/// zero counts as a nanosecond, one of more than 146 years as 146 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    count: u32,
    period: Duration,
    burst: u32,
}

impl Quota {
    /// Nothing passes.
    pub const CLOSED: Self = Self { count: 0, period: Duration::from_secs(1), burst: 0 };

    /// So many a second.
    #[must_use]
    pub const fn per_second(count: NonZeroU32) -> Self {
        Self::per(Duration::from_secs(1), count)
    }

    /// So many a minute.
    #[must_use]
    pub const fn per_minute(count: NonZeroU32) -> Self {
        Self::per(Duration::from_secs(60), count)
    }

    /// So many an hour.
    #[must_use]
    pub const fn per_hour(count: NonZeroU32) -> Self {
        Self::per(Duration::from_secs(60 * 60), count)
    }

    /// So many in each `period`.
    #[must_use]
    pub const fn per(period: Duration, count: NonZeroU32) -> Self {
        let quota = Self { count: count.get(), period, burst: 0 };
        Self { burst: quota.second(), ..quota }
    }

    /// So many in each `period`; none at all is [`CLOSED`](Self::CLOSED).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_ballast_rate_limit::Quota;
    ///
    /// let second = Duration::from_secs(1);
    /// assert!(Quota::try_new("login", 0, second).unwrap().is_closed());
    ///
    /// let refused = Quota::try_new("login", 5, Duration::ZERO).unwrap_err();
    /// assert_eq!(refused.to_string(), "login is 5 per 0ns, must be a count per a period above zero");
    /// ```
    ///
    /// # Errors
    ///
    /// Names `setting` when the period is zero.
    pub fn try_new(setting: &str, count: u32, period: Duration) -> Result<Self, Invalid> {
        if period.is_zero() {
            let value = format_args!("{count} per {period:?}");
            return Err(Invalid::new(setting, value, "a count per a period above zero"));
        }
        Ok(NonZeroU32::new(count).map_or(Self::CLOSED, |count| Self::per(period, count)))
    }

    /// How much passes at once after a rest. Default: a second's worth, at least 1 and at most the
    /// count. What is closed stays closed.
    ///
    /// Algorithms that count in windows do not heed it: their burst is the count of a window.
    #[must_use]
    pub const fn burst(self, burst: NonZeroU32) -> Self {
        if self.is_closed() { self } else { Self { burst: burst.get(), ..self } }
    }

    /// The quota multiplied: the count, rounded down to at least 1, in the same period, with the same
    /// burst. What is closed stays closed.
    ///
    /// ```
    /// use tower_ballast_core::count;
    /// use tower_ballast_rate_limit::Quota;
    ///
    /// let quota = Quota::per_second(count::<100>());
    /// assert_eq!(quota.scaled(0.7), Quota::per_second(count::<70>()).burst(count::<100>()));
    /// assert_eq!(quota.scaled(f64::NAN).count(), 1);
    /// ```
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of a float saturates, and what is no number becomes 0"
    )]
    pub fn scaled(self, multiplier: f64) -> Self {
        if self.is_closed() {
            return self;
        }
        // A little more, since 0.7 of 10 is a hair below 7.
        let count = (f64::from(self.count) * multiplier * (1.0 + f64::EPSILON)) as u32;
        Self { count: count.max(1), ..self }
    }

    /// How many in each period; 0 if closed.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The period.
    #[must_use]
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// How much passes at once after a rest; 0 if closed.
    #[must_use]
    pub const fn burst_size(&self) -> u32 {
        self.burst
    }

    /// Whether nothing passes.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.count == 0
    }

    /// The time from one to the next at an even pace, rounded up to whole nanoseconds so that the
    /// rate is never above the quota. The longest there is if closed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_ballast_core::count;
    /// use tower_ballast_rate_limit::Quota;
    ///
    /// assert_eq!(Quota::per_minute(count::<600>()).interval(), Duration::from_millis(100));
    /// ```
    #[must_use]
    pub const fn interval(&self) -> Duration {
        match self.count {
            0 => Duration::MAX,
            count => Duration::from_nanos(self.nanos().div_ceil(count as u64)),
        }
    }

    /// The period in nanoseconds, at least one at most [`LONGEST`].
    pub(crate) const fn nanos(&self) -> u64 {
        match nanos_in(self.period) {
            0 => 1,
            nanos if nanos > LONGEST => LONGEST,
            nanos => nanos,
        }
    }

    /// The count, at most one per nanosecond.
    #[allow(clippy::cast_possible_truncation, reason = "what is below a u32 is one")]
    pub(crate) const fn capped(&self) -> u32 {
        if (self.count as u64) < self.nanos() { self.count } else { self.nanos() as u32 }
    }

    /// What a second is worth, from 1 to the count.
    #[allow(clippy::cast_possible_truncation, reason = "at most the count, which is a u32")]
    const fn second(&self) -> u32 {
        let worth = self.count as u128 * SECOND as u128 / self.nanos() as u128;
        match worth {
            0 => 1,
            worth if worth < self.count as u128 => worth as u32,
            _ => self.count,
        }
    }
}

/// 146 years: a moment that is as far off, and a burst as long after it, fit 63 bits.
pub(crate) const LONGEST: u64 = u64::MAX >> 2;

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_closed() {
            return f.write_str("closed");
        }
        write!(f, "{} per {:?}, burst {}", self.count, self.period, self.burst)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tower_ballast_core::count;

    use super::*;

    #[test]
    fn a_burst_is_a_seconds_worth_from_one_to_the_count() {
        let burst = |period, number| {
            Quota::try_new("quota", number, Duration::from_millis(period)).unwrap().burst_size()
        };
        assert_eq!(burst(1000, 100), 100);
        assert_eq!(burst(60_000, 600), 10);
        assert_eq!(burst(60_000, 5), 1);
        // Four in a hundred milliseconds are forty a second, but never more than four in one.
        assert_eq!(burst(100, 4), 4);
    }

    #[test]
    fn what_is_closed_has_no_burst() {
        assert_eq!(Quota::CLOSED.burst(count::<9>()), Quota::CLOSED);
        assert_eq!(Quota::CLOSED.to_string(), "closed");
        assert_eq!(Quota::CLOSED.interval(), Duration::MAX);
    }

    #[test]
    fn extremes_saturate() {
        let most = count::<{ u32::MAX }>();
        for period in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            let quota = Quota::per(period, most);
            assert!(quota.interval() >= Duration::from_nanos(1));
            assert!((1..=u32::MAX).contains(&quota.burst_size()));
            assert!(u64::from(quota.capped()) <= quota.nanos());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn an_even_pace_is_never_above_the_quota(number in 1..u32::MAX, nanos in 1..LONGEST) {
            let quota = Quota::per(Duration::from_nanos(nanos), NonZeroU32::new(number).unwrap());
            let interval = quota.interval().as_nanos();
            prop_assert!(interval * u128::from(number) >= u128::from(nanos));
            prop_assert!((interval - 1) * u128::from(number) < u128::from(nanos));
        }
    }
}
