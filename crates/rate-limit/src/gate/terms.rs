use crate::Quota;

/// So many per so many nanoseconds, both at least one.
///
/// What is closed keeps the rate that it had before, by which debts are counted, and holds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) count: u64,
    pub(super) period: u64,
    pub(super) closed: bool,
}

impl Terms {
    pub(super) fn new(quota: Quota) -> Self {
        Self { count: 1, period: quota.nanos(), closed: true }.changed(quota)
    }

    pub(super) fn changed(self, quota: Quota) -> Self {
        match quota.capped() {
            0 => Self { closed: true, ..self },
            count => Self { count: count.into(), period: quota.nanos(), closed: false },
        }
    }

    /// The most that passes in one period.
    pub(super) const fn limit(self) -> u64 {
        if self.closed { 0 } else { self.count }
    }
}

/// What a caller is told of a number that it gave as a `u32`.
pub(super) fn told(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
