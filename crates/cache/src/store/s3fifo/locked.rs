//! A part behind its lock, and what must not be dropped while it is held.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{
    super::Capacity,
    part::{Entry, Part},
};

/// There are at most so many parts, and so few that each is for entries or bytes enough to choose from.
const PARTS: u64 = 64;
const PART_BYTES: u64 = 128 * 1024;
const PART_ENTRIES: u64 = 256;

/// As many parts as are good for so much, all empty.
pub(super) fn parts<K, V>(capacity: Capacity) -> Box<[Locked<K, V>]> {
    let by_bytes = capacity.bytes().map_or(PARTS, |bytes| bytes / PART_BYTES);
    let by_entries = capacity.entries().map_or(PARTS, |entries| entries / PART_ENTRIES);
    let parts = 1_u64 << by_bytes.min(by_entries).clamp(1, PARTS).ilog2();
    (0..parts).map(|_| Locked::new()).collect()
}

/// A part behind its lock, on cache lines of its own; two, since processors fetch them in pairs.
///
/// A panic of a user's `Eq` or `Clone` leaves a part as it was, so a poisoned lock is like any other.
#[repr(align(128))]
pub(super) struct Locked<K, V>(RwLock<Part<K, V>>);

impl<K, V> Locked<K, V> {
    pub(super) const fn new() -> Self {
        Self(RwLock::new(Part::new()))
    }

    #[inline]
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Part<K, V>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Part<K, V>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Entries that are dropped with it; made before a lock is taken, it is dropped after. The first needs no memory.
pub(super) struct Gone<K, V> {
    first: Option<Entry<K, V>>,
    others: Vec<Entry<K, V>>,
}

impl<K, V> Gone<K, V> {
    pub(super) const fn new() -> Self {
        Self { first: None, others: Vec::new() }
    }

    pub(super) fn add(&mut self, entry: Entry<K, V>) {
        match self.first {
            None => self.first = Some(entry),
            Some(_) => self.others.push(entry),
        }
    }
}
