//! How fast a class is served.

use std::time::Duration;

use crate::clock::Nanos;

/// One part in so many is what a new measurement counts.
const MEMORY: u64 = 16;
/// Who finds out whether it goes faster now perhaps waits in vain: in one part of so many of the time.
const LOOKS: u32 = 8;

/// The mean time between two turns of a class while somebody of it waited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Nanoseconds for one unit of cost; zero before the first turn.
    mean: u64,
    /// Since when the next in the class has waited for a turn.
    since: Nanos,
    /// The next turn tells more than all before: they were of another time.
    doubted: bool,
}

impl Pace {
    pub(super) const UNKNOWN: Self = Self { mean: 0, since: Nanos::ZERO, doubted: false };

    /// Somebody waits, and nobody did.
    pub(super) const fn begin(&mut self, now: Nanos) {
        self.since = now;
    }

    /// It was somebody's turn.
    pub(super) fn turn(&mut self, now: Nanos, cost: u32) {
        let took = now.as_nanos().saturating_sub(self.since.as_nanos()) / u64::from(cost.max(1));
        self.since = now;
        self.mean = match self.mean {
            // Never back to "unknown".
            0 => took.max(1),
            _ if self.doubted => took.max(1),
            mean => (mean - mean / MEMORY + took / MEMORY).max(1),
        };
        self.doubted = false;
    }

    /// Whether the last turn, or the last one who waited for one, was so long ago that one may look whether
    /// the mean still holds.
    pub(super) fn may_look(&mut self, now: Nanos, patience: Duration) -> bool {
        let is_old = now.since(self.since) >= patience.saturating_mul(LOOKS);
        self.doubted |= is_old;
        is_old
    }

    /// How long it takes until so much has had its turn; zero as long as nothing is known.
    pub(super) const fn time_for(&self, cost: u64) -> Duration {
        Duration::from_nanos(self.mean.saturating_mul(cost))
    }
}
