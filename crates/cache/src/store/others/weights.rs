//! What those need that know only one bound, and count by themselves.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::store::{Capacity, usage::Counts};

/// What an entry counts as in a store that cannot say what it keeps besides: links, hash and counts.
pub(super) fn charge<K, V>(size: usize) -> u64 {
    const OVERHEAD: usize = 64;
    let size = size.saturating_add(size_of::<(K, V)>() + OVERHEAD);
    u64::try_from(size).unwrap_or(u64::MAX)
}

impl Capacity {
    /// Both bounds as one.
    pub(super) fn weights(self) -> Weights {
        let (limit, least, most) = match (self.bytes(), self.entries()) {
            (_, Some(0)) | (None, None) => (0, 1, 1),
            (None, Some(entries)) => (entries, 1, 1),
            (Some(bytes), None) => (bytes, 1, u64::MAX),
            (Some(bytes), Some(entries)) => (bytes, bytes.div_ceil(entries).max(1), u64::MAX),
        };
        Weights { limit, least, most }
    }
}

/// How much weight is kept, and what an entry weighs at least and at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    pub(super) limit: u64,
    least: u64,
    most: u64,
}

impl Weights {
    pub(super) fn of(self, size: u64) -> u64 {
        size.clamp(self.least, self.most)
    }

    /// The largest size of which an entry weighs no more than that.
    pub(super) fn largest<K, V>(self, weight: u64) -> usize {
        match (self.least <= weight, self.most) {
            (false, _) => 0,
            (true, 1) => usize::MAX,
            (true, _) => {
                let place = charge::<K, V>(0);
                usize::try_from(weight.saturating_sub(place)).unwrap_or(usize::MAX)
            }
        }
    }

    /// Whether entries weigh the same by both.
    pub(super) const fn weigh_like(self, other: Self) -> bool {
        self.least == other.least && self.most == other.most
    }
}

impl Counts {
    /// An entry has come. It is counted before it can be let go by another thread.
    pub(super) fn came(&self, bytes: u64) {
        self.entries.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    /// An entry has gone.
    pub(super) fn went(&self, bytes: u64, why: &AtomicU64) {
        self.entries.fetch_sub(1, Relaxed);
        self.bytes.fetch_sub(bytes, Relaxed);
        why.fetch_add(1, Relaxed);
    }
}
