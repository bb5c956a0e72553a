#[cfg(test)]
mod tests;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tower_ballast_core::{
    Key, Name, Standing,
    clock::{self, Nanos},
    keys::{KeyTable, Pace},
};

use crate::{
    Quota,
    exceptions::Exceptions,
    tier::{PaceCell, Tier, Tiers},
};

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
/// The closure may say a [`Tier`] beside the key, and the quota of that tier is the key's. A tier without a quota of its
/// own has the usual one, and an [exception](Self::exception) for a single key comes before its tier. The key is the same
/// in every tier: who changes its plan goes on owing what it owed.
///
/// ```
/// use tower_ballast_core::{Key, count};
/// use tower_ballast_rate_limit::{KeyLimit, PriorityRateLimitLayer, Quota, Tier};
///
/// struct Query {
///     tenant: u32,
///     pays: bool,
/// }
///
/// const PAID: Tier = Tier::of::<1>();
///
/// let tenants = KeyLimit::new(100_000, Quota::per_second(count::<5>()))
///     .tier(PAID, Quota::per_second(count::<50>()));
/// let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1000>()))
///     .per_key(tenants, |query: &Query| {
///         Some((Key::of(&query.tenant), query.pays.then_some(PAID)))
///     });
/// layer.handle().set_tier_quota(0, PAID, Some(Quota::per_second(count::<80>())));
/// ```
///
/// # Guaranteed shares
///
/// A limit by key is a ceiling: it keeps a greedy client small, and what the others do not use is lost. A
/// [guaranteed](Self::guaranteed) one is a floor. It refuses nobody: within it a key passes also when the common
/// limit has nothing left, and beyond it the key borrows of what is spare, like anybody.
///
/// ```
/// use tower_ballast_core::{Key, count};
/// use tower_ballast_rate_limit::{KeyLimit, PriorityRateLimitLayer, Quota};
///
/// // Whatever the others do, a tenant has its eight a second; and of the thousand as much more as nobody else wants.
/// let share = KeyLimit::new(100_000, Quota::per_second(count::<8>())).guaranteed();
/// let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1000>()))
///     .per_key(share, |tenant: &u32| Some(Key::of(tenant)));
/// # let _ = layer;
/// ```
///
/// What passes so is charged to the common limit, and whoever borrows waits the longer for it:
///
/// - **The limit stays one.** In any time at most the limit's rate passes, and its burst twice: once by the limit, once
///   ahead of it. (By an [`Algorithm`](crate::gate::Algorithm) that counts in windows: what that lets through, and once the
///   rate and a burst ahead of it, for one window.) So keys that are invented can together take all of the limit and never
///   more: let the key be something that nobody can invent, such as a login.
/// - **A share is kept** while those that are in use sum to no more than the limit: their counts to its rate, their bursts
///   to its burst. Beyond that it is first come, first served among them. If clients are also
///   [promised a moment](crate#when-to-come-back), half of the burst is kept for shares.
/// - **Nothing spare is idle.** While somebody asks, all of the rate is used, whoever it is.
///
/// A request with a share stands above the [priorities](crate#whose-turn-it-is): it passes before a higher class that
/// waits, so let the shares of those who are in use leave room for that class. The share is looked at when a request
/// comes, not while it waits. Ceilings come first, and what they refuse costs no share. What costs more than the burst of
/// the share borrows; what costs more than the burst of the limit, or finds the limit closed, is refused as ever. An
/// outcome that is [settled](crate::PriorityRateLimitLayer::settle) is settled with the share too, unless it was borrowed.
#[derive(Debug)]
pub struct KeyLimit {
    pub(crate) name: Name,
    table: KeyTable,
    capacity: u32,
    quota: Mutex<Quota>,
    usual: PaceCell,
    tiers: Tiers,
    exceptions: Exceptions,
    /// It refuses nobody, and within it a key passes ahead of the common limit.
    pub(crate) is_share: bool,
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
            usual: PaceCell::new(quota),
            tiers: Tiers::default(),
            exceptions: Exceptions::default(),
            is_share: false,
        }
    }

    /// What it is called where limits are told. Default: `key`.
    #[must_use]
    pub fn name(mut self, name: impl Into<Name>) -> Self {
        self.name = name.into();
        self
    }

    /// Another quota for the keys of a [tier](Self#tiers).
    #[must_use]
    pub fn tier(self, tier: Tier, quota: Quota) -> Self {
        self.set_tier(tier, Some(quota));
        self
    }

    /// It refuses nobody, and [guarantees](Self#guaranteed-shares) each key its quota of the common limit. Default: it
    /// is a ceiling.
    #[must_use]
    pub fn guaranteed(mut self) -> Self {
        self.is_share = true;
        self
    }

    /// Another quota for one key. Each takes 32 bytes more, and the first of them 3 KiB.
    #[must_use]
    pub fn exception(self, key: Key, quota: Quota) -> Self {
        self.set_exception(key, Some(quota));
        self
    }

    pub(crate) fn separate(&self) -> Self {
        Self {
            tiers: self.tiers.separate(self.usual.interval()),
            exceptions: self.exceptions.separate(),
            is_share: self.is_share,
            ..Self::new(self.capacity, *self.quota()).name(self.name.clone())
        }
    }

    pub(crate) fn set_quota(&self, quota: Quota) {
        let mut current = self.quota();
        *current = quota;
        self.usual.set(quota, Duration::ZERO);
    }

    pub(crate) fn set_exception(&self, key: Key, quota: Option<Quota>) {
        self.exceptions.set(key, quota);
    }

    pub(crate) fn set_tier(&self, tier: Tier, quota: Option<Quota>) {
        self.tiers.set(tier, quota, self.usual.interval());
    }

    /// The quota of a key.
    pub(crate) fn quota_of(&self, key: Key, tier: Option<Tier>) -> Quota {
        let own = self.exceptions.of(key);
        own.or_else(|| self.tiers.quota(tier?)).unwrap_or_else(|| *self.quota())
    }

    /// What is left to a key.
    pub(crate) fn standing(&self, key: Key, tier: Option<Tier>, now: Nanos) -> Standing<'_> {
        let (quota, owed) = (self.quota_of(key, tier), self.table.full_at(key).since(now));
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
    pub(crate) fn take(
        &self,
        key: Key,
        tier: Option<Tier>,
        now: Nanos,
        cost: u32,
    ) -> Result<(), Nanos> {
        self.table.take(key, now, self.pace_of(key, tier), cost)
    }

    pub(crate) fn give_back(&self, key: Key, tier: Option<Tier>, cost: u32) {
        self.table.give_back(key, self.pace_of(key, tier), cost);
    }

    pub(crate) fn charge(&self, key: Key, tier: Option<Tier>, now: Nanos, cost: u32) {
        self.table.charge(key, now, self.pace_of(key, tier), cost);
    }

    #[inline]
    fn pace_of(&self, key: Key, tier: Option<Tier>) -> Pace {
        if let Some(quota) = self.exceptions.of(key) {
            let interval = if quota.is_closed() { self.usual.interval() } else { quota.interval() };
            return Pace::new(interval, quota.burst_size());
        }
        let own = tier.and_then(|tier| self.tiers.pace(tier));
        own.unwrap_or_else(|| self.usual.get())
    }

    fn quota(&self) -> MutexGuard<'_, Quota> {
        self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
