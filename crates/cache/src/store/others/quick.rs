use std::{
    fmt,
    hash::{Hash, RandomState},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
};

use quick_cache::{Lifecycle, OptionsBuilder, Weighter, sync::Cache};

use super::weights::{Weights, charge};
use crate::store::{Capacity, Store, Usage, usage::Counts};

/// How many parts there are at most; how large one is at least, and how many entries it has at least.
const PARTS: u64 = 16;
const PART_BYTES: u64 = 4 * 1024 * 1024;
const PART_ENTRIES: u64 = 256;
/// Entries are guessed to be so large, for the memory of those that were let go.
const GUESS: u64 = 1024;
/// The share of a part that is for entries which are used often.
const OFTEN_USED: f64 = 0.97;

/// A store that lets go of what was used seldom and long ago (Clock-PRO): `quick_cache`.
///
/// It keeps its bound at every moment, but for one entry that each thread may have on its way, and allocates nothing before entries come. It has up to 16 parts, each with a
/// lock of its own and its part of the capacity, at least 4 MiB or 256 entries; one entry may take nearly all that a part has. Hits take a
/// shared lock. Hashes are seeded.
///
/// ```
/// use tower_ballast_cache::store::{Capacity, Quick, Store};
///
/// let store = Quick::new(Capacity::of_entries(2));
/// for number in 0..3 {
///     assert!(store.put(number, "value", 0));
/// }
/// assert_eq!(store.usage().entries, 2);
/// ```
pub struct Quick<K, V> {
    cache: Cache<K, Kept<V>, Weigh, RandomState, Watch>,
    counts: Arc<Counts>,
    weights: Mutex<Weights>,
}

/// A value with what it was counted as when it came.
#[derive(Clone)]
struct Kept<V> {
    value: V,
    bytes: u64,
    weight: u64,
}

#[derive(Clone)]
struct Weigh;

#[derive(Clone)]
struct Watch(Arc<Counts>);

impl<K: Eq + Hash, V: Clone> Quick<K, V> {
    /// An empty store.
    #[must_use]
    pub fn new(capacity: Capacity) -> Self {
        Self::with_largest(capacity, 0)
    }

    /// An empty store in which entries up to so many bytes have room, if the capacity has: it has the fewer parts
    /// the larger they are.
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "both capacities are set")]
    pub fn with_largest(capacity: Capacity, bytes: u64) -> Self {
        let weights = capacity.weights();
        let part = PART_BYTES.max(bytes.saturating_mul(2));
        let by_bytes = capacity.bytes().map_or(PARTS, |bytes| bytes / part);
        let by_entries = capacity.entries().map_or(PARTS, |entries| entries / PART_ENTRIES);
        let parts = by_bytes.min(by_entries).clamp(1, PARTS);
        let parts = 1 << parts.ilog2();
        let guess = capacity.bytes().map_or(u64::MAX, |bytes| bytes / GUESS);
        let guess = guess.min(capacity.entries().unwrap_or(u64::MAX)).max(parts * PART_ENTRIES);
        let options = OptionsBuilder::new()
            .shards(usize::try_from(parts).unwrap_or(1))
            .estimated_items_capacity(usize::try_from(guess).unwrap_or(usize::MAX))
            .weight_capacity(whole(weights.limit, parts))
            .hot_allocation(OFTEN_USED)
            .build()
            .expect("both capacities are set");
        let counts = Arc::<Counts>::default();
        let watch = Watch(Arc::clone(&counts));
        let cache = Cache::with_options(options, Weigh, RandomState::new(), watch);
        Self { cache, counts, weights: Mutex::new(weights) }
    }

    fn keep(&self, key: K, value: V, bytes: u64) -> bool {
        let (weight, counts) = (self.weights().of(bytes), &self.counts);
        if weight > largest(self.cache.shard_capacity()) {
            counts.refused.fetch_add(1, Relaxed);
            if let Some((_, old)) = self.cache.remove(&key) {
                counts.went(old.bytes, &counts.replaced);
            }
            return false;
        }
        counts.came(bytes);
        // What goes is dropped without the lock, with this.
        let mut gone = Vec::new();
        let kept = Kept { value, bytes, weight };
        match self.cache.replace_with_lifecycle(key, kept, false, &mut gone) {
            Ok(()) => {
                // The one in whose place it came was counted as all that go.
                counts.evicted.fetch_sub(1, Relaxed);
                counts.replaced.fetch_add(1, Relaxed);
            }
            Err((key, kept)) => self.cache.insert_with_lifecycle(key, kept, &mut gone),
        }
        true
    }

    fn weights(&self) -> Weights {
        *self.weights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, V> Store<K, V> for Quick<K, V>
where
    K: Clone + Eq + Hash + Send + Sync,
    V: Clone + Send + Sync,
{
    fn get(&self, key: &K) -> Option<V> {
        self.cache.get(key).map(|kept| kept.value)
    }

    fn put(&self, key: K, value: V, size: usize) -> bool {
        self.keep(key, value, charge::<K, V>(size))
    }

    fn largest(&self) -> usize {
        self.weights().largest::<K, V>(largest(self.cache.shard_capacity()))
    }

    fn remove(&self, key: &K) -> Option<V> {
        let (_, kept) = self.cache.remove(key)?;
        self.counts.went(kept.bytes, &self.counts.removed);
        Some(kept.value)
    }

    fn retain(&self, keep: &dyn Fn(&K, &V) -> bool) {
        // Its values are asked without the lock.
        for (key, kept) in self.cache.iter() {
            if !keep(&key, &kept.value) {
                self.remove(&key);
            }
        }
    }

    fn clear(&self) {
        self.retain(&|_, _| false);
    }

    fn resize(&self, capacity: Capacity) {
        let weights = capacity.weights();
        let parts = u64::try_from(self.cache.num_shards()).unwrap_or(1);
        let mut present = self.weights.lock().unwrap_or_else(PoisonError::into_inner);
        let weigh_anew = !present.weigh_like(weights);
        *present = weights;
        drop(present);
        self.cache.set_capacity(whole(weights.limit, parts));
        if weigh_anew {
            for (key, kept) in self.cache.iter() {
                self.keep(key, kept.value, kept.bytes);
            }
        }
    }

    fn usage(&self) -> Usage {
        self.counts.usage()
    }
}

/// So much that it can be divided into equal parts.
const fn whole(limit: u64, parts: u64) -> u64 {
    limit - limit % parts
}

/// What one entry may weigh where a part holds so much: what frequently used entries may take.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "as the cache computes it"
)]
fn largest(part: u64) -> u64 {
    ((part as f64 * OFTEN_USED) as u64).clamp(part.min(1), part)
}

impl<K, V> Weighter<K, Kept<V>> for Weigh {
    fn weight(&self, _: &K, kept: &Kept<V>) -> u64 {
        kept.weight
    }
}

impl<K, V> Lifecycle<K, Kept<V>> for Watch {
    type RequestState = Vec<(K, Kept<V>)>;

    fn on_evict(&self, gone: &mut Self::RequestState, key: K, kept: Kept<V>) {
        self.0.went(kept.bytes, &self.0.evicted);
        gone.push((key, kept));
    }
}

impl<K, V> fmt::Debug for Quick<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quick").field("usage", &self.counts.usage()).finish_non_exhaustive()
    }
}
