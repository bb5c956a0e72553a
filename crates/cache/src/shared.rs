//! What all services of one layer share.

use std::{
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::time::Instant;
use tower_ballast_core::{
    BoxError, Event, EventKind, Random, Rejected, Reporter,
    clock::{self, Nanos},
    epochs::Epochs,
    flights::{Calls, Failure},
};

use crate::{
    entry::{Content, Entry, Kept, Standing, Stored},
    found::{Found, Since},
    settings::Settings,
    statistics::{Counts, Statistics},
    store::{Capacity, S3Fifo, Store},
    tier::{Second, Tiered},
};

/// How many entries are kept unless another capacity is set.
const CAPACITY: Capacity = Capacity::of_entries(10_000);
/// For how long it is remembered that answers for a key are not to be kept.
const PASSED: Duration = Duration::from_secs(60);

pub(crate) struct Shared<K, V> {
    store: OnceLock<Box<dyn Store<K, Stored<V>>>>,
    /// What was set before there was a store.
    capacity: Mutex<Option<Capacity>>,
    pub(crate) tier: OnceLock<Second<K, V>>,
    pub(crate) calls: Calls<K, V>,
    epochs: Epochs,
    pub(crate) settings: Settings<K, V>,
    pub(crate) counts: Counts,
    pub(crate) reporter: Arc<Reporter>,
    random: Random,
}

impl<K, V> Shared<K, V> {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self {
            store: OnceLock::new(),
            capacity: Mutex::new(None),
            tier: OnceLock::new(),
            calls: Calls::new(),
            epochs: Epochs::new(),
            settings: Settings::new(lifetime),
            counts: Counts::default(),
            reporter: Arc::new(Reporter::new("cache")),
            random: Random::new(),
        }
    }

    pub(crate) fn reseed(&self, seed: u64) {
        self.random.reseed(seed);
    }

    pub(crate) fn set_store(&self, store: Box<dyn Store<K, Stored<V>>>) {
        let capacity = self.capacity();
        let _ = self.store.get_or_init(|| {
            if let Some(capacity) = *capacity {
                store.resize(capacity);
            }
            store
        });
    }

    fn capacity(&self) -> MutexGuard<'_, Option<Capacity>> {
        self.capacity.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many answers are sent in place of a failure.
    pub(crate) fn tell_spared(&self) {
        self.counts.spared.fetch_add(1, Relaxed);
        self.reporter.tell(|| Event::new(EventKind::FellBack).reason("stale"));
    }

    pub(crate) fn tell_settings(&self, what: &'static str) {
        self.reporter.tell(|| Event::new(EventKind::SettingsChanged).reason(what));
    }
}

