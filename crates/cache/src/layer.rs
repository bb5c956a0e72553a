use std::{fmt, hash::Hash, sync::Arc, time::Duration};

use tower_ballast_core::{ByResult, Event, Key, Multiplier, Name, Observer, Ratio, Verdict};
use tower_layer::Layer;

use crate::{
    entry::Stored,
    handle::CacheHandle,
    service::Cache,
    shared::Shared,
    store::{Capacity, Store},
    tier::{Second, Tier},
};

/// Keeps the answers of a service by key.
///
/// All services made by one layer, and by its clones, share what is kept.
/// For a hit the answer is cloned while its part of the store has a shared lock: a large one is best kept in an `Arc`.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_cache::{CacheLayer, store::Capacity};
///
/// // Reads by path for a minute, in at most 64 MiB; what writes goes through.
/// let layer = CacheLayer::new(Duration::from_secs(60), |(method, path): &(&str, String)| {
///     (*method == "GET").then(|| path.clone())
/// })
/// .capacity(Capacity::mebibytes(64))
/// .size(|path, page: &String| path.len() + page.len())
/// .stale_if_error(Duration::from_secs(3600));
/// # let _ = layer;
/// ```
pub struct CacheLayer<F, K, V, C = ByResult> {
    shared: Arc<Shared<K, V>>,
    key: F,
    classify: C,
}

impl<F, K, V> CacheLayer<F, K, V> {
    /// Keeps each good answer for `lifetime`, under the key that the closure gives; a request without a key goes
    /// through. Whatever an answer depends on belongs in the key: the tenant, the language, the rights of who asks.
    #[must_use]
    pub fn new<R>(lifetime: Duration, key: F) -> Self
    where
        F: Fn(&R) -> Option<K>,
    {
        Self { shared: Arc::new(Shared::new(lifetime)), key, classify: ByResult }
    }
}

impl<F, K, V, C> CacheLayer<F, K, V, C>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// How much is kept. Default: 10 000 entries.
    #[must_use]
    pub fn capacity(self, capacity: Capacity) -> Self {
        self.shared.set_capacity(capacity);
        self
    }

    /// Where answers are kept. The first store stays. Default: [`S3Fifo`](crate::store::S3Fifo).
    #[must_use]
    pub fn store(self, store: impl Store<K, Stored<V>> + 'static) -> Self {
        self.shared.set_store(Box::new(store));
        self
    }

    /// How many bytes an answer takes, with its key. Asked once, when it is kept; the first closure stays. Default: the
    /// size of both types, which leaves out what they point to.
    #[must_use]
    pub fn size(self, size: impl Fn(&K, &V) -> usize + Send + Sync + 'static) -> Self {
        let _ = self.shared.settings.size_of.set(Box::new(size));
        self
    }

    /// For how long each answer is kept, in the place of one lifetime for all. `None`: it is for the one who asked
    /// alone, and for a minute nobody waits for an answer to the same key. The first closure stays.
    #[must_use]
    pub fn lifetime_of(
        self,
        lifetime: impl Fn(&K, &V) -> Option<Duration> + Send + Sync + 'static,
    ) -> Self {
        let _ = self.shared.settings.lifetime_of.set(Box::new(lifetime));
        self
    }

    /// By which tags an answer can be invalidated with others. The first closure stays. Default: none.
    #[must_use]
    pub fn tags(self, tags: impl Fn(&K, &V, &mut Vec<Key>) + Send + Sync + 'static) -> Self {
        let _ = self.shared.settings.tags_of.set(Box::new(tags));
        self
    }

    /// For how long an answer that is too old is still served at once, while one call renews it. Needs a
    /// tokio runtime. Default: not at all.
    #[must_use]
    pub fn stale_while_revalidate(self, span: Duration) -> Self {
        self.shared.settings.leniency.while_revalidating.set(span);
        self
    }

    /// For how long an answer that is too old is served when the call for a new one fails. Default: not at all.
    #[must_use]
    pub fn stale_if_error(self, span: Duration) -> Self {
        self.shared.settings.leniency.if_error.set(span);
        self
    }

    /// For how long an error is remembered and told without another call. Default: not at all.
    #[must_use]
    pub fn negative(self, span: Duration) -> Self {
        self.shared.settings.negative.set(span);
        self
    }

    /// For how long an answer is kept that nobody asks for. Zero is for its whole lifetime. Default: zero.
    #[must_use]
    pub fn idle(self, span: Duration) -> Self {
        self.shared.settings.leniency.idle.set(span);
        self
    }

    /// By which share lifetimes are shortened at random, so that what came together does not go together.
    /// Default: up to 10 %.
    #[must_use]
    pub fn spread(self, share: Ratio) -> Self {
        self.shared.settings.set_spread(share);
        self
    }

    /// Renews answers before they are too old, the likelier the nearer that is and the longer it takes: the rule
    /// `XFetch` of Vattani, Chierichetti and Lowenstein, "Optimal Probabilistic Cache Stampede Prevention" (2015),
    /// whose factor beta this is. Needs a tokio runtime. Default: not at all.
    #[must_use]
    pub fn early(self, factor: Multiplier) -> Self {
        self.shared.settings.leniency.set_early(factor);
        self
    }

    /// How long one waits for the call of another before it makes the call anew. [`Duration::MAX`] is for ever.
    /// Default: 10 seconds.
    #[must_use]
    pub fn longest_wait(self, limit: Duration) -> Self {
        self.shared.settings.longest_wait.set(limit);
        self
    }

    /// A second store behind the first. The first tier stays. Needs a tokio runtime. Default: none.
    #[must_use]
    pub fn tier(self, tier: impl Tier<K, V>) -> Self {
        let _ = self.shared.tier.set(Second::new(tier, &self.shared.reporter));
        self
    }

    /// How long an answer of the second tier is waited for, and a write to it. Default: 100 ms.
    #[must_use]
    pub fn tier_limit(self, limit: Duration) -> Self {
        self.shared.settings.tier_limit.set(limit);
        self
    }

    /// A handle that reads what is kept, changes it, and changes settings while requests run.
    #[must_use]
    pub fn handle(&self) -> CacheHandle<K, V> {
        CacheHandle::new(Arc::clone(&self.shared))
    }
}

