use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tower_ballast_core::{
    Key, Name, Standing,
    clock::{self, Nanos},
    keys::{KeyTable, Pace},
};

use crate::{Quota, exceptions::Exceptions};

/// A limit that every key has for itself: every client, tenant, plan or token.
///
/// It remembers up to `capacity` keys that have used their limit lately, in up to 20 bytes each, and
/// that is the most memory it ever takes. A key that has been quiet costs nothing. It is kept by the generic cell rate
/// algorithm.
///
/// The capacity has to be as many as new keys come in the time for which one owes: at 5 a minute a request is owed for 12
/// seconds, so 100 000 bear 8 000 new keys a second. If more come, the polite are refused as well as the others, at
/// twice as many 3 to 4 of 10; see [`KeyTable`](tower_ballast_core::keys#how-large-it-has-to-be).
///
/// ```
/// use tower_ballast_core::{Key, count};
/// use tower_ballast_rate_limit::{KeyLimit, PriorityRateLimitLayer, Quota};
///
/// struct Query {
///     tenant: u32,
///     plan: &'static str,
/// }
///
/// // Ten a second for a tenant, a hundred for all of a plan, a thousand for all.
/// let tenants = KeyLimit::new(100_000, Quota::per_second(count::<10>()))
///     .name("tenant")
///     .exception(Key::of(&7_u32), Quota::per_second(count::<50>()));
/// let plans = KeyLimit::new(10, Quota::per_second(count::<100>())).name("plan");
/// let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1000>()))
///     .per_key(tenants, |query: &Query| Some(Key::of(&query.tenant)))
///     .per_key(plans, |query: &Query| Some(Key::of(query.plan)));
/// # let _ = layer;
/// ```
///
/// # Tiers
///
/// A request without a key is not held to a limit, so what is known of the request can choose between limits: one for each
/// tier, up to four, each with a capacity of its own.
///
/// ```
/// use tower_ballast_core::{Key, count};
/// use tower_ballast_rate_limit::{KeyLimit, PriorityRateLimitLayer, Quota};
///
/// struct Query {
///     tenant: u32,
///     pays: bool,
/// }
///
/// let key = |query: &Query| Some(Key::of(&query.tenant));
/// let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1000>()))
///     .per_key(
///         KeyLimit::new(100_000, Quota::per_second(count::<5>())).name("free"),
///         move |query: &Query| key(query).filter(|_| !query.pays),
///     )
///     .per_key(
///         KeyLimit::new(10_000, Quota::per_second(count::<50>())).name("paid"),
///         move |query: &Query| key(query).filter(|_| query.pays),
///     );
/// # let _ = layer;
/// ```
#[derive(Debug)]
pub struct KeyLimit {
    pub(crate) name: Name,
    table: KeyTable,
    capacity: u32,
    quota: Mutex<Quota>,
    usual: Usual,
    exceptions: Exceptions,
}

impl KeyLimit {
    /// So much for each key, of which so many are remembered at one time (at most 8 388 608).
    #[must_use]
    pub fn new(capacity: u32, quota: Quota) -> Self {
        Self {
            name: Name::literal("key"),
            table: KeyTable::new(capacity),
            capacity,
            quota: Mutex::new(quota),
            usual: Usual::new(quota),
            exceptions: Exceptions::default(),
        }
    }

    /// What it is called where limits are told. Default: `key`.
    #[must_use]
    pub fn name(mut self, name: impl Into<Name>) -> Self {
        self.name = name.into();
        self
    }

    /// Another quota for one key. Each takes 32 bytes more, and the first of them 3 KiB.
    #[must_use]
    pub fn exception(self, key: Key, quota: Quota) -> Self {
        self.set_exception(key, Some(quota));
        self
    }

    pub(crate) fn separate(&self) -> Self {
        let exceptions = self.exceptions.separate();
        Self { exceptions, ..Self::new(self.capacity, *self.quota()).name(self.name.clone()) }
    }

    pub(crate) fn set_quota(&self, quota: Quota) {
        let mut current = self.quota();
        *current = quota;
        self.usual.set(quota);
    }

    pub(crate) fn set_exception(&self, key: Key, quota: Option<Quota>) {
        self.exceptions.set(key, quota);
    }

    /// The quota of a key.
    pub(crate) fn quota_of(&self, key: Key) -> Quota {
        self.exceptions.of(key).unwrap_or_else(|| *self.quota())
    }

    /// What is left to a key.
    pub(crate) fn standing(&self, key: Key, now: Nanos) -> Standing<'_> {
        let (quota, owed) = (self.quota_of(key), self.table.full_at(key).since(now));
        let interval = clock::nanos_in(quota.interval()).max(1);
        let used = clock::nanos_in(owed).div_ceil(interval);
        let burst = u64::from(quota.burst_size());
        // Of all that is owed, what is paid before there is one more.
        let rest = Duration::from_nanos(interval.saturating_mul(used.min(burst).saturating_sub(1)));
        Standing::new(&self.name, quota.count().into(), quota.period())
            .remaining(burst.saturating_sub(used))
            .reset(owed.saturating_sub(rest))
    }

    pub(crate) const fn table(&self) -> &KeyTable {
        &self.table
    }

    #[inline]
    pub(crate) fn take(&self, key: Key, now: Nanos, cost: u32) -> Result<(), Nanos> {
        self.table.take(key, now, self.pace_of(key), cost)
    }

    pub(crate) fn give_back(&self, key: Key, cost: u32) {
        self.table.give_back(key, self.pace_of(key), cost);
    }

    pub(crate) fn charge(&self, key: Key, now: Nanos, cost: u32) {
        self.table.charge(key, now, self.pace_of(key), cost);
    }

    #[inline]
    fn pace_of(&self, key: Key) -> Pace {
        let Some(quota) = self.exceptions.of(key) else { return self.usual.pace() };
        if quota.is_closed() {
            return Pace::new(self.usual.interval(), 0);
        }
        Pace::new(quota.interval(), quota.burst_size())
    }

    fn quota(&self) -> MutexGuard<'_, Quota> {
        self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The quota of most keys, read without a lock. Who reads while it changes may see half of each for
/// that one time. While it is closed the interval stays, by which debts are counted.
#[derive(Debug)]
struct Usual {
    interval: AtomicU64,
    burst: AtomicU32,
}

impl Usual {
    fn new(quota: Quota) -> Self {
        let usual = Self { interval: AtomicU64::new(0), burst: AtomicU32::new(0) };
        usual.set(quota);
        usual
    }

    fn set(&self, quota: Quota) {
        if !quota.is_closed() {
            self.interval.store(clock::nanos_in(quota.interval()), Relaxed);
        }
        self.burst.store(quota.burst_size(), Relaxed);
    }

    #[inline]
    fn pace(&self) -> Pace {
        Pace::new(self.interval(), self.burst.load(Relaxed))
    }

    #[inline]
    fn interval(&self) -> Duration {
        Duration::from_nanos(self.interval.load(Relaxed))
    }
}
