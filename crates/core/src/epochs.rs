//! That a purge holds also for an answer that is on its way.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    sync::PoisonError,
};

use crate::sync::{
    EPOCHS as PARTS, Mutex, MutexGuard,
    atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Acquire, Release, SeqCst},
    },
};

/// How many purges of a part are remembered one by one.
const REMEMBERED: usize = 8;

/// Counts purges, those of single keys in 256 parts by their hash; the last 8 of each part are told apart by key.
///
/// Who fetches an answer notes the count before, and [keeps](Epochs::keep) the answer only if there was no purge of its key
/// between that and the moment after it was put into the store: then none came between, or the purge will find it there. An
/// answer is given up in vain only when more than 8 other keys of its part were purged meanwhile.
///
/// ```
/// use tower_ballast_core::epochs::Epochs;
///
/// let epochs = Epochs::new();
/// let (before, other) = (epochs.mark(&"key"), epochs.mark(&"other"));
/// epochs.purge(&"key");
/// assert!(!epochs.is_now(before));
/// assert!(epochs.is_now(other));
/// ```
#[derive(Debug)]
pub struct Epochs {
    all: AtomicU64,
    parts: Box<[Part]>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Part {
    /// Changes under the lock alone.
    purges: AtomicU64,
    last: Mutex<[u64; REMEMBERED]>,
}

/// What [`Epochs`] counted for a key at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    all: u64,
    hash: u64,
    purges: u64,
}

/// Whether it is known of something that no purge came while it was put into a store: before, it is not to be served. Of a copy
/// it is not known.
///
/// ```
/// use tower_ballast_core::epochs::{Epochs, Settled};
///
/// let (epochs, settled) = (Epochs::new(), Settled::new());
/// let put = || {
///     assert!(!settled.is_settled(), "there may have been a purge");
///     true
/// };
/// assert!(epochs.keep(epochs.mark(&"key"), &settled, put, || ()));
/// assert!(settled.is_settled() && !settled.clone().is_settled());
/// ```
#[derive(Debug)]
pub struct Settled(AtomicBool);

impl Settled {
    /// It is not known yet.
    #[must_use]
    pub fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// From now on it may be served. [`Epochs::keep`] says so by itself; this is for what no purge concerns.
    pub fn settle(&self) {
        self.0.store(true, Release);
    }

    /// Whether it may be served.
    #[must_use]
    #[inline]
    pub fn is_settled(&self) -> bool {
        self.0.load(Acquire)
    }
}

impl Default for Settled {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for Settled {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl Epochs {
    /// Nothing has been purged.
    #[must_use]
    pub fn new() -> Self {
        let parts = (0..PARTS).map(|_| Part::new()).collect();
        Self { all: AtomicU64::new(0), parts, hasher: RandomState::new() }
    }

    /// The present count for `key`.
    pub fn mark<K: Hash + ?Sized>(&self, key: &K) -> Epoch {
        let hash = self.hasher.hash_one(key);
        let (all, purges) = (self.all.load(SeqCst), self.part(hash).purges.load(SeqCst));
        Epoch { all, hash, purges }
    }

    /// Whether the key has not been purged since.
    #[must_use]
    pub fn is_now(&self, epoch: Epoch) -> bool {
        let part = self.part(epoch.hash);
        self.all.load(SeqCst) == epoch.all
            && (part.purges.load(SeqCst) == epoch.purges || part.is_spared(epoch, &part.lock()))
    }

    /// Keeps what was fetched since `epoch`, unless there was a purge of its key before or while it was put; tells whether it is
    /// kept. `put` says whether there was room for it, `remove` takes it away again. Only when it is known to be kept it is
    /// settled and may be served, for it may be there for a moment though a purge is over.
    ///
    /// ```
    /// use std::{cell::RefCell, collections::HashMap};
    /// use tower_ballast_core::epochs::{Epochs, Settled};
    ///
    /// let (epochs, store) = (Epochs::new(), RefCell::new(HashMap::new()));
    /// let epoch = epochs.mark(&"key");
    /// let keep = |answer| {
    ///     let put = || store.borrow_mut().insert("key", answer).is_none();
    ///     epochs.keep(epoch, &Settled::new(), put, || drop(store.borrow_mut().remove("key")))
    /// };
    /// assert!(keep(1));
    ///
    /// epochs.purge(&"key");
    /// store.borrow_mut().remove("key");
    /// assert!(!keep(1));
    /// assert!(store.borrow().is_empty());
    /// ```
    pub fn keep(
        &self,
        epoch: Epoch,
        settled: &Settled,
        put: impl FnOnce() -> bool,
        remove: impl FnOnce(),
    ) -> bool {
        if !self.is_now(epoch) || !put() {
            return false;
        }
        // A purge that came meanwhile may have looked before it was there.
        let is_kept = self.is_now(epoch);
        if is_kept {
            settled.settle();
        } else {
            remove();
        }
        is_kept
    }

    /// Counts a purge of `key`; to be done before it is removed.
    pub fn purge<K: Hash + ?Sized>(&self, key: &K) {
        let hash = self.hasher.hash_one(key);
        let part = self.part(hash);
        part.purge(hash, &mut part.lock());
    }

    /// Counts a purge of the key of `epoch`, and gives the count after it if there was no other since then.
    #[must_use]
    pub fn purge_since(&self, epoch: Epoch) -> Option<Epoch> {
        let part = self.part(epoch.hash);
        let mut last = part.lock();
        let is_only = part.is_spared(epoch, &last);
        let purges = part.purge(epoch.hash, &mut last);
        (is_only && self.all.load(SeqCst) == epoch.all).then_some(Epoch { purges, ..epoch })
    }

    /// Counts a purge of any keys; to be done before they are removed.
    pub fn purge_all(&self) {
        self.all.fetch_add(1, SeqCst);
    }

    fn part(&self, hash: u64) -> &Part {
        &self.parts[usize::try_from(hash % PARTS as u64).unwrap_or(0)]
    }
}

impl Part {
    fn new() -> Self {
        Self { purges: AtomicU64::new(0), last: Mutex::new([0; REMEMBERED]) }
    }

    fn lock(&self) -> MutexGuard<'_, [u64; REMEMBERED]> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn purge(&self, hash: u64, last: &mut [u64; REMEMBERED]) -> u64 {
        let purges = self.purges.load(SeqCst);
        last[place(purges)] = hash;
        self.purges.store(purges + 1, SeqCst);
        purges + 1
    }

    /// Whether all purges since then are remembered, and were of other keys.
    fn is_spared(&self, epoch: Epoch, last: &[u64; REMEMBERED]) -> bool {
        let purges = self.purges.load(SeqCst);
        purges - epoch.purges <= REMEMBERED as u64
            && (epoch.purges..purges).all(|purge| last[place(purge)] != epoch.hash)
    }
}

fn place(purge: u64) -> usize {
    usize::try_from(purge % REMEMBERED as u64).unwrap_or(0)
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
    fn a_purge_of_few_keys_voids_no_answer_to_others() {
        let epochs = Epochs::new();
        let others: Vec<Epoch> = (0..1000).map(|key| epochs.mark(&key)).collect();
        for key in 1000..1008 {
            epochs.purge(&key);
        }
        assert!(others.iter().all(|epoch| epochs.is_now(*epoch)));
    }

    #[test]
    fn no_purge_of_the_key_is_forgotten() {
        let epochs = Epochs::new();
        let before = epochs.mark(&"key");
        epochs.purge(&"key");
        for key in 0..100_000 {
            assert!(!epochs.is_now(before), "after {key} others");
            epochs.purge(&key);
        }
    }
}
