use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tower_ballast_cache::store::Usage;
use tower_ballast_core::window::Striped;

/// What an HTTP cache has done since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Answers that were there and fresh.
    pub hits: u64,
    /// Answers that were there and stale, served because the client takes them or while they were renewed.
    pub stale: u64,
    /// Answers that were there and stale, served because the service failed.
    pub spared: u64,
    /// Requests that were sent on, since there was nothing to answer them with.
    pub misses: u64,
    /// Answers that the service said are still good (304).
    pub validated: u64,
    /// Requests that were answered by what another one had fetched.
    pub collapsed: u64,
    /// Requests that have nothing to do with a cache, or whose target is not clear.
    pub bypassed: u64,
    /// Requests that wanted only what is there, which was nothing (504).
    pub missing: u64,
    /// Requests that were told the failure of another (502).
    pub failed: u64,
    /// Responses that were kept.
    pub stored: u64,
    /// Responses that could have been kept by their heads, and were not: cut off, too large, without room, or purged meanwhile.
    pub dropped: u64,
    /// Those of them for which there was no room among the [bodies on their way](crate::HttpCacheLayer::coming).
    pub no_room: u64,
    /// Requests of the cache's own, to renew what is served stale.
    pub refreshed: u64,
    /// Bytes of bodies that are on their way.
    pub coming: u64,
    /// Calls that run now and may be joined.
    pub in_flight: usize,
    /// What is kept, and what was let go.
    pub usage: Usage,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) hits: Striped,
    pub(crate) stale: AtomicU64,
    pub(crate) spared: AtomicU64,
    pub(crate) misses: AtomicU64,
    pub(crate) validated: AtomicU64,
    pub(crate) collapsed: AtomicU64,
    pub(crate) bypassed: AtomicU64,
    pub(crate) missing: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) stored: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) no_room: AtomicU64,
    pub(crate) refreshed: AtomicU64,
}

impl Counts {
    pub(crate) fn statistics(&self, coming: u64, in_flight: usize, usage: Usage) -> Statistics {
        let read = |count: &AtomicU64| count.load(Relaxed);
        Statistics {
            hits: self.hits.sum(),
            stale: read(&self.stale),
            spared: read(&self.spared),
            misses: read(&self.misses),
            validated: read(&self.validated),
            collapsed: read(&self.collapsed),
            bypassed: read(&self.bypassed),
            missing: read(&self.missing),
            failed: read(&self.failed),
            stored: read(&self.stored),
            dropped: read(&self.dropped),
            no_room: read(&self.no_room),
            refreshed: read(&self.refreshed),
            coming,
            in_flight,
            usage,
        }
    }
}

pub(crate) fn count(one: &AtomicU64) {
    one.fetch_add(1, Relaxed);
}
