//! How fast a class is served.

use std::time::Duration;

use crate::clock::Nanos;

/// One part in so many is what a new measurement counts.
const MEMORY: u64 = 16;

/// The mean time between two turns of a class while somebody of it waited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Nanoseconds for one unit of cost; zero before the first turn.
    mean: u64,
    /// Since when the next in the class has waited for a turn.
    since: Nanos,
}

impl Pace {
    pub(super) const UNKNOWN: Self = Self { mean: 0, since: Nanos::ZERO };

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
            mean => (mean - mean / MEMORY + took / MEMORY).max(1),
        };
    }

    /// How long it takes until so much has had its turn; zero as long as nothing is known.
    pub(super) const fn time_for(&self, cost: u64) -> Duration {
        Duration::from_nanos(self.mean.saturating_mul(cost))
    }
}
