//! Where entries are kept, within a bound.

use std::fmt;

pub use self::{capacity::Capacity, quick::Quick, usage::Usage};

mod capacity;
#[cfg(feature = "moka")]
mod moka;
mod quick;
#[cfg(test)]
mod tests;
mod usage;

#[cfg(feature = "moka")]
pub use self::moka::Moka;

/// What is added to the size of each entry for what a store keeps besides it: links, hash and counts.
pub(crate) const OVERHEAD: usize = 64;

/// Keeps values by key within a [`Capacity`], and lets go of those that are wanted least.
///
/// It only bounds. When an entry is too old is the business of the cache, whose clock follows tokio's.
///
/// | store | lets go by | |
/// |---|---|---|
/// | [`Quick`] | how often and how lately, S3-FIFO alike (Clock-PRO) | the default |
/// | `Moka` (feature `moka`) | how often, by a sketch, and how lately (W-TinyLFU) | bounded with a delay |
///
/// ```
/// use tower_ballast_cache::store::{Capacity, Quick, Store};
///
/// let store: Box<dyn Store<&str, u32>> = Box::new(Quick::new(Capacity::mebibytes(1)));
/// store.put("answer", 42, 100);
/// assert_eq!(store.get(&"answer"), Some(42));
/// assert_eq!(store.usage().entries, 1);
/// ```
pub trait Store<K, V>: Send + Sync {
    /// The value for `key`; it counts as used.
    fn get(&self, key: &K) -> Option<V>;

    /// Keeps `value`, which with its key takes `size` bytes, in the place of an earlier one. One that is
    /// larger than a store may keep is let go at once, and the earlier one with it.
    fn put(&self, key: K, value: V, size: usize);

    /// Lets go of the value for `key`.
    fn remove(&self, key: &K) -> Option<V>;

    /// Lets go of all for which `keep` says no. It looks at every entry, one part of the store after
    /// the other, each under its lock.
    fn retain(&self, keep: &dyn Fn(&K, &V) -> bool);

    /// Lets go of all.
    fn clear(&self);

    /// Changes how much may be kept.
    fn resize(&self, capacity: Capacity);

    /// How much is kept, and what was let go.
    fn usage(&self) -> Usage;
}

impl<K, V> fmt::Debug for dyn Store<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Store").field(&self.usage()).finish()
    }
}
