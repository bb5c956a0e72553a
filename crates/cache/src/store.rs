//! Where entries are kept, within a bound.

use std::fmt;

#[cfg(feature = "stores")]
pub use self::others::{Moka, Quick};
pub use self::{around::Around, capacity::Capacity, s3fifo::S3Fifo, usage::Usage};

mod around;
mod capacity;
#[cfg(feature = "stores")]
mod others;
mod s3fifo;
mod usage;

/// Keeps values by key within a [`Capacity`], and lets go of those that are wanted least.
///
/// It only bounds. When an entry is too old is the business of the cache, whose clock follows tokio's.
///
/// | store | lets go of | its bound holds |
/// |---|---|---|
/// | [`S3Fifo`] | what was not used again (S3-FIFO) | at every moment, for the whole |
/// | `Quick` (feature `stores`) | what was not used again (Clock-PRO) | at every moment but for those on their way, for each of its parts |
/// | `Moka` (feature `stores`) | what is seldom asked for, also before it came (W-TinyLFU) | a little later |
///
/// # Which finds most
///
/// Hit rates as shares of the best one, on traces made from seeds, with room for 4096 of 65 536 keys, as
/// `cargo test --release -p tower-ballast-cache --all-features hit_rates -- --nocapture` prints them. The shares of newcomers and of the memory of what went were chosen on these
/// very traces, so they show `S3Fifo` from its good side; the others have the settings they come with.
///
/// | trace | the best finds | `S3Fifo` | `Quick` | `Moka` | least recently used |
/// |---|---|---|---|---|---|
/// | Zipf 0.7 | 0.380 | 1.00 | 1.00 | 0.84 | 0.72 |
/// | Zipf 0.9 | 0.621 | 1.00 | 1.00 | 0.92 | 0.86 |
/// | Zipf 1.1 | 0.839 | 1.00 | 1.00 | 0.97 | 0.95 |
/// | Zipf 0.9, and a scan now and then | 0.466 | 1.00 | 1.00 | 0.89 | 0.77 |
/// | Zipf 0.9, ten times other keys | 0.535 | 0.97 | 0.97 | 1.00 | 0.98 |
/// | a loop over 1.5 times the room | 0.658 | 0.93 | 0.83 | 1.00 | 0.00 |
/// | what was asked for lately | 0.723 | 1.00 | 0.99 | 0.94 | 0.99 |
///
/// # Which is fastest
///
/// `cargo xtask bench` measures it beside `quick_cache` and moka themselves, each as a cache uses it: a look, and a put when
/// nothing is found. Its rows are these:
///
/// | what | `S3Fifo` | `quick_cache` | moka |
/// |---|---|---|---|
/// | found | `ballast store without lifetimes, hit` | `quick_cache without lifetimes, hit` | `moka, hit` |
/// | not found and put | `ballast store without lifetimes, miss and put` | `quick_cache without lifetimes, miss and put` | `moka, miss and put` |
///
/// moka looks at lifetimes at the same time; the others leave that to the cache.
///
/// To see what a cache does with its store, put [`Around`] around it.
///
/// ```
/// use tower_ballast_cache::store::{Capacity, S3Fifo, Store};
///
/// let store: Box<dyn Store<&str, u32>> = Box::new(S3Fifo::new(Capacity::mebibytes(1)));
/// assert!(store.put("answer", 42, 100));
/// assert_eq!(store.get(&"answer"), Some(42));
/// store.look(&"answer", &mut |value| assert_eq!(*value, 42));
/// assert!(!store.put("all there is to say", 0, 1024 * 1024), "there is no room for it");
/// assert_eq!(store.usage().entries, 1);
/// ```
pub trait Store<K, V>: Send + Sync {
    /// The value for `key`; it counts as used.
    fn get(&self, key: &K) -> Option<V>;

    /// Shows the value for `key` to `see`, if there is one; it counts as used. A store may do that under a lock, where the
    /// value lies: then threads that find the same one need not count who holds it. Default: shows what it [gets](Self::get).
    fn look(&self, key: &K, see: &mut dyn FnMut(&V)) {
        if let Some(value) = self.get(key) {
            see(&value);
        }
    }

    /// Keeps `value` in the place of an earlier one. `size` are the bytes that it and its key own elsewhere, on the heap; those
    /// of the two themselves a store knows. One for which there is no room is let go at once, and the
    /// earlier one with it.
    ///
    /// Tells whether it is kept.
    #[must_use = "there may be no room for it"]
    fn put(&self, key: K, value: V, size: usize) -> bool;

    /// The largest `size` that may be kept; zero where nothing is. Default: any.
    fn largest(&self) -> usize {
        usize::MAX
    }

    /// Lets go of the value for `key`.
    fn remove(&self, key: &K) -> Option<V>;

    /// Lets go of all for which `keep` says no. It looks at every entry, some at a time, and asks about copies of them
    /// without a lock. What is put meanwhile may be asked about or not.
    fn retain(&self, keep: &dyn Fn(&K, &V) -> bool);

    /// Lets go of all.
    fn clear(&self);

    /// Changes how much may be kept, if the store can do that.
    fn resize(&self, capacity: Capacity);

    /// How much is kept, and what was let go.
    fn usage(&self) -> Usage;
}

impl<K, V> fmt::Debug for dyn Store<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.usage()).finish()
    }
}
