use std::{ops::RangeInclusive, time::Duration};

/// Between which numbers a limit stays. The least is at least 1: a limit of 0 would never again
/// be told of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) least: u32,
    pub(super) most: u32,
}

impl Bounds {
    pub(super) const DEFAULT: Self = Self { least: 1, most: 1000 };

    /// The two ends of a range, in either order.
    pub(super) fn of(range: &RangeInclusive<u32>) -> Self {
        let (one, other) = (*range.start().max(&1), *range.end().max(&1));
        Self { least: one.min(other), most: one.max(other) }
    }

    pub(super) const fn range(self) -> RangeInclusive<u32> {
        self.least..=self.most
    }

    pub(super) fn keep(self, limit: u32) -> u32 {
        limit.clamp(self.least, self.most)
    }

    pub(super) fn clamp(self, limit: f64) -> f64 {
        limit.clamp(f64::from(self.least), f64::from(self.most))
    }
}

/// The whole number below a limit.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "such casts saturate")]
pub(super) fn whole(limit: f64) -> u32 {
    limit as u32
}

/// So many seconds, or as many as there can be.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// The setters of a limiter whose limit is a fraction.
macro_rules! setters {
    ($limiter:ident) => {
        impl $limiter {
            /// The limit at the beginning, kept within its bounds.
            #[must_use]
            pub fn initial(mut self, limit: u32) -> Self {
                self.limit = self.bounds.clamp(f64::from(limit));
                self
            }

            /// Between which numbers the limit stays, given in either order. Default: 1 to 1000. At
            /// least one is always let in, or nothing would ever be learnt.
            #[must_use]
            pub fn bounds(mut self, range: RangeInclusive<u32>) -> Self {
                self.bounds = Bounds::of(&range);
                self.limit = self.bounds.clamp(self.limit);
                self
            }
        }
    };
}

/// What a limiter whose limit is a fraction says of it.
macro_rules! limit {
    () => {
        fn initial(&self) -> u32 {
            whole(self.limit)
        }

        fn range(&self) -> RangeInclusive<u32> {
            self.bounds.range()
        }

        fn set_range(&mut self, range: RangeInclusive<u32>) -> Option<u32> {
            self.bounds = Bounds::of(&range);
            self.limit = self.bounds.clamp(self.limit);
            Some(whole(self.limit))
        }

        fn restart(&mut self, limit: u32) {
            self.limit = self.bounds.clamp(f64::from(limit));
        }
    };
}

pub(super) use {limit, setters};
