use std::{
    fmt,
    hash::Hash,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use moka::{notification::RemovalCause, sync::Cache};

use super::weights::{Weights, charge};
use crate::store::{Capacity, Store, Usage, usage::Counts};

/// A store that lets go by how often an entry was wanted, also before it came (W-TinyLFU): moka.
///
/// It decides and counts a little after the fact, so it may keep more than its capacity for a moment, and let go of what it said it
/// keeps. Its capacity cannot be
/// changed while it runs: [`resize`](Store::resize) does nothing. A single entry may take up to 4 GiB.
///
/// ```
/// use tower_ballast_cache::store::{Capacity, Moka, Store};
///
/// let store = Moka::new(Capacity::mebibytes(64));
/// assert!(store.put("answer", 42, 100));
/// assert_eq!(store.get(&"answer"), Some(42));
/// ```
pub struct Moka<K, V> {
    cache: Cache<K, (V, u64)>,
    counts: Arc<Counts>,
    weights: Weights,
}

impl<K, V> Moka<K, V>
where
    K: Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// An empty store.
    #[must_use]
    pub fn new(capacity: Capacity) -> Self {
        let weights = capacity.weights();
        let counts = Arc::<Counts>::default();
        let watch = Arc::clone(&counts);
        let cache = Cache::builder()
            .max_capacity(weights.limit)
            .weigher(move |_, (_, bytes)| u32::try_from(weights.of(*bytes)).unwrap_or(u32::MAX))
            .eviction_listener(move |_, (_, bytes): (V, u64), cause| {
                let why = match cause {
                    RemovalCause::Replaced => &watch.replaced,
                    RemovalCause::Explicit => &watch.removed,
                    RemovalCause::Size | RemovalCause::Expired => &watch.evicted,
                };
                watch.went(bytes, why);
            })
            .build();
        Self { cache, counts, weights }
    }
}

impl<K, V> Store<K, V> for Moka<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn get(&self, key: &K) -> Option<V> {
        self.cache.get(key).map(|(value, _)| value)
    }

    fn put(&self, key: K, value: V, size: usize) -> bool {
        let bytes = charge::<K, V>(size);
        if self.weights.of(bytes) > self.weights.limit {
            self.counts.refused.fetch_add(1, Relaxed);
            self.cache.invalidate(&key);
            return false;
        }
        self.counts.came(bytes);
        self.cache.insert(key, (value, bytes));
        true
    }

    fn largest(&self) -> usize {
        self.weights.largest::<K, V>(self.weights.limit)
    }

    fn remove(&self, key: &K) -> Option<V> {
        self.cache.remove(key).map(|(value, _)| value)
    }

    fn retain(&self, keep: &dyn Fn(&K, &V) -> bool) {
        for (key, (value, _)) in &self.cache {
            if !keep(&key, &value) {
                self.cache.invalidate(&*key);
            }
        }
    }

    fn clear(&self) {
        self.retain(&|_, _| false);
    }

    fn resize(&self, _: Capacity) {}

    fn usage(&self) -> Usage {
        self.cache.run_pending_tasks();
        self.counts.usage()
    }
}

impl<K, V> fmt::Debug for Moka<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Moka").field("usage", &self.counts.usage()).finish_non_exhaustive()
    }
}