impl<K, V> Shared<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    pub(crate) fn store(&self) -> &dyn Store<K, Stored<V>> {
        match self.store.get() {
            Some(store) => &**store,
            None => self.first_store(),
        }
    }

    #[cold]
    fn first_store(&self) -> &dyn Store<K, Stored<V>> {
        // Made under this lock and nowhere else: no capacity is set between the look at it and the store.
        let capacity = self.capacity();
        &**self.store.get_or_init(|| Box::new(S3Fifo::new(capacity.unwrap_or(CAPACITY))))
    }

    /// Holds for the store that is there, or else for the one that comes.
    pub(crate) fn set_capacity(&self, capacity: Capacity) {
        let mut before = self.capacity();
        match self.store.get() {
            Some(store) => store.resize(capacity),
            None => *before = Some(capacity),
        }
    }

    /// Looks for what there is; `now` is asked if there is something.
    #[inline]
    pub(crate) fn find(&self, key: &K, now: impl Fn() -> Instant) -> Found<V> {
        let mut found = Found::Miss(None);
        self.store().look(key, &mut |stored| found = self.judge(stored, now()));
        found
    }

    /// What an entry is good for, with its value.
    #[inline]
    fn judge(&self, stored: &Stored<V>, now: Instant) -> Found<V> {
        let entry = &*stored.0;
        let standing = entry.standing(now, &self.settings.leniency, || self.random.unit());
        match (standing, &entry.content) {
            (Standing::Fresh, Content::Value(value)) => Found::Value(value.clone()),
            (Standing::Refresh, Content::Value(value)) => Found::Refresh(value.clone()),
            (Standing::Fresh | Standing::Refresh, Content::Failed(failure)) => {
                Found::Failed(Failure::clone(failure).into_error())
            }
            (Standing::Fresh | Standing::Refresh, Content::Passed) => Found::Pass,
            (Standing::Spare, _) => Found::Miss(Some(stored.clone())),
            (Standing::Over, _) => Found::Miss(None),
        }
    }

    /// The value of an entry that is good enough when the call has failed.
    pub(crate) fn spare(&self, entry: Option<&Stored<V>>) -> Option<V> {
        let entry = &*entry?.0;
        let Content::Value(value) = &entry.content else { return None };
        if !entry.is_good_if_error(clock::now(), &self.settings.leniency) {
            return None;
        }
        self.tell_spared();
        Some(value.clone())
    }

    /// Keeps a good answer as long as its lifetime says; tells whether it is to be kept at all.
    pub(crate) fn keep(&self, key: &K, value: &V, since: &Since) -> bool {
        let lifetime = match self.settings.lifetime_of.get() {
            Some(lifetime_of) => lifetime_of(key, value),
            None => Some(self.settings.lifetime.get()),
        };
        let kept = match lifetime {
            Some(lifetime) => {
                let lifetime = self.settings.shortened(lifetime, self.random.unit());
                self.put_second(key, value, lifetime, since);
                self.settings.measured(key, value.clone(), lifetime)
            }
            None => Kept::bare(Content::Passed, PASSED),
        };
        self.insert(key, kept, since);
        lifetime.is_some()
    }

    /// Remembers for a while that a call failed, if that is wanted. What a layer refused may go well the next time.
    pub(crate) fn keep_failure(&self, key: &K, error: &BoxError, since: &Since) {
        let lifetime = self.settings.negative.get();
        if lifetime.is_zero() || Rejected::find(&**error).is_some() || self.has_use(key) {
            return;
        }
        let kept = Kept::bare(Content::Failed(Box::new(Failure::of(&**error))), lifetime);
        self.insert(key, kept, since);
    }

    /// Whether there is an answer that is still good for something.
    fn has_use(&self, key: &K) -> bool {
        self.store().get(key).is_some_and(|stored| {
            let standing = stored.0.standing(clock::read(), &self.settings.leniency, || 1.0);
            matches!(stored.0.content, Content::Value(_)) && standing != Standing::Over
        })
    }

    /// Keeps a value that somebody has set by hand; tells whether there was room.
    pub(crate) fn set(&self, key: &K, value: V, lifetime: Duration) -> bool {
        self.invalidate(key);
        let (kept, now) = (self.settings.measured(key, value, lifetime), clock::now());
        let size = kept.size;
        let stored = Stored::new(kept, now, now);
        stored.0.settled.settle();
        let is_kept = self.store().put(key.clone(), stored, size);
        // One that began to be fetched meanwhile may be older.
        self.epochs.purge(key);
        self.calls.detach(key);
        is_kept
    }

    fn put_second(&self, key: &K, value: &V, lifetime: Duration, since: &Since) {
        if let (Some(tier), Some(asked)) = (self.tier.get(), since.asked)
            && let Some(fresh_until) = clock::wall().checked_add(lifetime)
            && self.epochs.is_now(since.epoch)
        {
            let tiered = Tiered { value: value.clone(), asked, fresh_until };
            tier.put(key, tiered, self.settings.tier_limit.get());
        }
    }

    /// What the second tier has, which is kept in the first one from now on.
    pub(crate) async fn find_second(&self, key: &K) -> Option<V> {
        let tier = self.tier.get()?;
        let since = self.since(key, clock::now());
        let (value, left) = tier.get(key, self.settings.tier_limit.get()).await?;
        let kept = self.settings.measured(key, value.clone(), left);
        self.insert(key, kept, &since);
        self.counts.tier_hits.fetch_add(1, Relaxed);
        Some(value)
    }

    /// The moment from which an answer is on its way.
    pub(crate) fn since(&self, key: &K, began: Nanos) -> Since {
        let asked = self.tier.get().map(|_| clock::wall());
        Since { epoch: self.epochs.mark(key), began, asked }
    }

    fn insert(&self, key: &K, kept: Kept<V>, since: &Since) {
        let size = kept.size;
        let stored = Stored::new(kept, since.began, clock::now());
        let put = || self.store().put(key.clone(), stored.clone(), size);
        let remove = || drop(self.store().remove(key));
        self.epochs.keep(since.epoch, &stored.0.settled, put, remove);
    }

    pub(crate) fn is_fresh(&self, key: &K, now: Nanos) -> bool {
        self.store().get(key).is_some_and(|stored| {
            let is_there = stored.0.settled.is_settled()
                && !stored.0.is_idle(now, self.settings.leniency.idle.get());
            matches!(stored.0.content, Content::Value(_))
                && now < stored.0.fresh_until()
                && is_there
        })
    }

    pub(crate) fn invalidate(&self, key: &K) -> bool {
        self.epochs.purge(key);
        self.calls.detach(key);
        if let Some(tier) = self.tier.get() {
            tier.remove(key, self.settings.tier_limit.get());
        }
        self.store().remove(key).is_some()
    }

    pub(crate) fn invalidate_if(&self, wanted: &dyn Fn(&K, &Entry<V>) -> bool) {
        self.purge_all();
        self.store().retain(&|key, stored| !wanted(key, &stored.0));
    }

    pub(crate) fn clear(&self) {
        self.purge_all();
        self.store().clear();
    }

    /// What the second tier has under a tag or a prefix cannot be known, so all of it is void.
    fn purge_all(&self) {
        self.epochs.purge_all();
        self.calls.detach_all();
        if let Some(tier) = self.tier.get() {
            tier.remove_all();
        }
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let in_flight = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        self.counts.statistics(in_flight, self.store().usage())
    }
}

impl<K, V> fmt::Debug for Shared<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("reporter", &self.reporter).finish_non_exhaustive()
    }
}
