use std::{fmt, hash::Hash, sync::Arc, time::Duration};

use tower_ballast_core::{Key, clock};

use crate::{found::Found, shared::Shared, statistics::Statistics, store::Capacity};

/// Reads what is kept, changes it, and changes settings while requests run. Made by
/// [`CacheLayer::handle`](crate::CacheLayer::handle).
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_cache::{CacheHandle, CacheLayer};
///
/// let layer = CacheLayer::new(Duration::from_secs(60), |id: &u64| Some(*id));
/// let handle: CacheHandle<u64, &str> = layer.handle();
///
/// handle.set(7, "seven", Duration::from_secs(10));
/// assert_eq!(handle.get(&7), Some("seven"));
/// assert!(!handle.is_expired(&7));
///
/// assert!(handle.invalidate(&7));
/// assert_eq!(handle.get(&7), None);
/// ```
pub struct CacheHandle<K, V>(Arc<Shared<K, V>>);

impl<K, V> CacheHandle<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) const fn new(shared: Arc<Shared<K, V>>) -> Self {
        Self(shared)
    }

    /// The answer for `key`, if there is one that may be served now.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<V> {
        match self.0.find(key, clock::read) {
            Found::Value(value) | Found::Refresh(value) => Some(value),
            Found::Failed(_) | Found::Pass | Found::Miss(_) => None,
        }
    }

    /// Whether there is no answer for `key` that is fresh.
    #[must_use]
    pub fn is_expired(&self, key: &K) -> bool {
        !self.0.is_fresh(key, clock::now())
    }

    /// Keeps an answer for exactly so long, in the place of what is there or on its way, and tells whether there is room for it.
    /// In the second tier it is removed and not written.
    #[allow(clippy::needless_pass_by_value, reason = "as maps take it")]
    pub fn set(&self, key: K, value: V, lifetime: Duration) -> bool {
        self.0.set(&key, value, lifetime)
    }

    /// Lets go of the answer for `key`, and tells whether there was one. An answer that is on its way is given to those
    /// who wait for it, and not kept.
    pub fn invalidate(&self, key: &K) -> bool {
        self.0.invalidate(key)
    }

    /// Lets go of all answers whose key the closure wants to be gone. It looks at each entry.
    pub fn invalidate_if(&self, wanted: impl Fn(&K) -> bool) {
        self.0.invalidate_if(&|key, _| wanted(key));
    }

    /// Lets go of all answers that were given this tag. It looks at each entry.
    pub fn invalidate_tag(&self, tag: Key) {
        self.0.invalidate_if(&|_, entry| entry.tags.contains(&tag));
    }

    /// Lets go of all answers.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// Changes how much is kept; what is too much goes at once. A store of moka keeps the capacity that it was made with.
    pub fn set_capacity(&self, capacity: Capacity) {
        self.0.set_capacity(capacity);
        self.0.tell_settings("capacity");
    }

    /// Changes for how long the answers are kept that come from now on.
    pub fn set_lifetime(&self, lifetime: Duration) {
        self.0.settings.lifetime.set(lifetime);
        self.0.tell_settings("lifetime");
    }

    /// Changes for how long stale answers are served while they are renewed.
    pub fn set_stale_while_revalidate(&self, span: Duration) {
        self.0.settings.leniency.while_revalidating.set(span);
        self.0.tell_settings("stale_while_revalidate");
    }

    /// Changes for how long stale answers are served when renewing them fails.
    pub fn set_stale_if_error(&self, span: Duration) {
        self.0.settings.leniency.if_error.set(span);
        self.0.tell_settings("stale_if_error");
    }

    /// What it has done since it was made.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.0.statistics()
    }
}

impl<K, V> CacheHandle<K, V>
where
    K: AsRef<str> + Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Lets go of all answers whose key begins like that. It looks at each entry.
    pub fn invalidate_prefix(&self, prefix: &str) {
        self.invalidate_if(|key| key.as_ref().starts_with(prefix));
    }
}

impl<K, V> Clone for CacheHandle<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> fmt::Debug for CacheHandle<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CacheHandle").field(&self.0).finish()
    }
}
