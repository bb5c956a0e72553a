use std::ops::RangeInclusive;

/// Between which numbers a limit stays. The least is at least 1: a limit of 0 would never again
/// be told of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    least: u32,
    most: u32,
}

impl Bounds {
    pub(super) const DEFAULT: Self = Self { least: 1, most: 1000 };

    /// The two ends of a range, in either order.
    pub(super) fn of(range: &RangeInclusive<u32>) -> Self {
        let (one, other) = (*range.start().max(&1), *range.end().max(&1));
        Self { least: one.min(other), most: one.max(other) }
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
