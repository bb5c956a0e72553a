use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tower_ballast_core::window::Striped;

use crate::store::Usage;

/// What a cache has done since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Answers that were there and fresh.
    pub hits: u64,
    /// Requests for which there was nothing, and a call was made, or the second tier was asked.
    pub misses: u64,
    /// Of these, those for which the second tier had an answer.
    pub tier_hits: u64,
    /// Answers that were there and too old, served while they were made anew.
    pub stale: u64,
    /// Answers that were there and too old, served because making them anew failed.
    pub spared: u64,
    /// Requests that were told a failure of which it was remembered.
    pub negative: u64,
    /// Requests that waited for the call of another.
    pub joined: u64,
    /// Requests that went alone, since answers for their key are not to be kept.
    pub passed: u64,
    /// Requests without a key.
    pub bypassed: u64,
    /// Calls that were made beside an answer, to renew it.
    pub refreshed: u64,
    /// Requests that were told the failure of another.
    pub failed: u64,
    /// Calls that run now.
    pub in_flight: u32,
    /// What is kept, and what was let go.
    pub usage: Usage,
}

/// Counts it. Hits and misses are counted in stripes, since threads meet there.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) hits: Striped,
    pub(crate) misses: Striped,
    pub(crate) tier_hits: AtomicU64,
    pub(crate) stale: AtomicU64,
    pub(crate) spared: AtomicU64,
    pub(crate) negative: AtomicU64,
    pub(crate) joined: AtomicU64,
    pub(crate) passed: AtomicU64,
    pub(crate) bypassed: AtomicU64,
    pub(crate) refreshed: AtomicU64,
    pub(crate) failed: AtomicU64,
}

impl Counts {
    pub(crate) fn statistics(&self, in_flight: u32, usage: Usage) -> Statistics {
        let read = |count: &AtomicU64| count.load(Relaxed);
        Statistics {
            hits: self.hits.sum(),
            misses: self.misses.sum(),
            tier_hits: read(&self.tier_hits),
            stale: read(&self.stale),
            spared: read(&self.spared),
            negative: read(&self.negative),
            joined: read(&self.joined),
            passed: read(&self.passed),
            bypassed: read(&self.bypassed),
            refreshed: read(&self.refreshed),
            failed: read(&self.failed),
            in_flight,
            usage,
        }
    }
}
