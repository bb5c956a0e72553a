//! That a purge holds also for an answer that is on its way.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    sync::atomic::{AtomicU64, Ordering::SeqCst},
};

const PARTS: usize = 4096;

/// Counts purges, those of single keys in 4096 parts by their hash.
///
/// Who fetches an answer notes the count before, and keeps the answer only if it is the same after it was
/// put into the store: then no purge came between, or the purge will find it there.
///
/// ```
/// use tower_ballast_cache::Epochs;
///
/// let epochs = Epochs::new();
/// let before = epochs.mark(&"key");
/// epochs.purge(&"key");
/// assert!(!epochs.is_now(before));
/// ```
#[derive(Debug)]
pub struct Epochs {
    all: AtomicU64,
    keys: Box<[AtomicU64]>,
    hasher: RandomState,
}

/// What [`Epochs`] counted for a key at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    all: u64,
    part: usize,
    key: u64,
}

impl Epochs {
    /// Nothing has been purged.
    #[must_use]
    pub fn new() -> Self {
        let keys = (0..PARTS).map(|_| AtomicU64::new(0)).collect();
        Self { all: AtomicU64::new(0), keys, hasher: RandomState::new() }
    }

    /// The present count for `key`.
    pub fn mark<K: Hash + ?Sized>(&self, key: &K) -> Epoch {
        let part = self.part(key);
        Epoch { all: self.all.load(SeqCst), part, key: self.keys[part].load(SeqCst) }
    }

    /// Whether the count is still the same.
    #[must_use]
    pub fn is_now(&self, epoch: Epoch) -> bool {
        self.all.load(SeqCst) == epoch.all && self.keys[epoch.part].load(SeqCst) == epoch.key
    }

    /// Counts a purge of `key`; to be done before it is removed.
    pub fn purge<K: Hash + ?Sized>(&self, key: &K) {
        self.keys[self.part(key)].fetch_add(1, SeqCst);
    }

    /// Counts a purge of the key of `epoch`, and gives the count after it if there was no other since then.
    #[must_use]
    pub fn purge_since(&self, epoch: Epoch) -> Option<Epoch> {
        let key = self.keys[epoch.part].fetch_add(1, SeqCst);
        let is_only = key == epoch.key && self.all.load(SeqCst) == epoch.all;
        is_only.then_some(Epoch { key: key + 1, ..epoch })
    }

    /// Counts a purge of any keys; to be done before they are removed.
    pub fn purge_all(&self) {
        self.all.fetch_add(1, SeqCst);
    }

    fn part<K: Hash + ?Sized>(&self, key: &K) -> usize {
        usize::try_from(self.hasher.hash_one(key) % PARTS as u64).unwrap_or(0)
    }
}

impl Default for Epochs {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purge_of_ones_own_hides_no_other() {
        let epochs = Epochs::new();
        let first = epochs.mark(&"key");
        let second = epochs.purge_since(first).unwrap();
        assert!(!epochs.is_now(first) && epochs.is_now(second));
        epochs.purge(&"key");
        assert_eq!(epochs.purge_since(second), None);
        let third = epochs.mark(&"key");
        epochs.purge_all();
        assert_eq!(epochs.purge_since(third), None);
    }

    #[test]
    fn a_purge_of_few_keys_voids_hardly_any_answer_to_others() {
        let epochs = Epochs::new();
        let others: Vec<Epoch> = (0..1000).map(|key| epochs.mark(&key)).collect();
        for key in 1000..1010 {
            epochs.purge(&key);
        }
        let void = others.iter().filter(|epoch| !epochs.is_now(**epoch)).count();
        assert!(void < 50, "{void} of 1000");
    }
}
