use std::fmt;

use super::{Capacity, Store, Usage};

type BeforePut<K> = Box<dyn Fn(&K) + Send + Sync>;
type AfterPut<K> = Box<dyn Fn(&K, bool) + Send + Sync>;
type BeforeRetain = Box<dyn Fn() + Send + Sync>;

/// Another store, and what is to be done around it: count, log, or let something happen in the midst of a test.
///
/// All else is passed on. What is done runs where the cache does it, so it must not take long.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering::Relaxed}};
/// use tower_ballast_cache::store::{Around, Capacity, S3Fifo, Store};
///
/// let refused = Arc::new(AtomicU64::new(0));
/// let counting = Arc::clone(&refused);
/// let store = Around::new(S3Fifo::<u32, String>::new(Capacity::of_bytes(1000)))
///     .after_put(move |_, is_kept| drop(counting.fetch_add(u64::from(!is_kept), Relaxed)));
/// assert!(store.put(1, "small".to_owned(), 5));
/// assert!(!store.put(2, "large".repeat(200), 1000));
/// assert_eq!(refused.load(Relaxed), 1);
/// ```
pub struct Around<K, S> {
    store: S,
    before_put: Option<BeforePut<K>>,
    after_put: Option<AfterPut<K>>,
    before_retain: Option<BeforeRetain>,
    largest: Option<usize>,
}

impl<K, S> Around<K, S> {
    /// Passes everything on.
    #[must_use]
    pub const fn new(store: S) -> Self {
        Self { store, before_put: None, after_put: None, before_retain: None, largest: None }
    }

    /// What is done before something is put for a key.
    #[must_use]
    pub fn before_put(self, before: impl Fn(&K) + Send + Sync + 'static) -> Self {
        Self { before_put: Some(Box::new(before)), ..self }
    }

    /// What is done after something was put for a key, and is kept or not.
    #[must_use]
    pub fn after_put(self, after: impl Fn(&K, bool) + Send + Sync + 'static) -> Self {
        Self { after_put: Some(Box::new(after)), ..self }
    }

    /// What is done before all that is kept is looked at.
    #[must_use]
    pub fn before_retain(self, before: impl Fn() + Send + Sync + 'static) -> Self {
        Self { before_retain: Some(Box::new(before)), ..self }
    }

    /// What it says of the largest size that may be kept. Default: what the other store says.
    #[must_use]
    pub fn largest(self, size: usize) -> Self {
        Self { largest: Some(size), ..self }
    }
}

impl<K, V, S> Store<K, V> for Around<K, S>
where
    K: Clone,
    S: Store<K, V>,
{
    fn get(&self, key: &K) -> Option<V> {
        self.store.get(key)
    }

    fn put(&self, key: K, value: V, size: usize) -> bool {
        if let Some(before) = &self.before_put {
            before(&key);
        }
        let Some(after) = &self.after_put else { return self.store.put(key, value, size) };
        let is_kept = self.store.put(key.clone(), value, size);
        after(&key, is_kept);
        is_kept
    }

    fn largest(&self) -> usize {
        self.largest.unwrap_or_else(|| self.store.largest())
    }

    fn remove(&self, key: &K) -> Option<V> {
        self.store.remove(key)
    }

    fn retain(&self, keep: &dyn Fn(&K, &V) -> bool) {
        if let Some(before) = &self.before_retain {
            before();
        }
        self.store.retain(keep);
    }

    fn clear(&self) {
        self.store.clear();
    }

    fn resize(&self, capacity: Capacity) {
        self.store.resize(capacity);
    }

    fn usage(&self) -> Usage {
        self.store.usage()
    }
}

impl<K, S: fmt::Debug> fmt::Debug for Around<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Around").field(&self.store).finish()
    }
}
