//! A second store that is larger and slower, and may be down.

use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use tokio::runtime::Handle;
use tower_ballast_core::{Reporter, clock};

use self::caught::Caught;

mod caught;

/// What a tier is still doing.
pub type TierFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A second store behind the first: larger, slower, shared by several processes, such as Redis.
///
/// It is asked when the first store has nothing, before the service is, and is told what is kept. It does no harm when it is slow
/// or down: a question that takes longer than its limit is answered with nothing, what is to be written is written
/// beside the answer, and dropped when too much of that is under way. Errors are its own affair: nothing is there, nothing is
/// kept. So it is when it panics, which is told as an event.
///
/// ```
/// use std::{collections::HashMap, future::ready, sync::Mutex};
/// use tower_ballast_cache::{Tier, TierFuture, Tiered};
///
/// #[derive(Default)]
/// struct InMemory(Mutex<HashMap<u64, Tiered<String>>>);
///
/// impl Tier<u64, String> for InMemory {
///     fn get(&self, key: &u64) -> TierFuture<Option<Tiered<String>>> {
///         Box::pin(ready(self.0.lock().unwrap().get(key).cloned()))
///     }
///
///     fn put(&self, key: &u64, tiered: Tiered<String>) -> TierFuture<()> {
///         self.0.lock().unwrap().insert(*key, tiered);
///         Box::pin(ready(()))
///     }
///
///     fn remove(&self, key: &u64) -> TierFuture<()> {
///         self.0.lock().unwrap().remove(key);
///         Box::pin(ready(()))
///     }
/// }
/// # let _ = InMemory::default();
/// ```
pub trait Tier<K, V>: Send + Sync + 'static {
    /// What is kept for `key`.
    fn get(&self, key: &K) -> TierFuture<Option<Tiered<V>>>;

    /// Keeps an answer in the place of an earlier one, until its time is over.
    fn put(&self, key: &K, tiered: Tiered<V>) -> TierFuture<()>;

    /// Lets go of the answer for `key`.
    fn remove(&self, key: &K) -> TierFuture<()>;
}

/// An answer with its times, as another process can read them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiered<V> {
    /// The answer.
    pub value: V,
    /// When it was asked for. A purge that came later makes it void.
    pub asked: SystemTime,
    /// Until when it is fresh.
    pub fresh_until: SystemTime,
}

/// A tier with its limits.
pub(crate) struct Second<K, V> {
    tier: Arc<dyn Tier<K, V>>,
    reporter: Arc<Reporter>,
    writing: Arc<AtomicU32>,
    purges: Purges,
}

/// How much is written at a time.
const WRITES: u32 = 64;

impl<K: Hash + 'static, V: 'static> Second<K, V> {
    pub(crate) fn new(tier: impl Tier<K, V>, reporter: &Arc<Reporter>) -> Self {
        let (tier, reporter) = (Arc::new(tier), Arc::clone(reporter));
        Self { tier, reporter, writing: Arc::default(), purges: Purges::default() }
    }

    /// What is kept there and good, and for how much longer.
    pub(crate) async fn get(&self, key: &K, limit: Duration) -> Option<(V, Duration)> {
        let answer = tokio::time::timeout(limit, Caught::begin(|| self.tier.get(key))).await;
        let there = answer.ok()?.unwrap_or_else(|panic| {
            panic.tell(&self.reporter, "tier_get");
            None
        });
        let Tiered { value, asked, fresh_until } = there?;
        let left = fresh_until.duration_since(clock::wall()).ok()?;
        // It may have been written after the purge, or never been removed.
        (!left.is_zero() && !self.purges.are_since(key, asked)).then_some((value, left))
    }

    pub(crate) fn put(&self, key: &K, tiered: Tiered<V>, limit: Duration) {
        if !self.purges.are_since(key, tiered.asked) {
            self.write("tier_put", limit, |tier| tier.put(key, tiered));
        }
    }

    pub(crate) fn remove(&self, key: &K, limit: Duration) {
        self.purges.purge(key);
        self.write("tier_remove", limit, |tier| tier.remove(key));
    }

    /// All that is there is void; what nobody asks for stays until its time is over.
    pub(crate) fn remove_all(&self) {
        self.purges.purge_all();
    }

    /// Writes beside whatever else is done, unless too much is being written.
    fn write(
        &self,
        what: &'static str,
        limit: Duration,
        begin: impl FnOnce(&dyn Tier<K, V>) -> TierFuture<()>,
    ) {
        let Ok(runtime) = Handle::try_current() else { return };
        let Some(writing) = Writing::begin(&self.writing) else { return };
        let write = Caught::begin(|| begin(&*self.tier));
        let reporter = Arc::clone(&self.reporter);
        drop(runtime.spawn(async move {
            if let Ok(Err(panic)) = tokio::time::timeout(limit, write).await {
                panic.tell(&reporter, what);
            }
            drop(writing);
        }));
    }
}

/// One of the writes that are under way.
struct Writing(Arc<AtomicU32>);

impl Writing {
    fn begin(writing: &Arc<AtomicU32>) -> Option<Self> {
        let begun = Self(Arc::clone(writing));
        (writing.fetch_add(1, Relaxed) < WRITES).then_some(begun)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// When keys were last purged, by parts of their hashes.
struct Purges {
    parts: Mutex<[SystemTime; 64]>,
    hasher: RandomState,
}

impl Default for Purges {
    fn default() -> Self {
        let parts = Mutex::new([SystemTime::UNIX_EPOCH; 64]);
        Self { parts, hasher: RandomState::new() }
    }
}

impl Purges {
    fn are_since<K: Hash>(&self, key: &K, asked: SystemTime) -> bool {
        asked <= self.with(|parts| parts[self.part(key)])
    }

    fn purge<K: Hash>(&self, key: &K) {
        let part = self.part(key);
        self.with(|parts| parts[part] = clock::wall());
    }

    fn purge_all(&self) {
        self.with(|parts| *parts = [clock::wall(); 64]);
    }

    fn part<K: Hash>(&self, key: &K) -> usize {
        usize::try_from(self.hasher.hash_one(key) % 64).unwrap_or(0)
    }

    fn with<T>(&self, with: impl FnOnce(&mut [SystemTime; 64]) -> T) -> T {
        with(&mut self.parts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<K, V> fmt::Debug for Second<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Second").field("writing", &self.writing).finish_non_exhaustive()
    }
}
