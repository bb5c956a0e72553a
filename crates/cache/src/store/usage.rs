use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How much a store keeps, and what it has let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// Entries that are kept.
    pub entries: u64,
    /// Bytes they count as.
    pub bytes: u64,
    /// Entries that were let go to make room for others.
    pub evicted: u64,
    /// Entries that were replaced by another one with the same key.
    pub replaced: u64,
    /// Entries that were removed by key, by a condition, or all at once.
    pub removed: u64,
    /// Entries for which there was no room: too large to be kept at all, mostly.
    pub refused: u64,
}

/// Counts it.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) entries: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) evicted: AtomicU64,
    pub(super) replaced: AtomicU64,
    pub(super) removed: AtomicU64,
    pub(super) refused: AtomicU64,
}

impl Counts {
    pub(super) fn usage(&self) -> Usage {
        let read = |count: &AtomicU64| count.load(Relaxed);
        Usage {
            entries: read(&self.entries),
            bytes: read(&self.bytes),
            evicted: read(&self.evicted),
            replaced: read(&self.replaced),
            removed: read(&self.removed),
            refused: read(&self.refused),
        }
    }
}