impl<F, K, V, C> CacheLayer<F, K, V, C> {
    /// Which answers are good: only these are kept. Default: every `Ok`.
    #[must_use]
    pub fn classify<E, D>(self, classify: D) -> CacheLayer<F, K, V, D>
    where
        D: Fn(Result<&V, &E>) -> Verdict,
    {
        self.classify_with(classify)
    }

    /// The same by a type of one's own, a [`Classify`](tower_ballast_core::Classify).
    #[must_use]
    pub fn classify_with<D>(self, classify: D) -> CacheLayer<F, K, V, D> {
        CacheLayer { shared: self.shared, key: self.key, classify }
    }

    /// What it is called in events. Default: `cache`. The first name stays.
    #[must_use]
    pub fn name(self, name: impl Into<Name>) -> Self {
        self.shared.reporter.rename(name);
        self
    }

    /// Makes every draw repeatable: by how much lifetimes are shortened, and what is renewed early.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.shared.reseed(seed);
        self
    }

    /// Tells a closure when a stale answer stands in for a failure, of changed settings, and of panics of the second tier. The
    /// first observer stays.
    #[must_use]
    pub fn on_event<O>(self, on_event: O) -> Self
    where
        O: Fn(&Event<'_>) + Send + Sync + 'static,
    {
        self.observer(on_event)
    }

    /// Tells an observer the same. The first observer stays.
    #[must_use]
    pub fn observer<O: Observer + Send + Sync + 'static>(self, observer: O) -> Self {
        self.shared.reporter.observe_with(observer);
        self
    }
}

impl<F: Clone, K, V, C: Clone> Clone for CacheLayer<F, K, V, C> {
    fn clone(&self) -> Self {
        let (key, classify) = (self.key.clone(), self.classify.clone());
        Self { shared: Arc::clone(&self.shared), key, classify }
    }
}

impl<S, F: Clone, K, V, C: Clone> Layer<S> for CacheLayer<F, K, V, C> {
    type Service = Cache<S, F, K, V, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let (key, classify) = (self.key.clone(), self.classify.clone());
        Cache { inner, shared: Arc::clone(&self.shared), key, classify }
    }
}

impl<F, K, V, C> fmt::Debug for CacheLayer<F, K, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheLayer").field("shared", &self.shared).finish_non_exhaustive()
    }
}
