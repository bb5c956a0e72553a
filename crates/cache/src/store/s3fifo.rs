use std::{
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use tower_ballast_core::Ratio;

use self::{
    account::{Account, By},
    locked::{Gone, Locked},
    part::{BATCH, Entry, Part},
};
use super::{Capacity, Store, Usage, usage::Counts};

mod account;
mod ghosts;
mod locked;
mod part;
mod slab;
#[cfg(test)]
mod tests;

/// A part that has less than the average by no more than a hundredth makes room for itself: what goes elsewhere takes
/// another lock. It has to be far less than a part has for newcomers, or there is always room for proven ones.
const LITTLE: u64 = 100;
/// What the index and the memory of what was let go take for an entry at most, beside its place.
const INDEX: usize = 20;

/// A store that keeps what is used again, and lets go of what was wanted once (S3-FIFO). The default.
///
/// A newcomer has to be used before its turn comes to go, or to come back soon after. Then it belongs to the proven ones,
/// which are let go only to make room for others of them, the oldest first that was not used of late. So a run over
/// everything drives out nothing that is used.
///
/// Its bound holds at every moment: room is taken before an entry is kept, and however many parts it has, each with a lock of its
/// own, they share the room. One entry may take a [share](S3Fifo::largest_share) of the whole. What keys and values take
/// in the store, its index and its memory of those that went are part of the account, and given back as entries go: with
/// sizes that are told right, the heap stays within 1.15 times a bound in bytes. Hits take a shared
/// lock and allocate nothing.
///
/// ```
/// use tower_ballast_cache::store::{Capacity, S3Fifo, Store};
///
/// let store = S3Fifo::new(Capacity::of_entries(2));
/// for number in 0..3 {
///     assert!(store.put(number, "value", 0));
/// }
/// assert_eq!(store.usage().entries, 2);
/// assert_eq!(store.usage().evicted, 1);
/// ```
///
/// # Cost
///
/// A hit is one hash and one shared lock, a put one lock, mostly, in a full store too. Nothing of a user runs under a lock but
/// `Eq` of keys and `Clone` of what is found, and what [looks](Store::look) at it; what goes is dropped without one. The place of an entry that goes is a newcomer's,
/// or another one is moved into it. An empty store has at most 16 KiB, and there are up to 64 parts, each with up to 32 places more than it needs; how
/// many parts is decided by the capacity the store is made with.
///
/// # Source
///
/// Yang, Zhang, Qiu, Yue, Rashmi, "FIFO queues are all you need for cache eviction", SOSP 2023, with two changes that
/// measured better: a twentieth for newcomers instead of a tenth, and proven ones first while there is room.
pub struct S3Fifo<K, V, S = RandomState> {
    parts: Box<[Locked<K, V>]>,
    hasher: S,
    account: Account,
    counts: Counts,
    largest_share: Ratio,
    /// The part that is looked at next when another one has to let go.
    turn: AtomicUsize,
}

impl<K, V> S3Fifo<K, V> {
    /// An empty store, with a seeded hash.
    #[must_use]
    pub fn new(capacity: Capacity) -> Self {
        Self::with_hasher(capacity, RandomState::new())
    }
}

impl<K, V, S> S3Fifo<K, V, S> {
    /// An empty store that hashes by `hasher`. One without a secret seed lets clients that choose the keys slow it down.
    #[must_use]
    pub fn with_hasher(capacity: Capacity, hasher: S) -> Self {
        Self {
            parts: locked::parts(capacity),
            hasher,
            account: Account::new(capacity),
            counts: Counts::default(),
            largest_share: Ratio::percent::<25>(),
            turn: AtomicUsize::new(0),
        }
    }

    /// The share of the bytes that one entry may take; a larger one is refused. Default: a quarter.
    #[must_use]
    pub fn largest_share(mut self, share: Ratio) -> Self {
        self.largest_share = share;
        self
    }

    /// What an entry takes here beside what it owns elsewhere: its place, and its part of the index.
    const PLACE: usize = size_of::<slab::Slot<K, V>>() + INDEX;

    /// What an entry counts as, if it may be kept at all.
    fn charge(&self, size: usize) -> Option<u64> {
        let size = u64::try_from(size.saturating_add(Self::PLACE)).unwrap_or(u64::MAX);
        self.account.charge(size, self.largest_share.get())
    }

    /// The part of a hash, by bits that the index of the part does not look at first.
    #[inline]
    fn number(&self, hash: u64) -> usize {
        (hash >> 24) as usize & (self.parts.len() - 1)
    }

    /// What of the store a part has if all have the same.
    fn share(&self) -> (By, u64) {
        let (by, most) = self.account.by();
        (by, most / self.parts.len() as u64)
    }

    /// Whether a part has about as much as the others on the average, or more.
    fn is_rich(&self, part: &Part<K, V>, by: By) -> bool {
        let taken = self.account.taken(by);
        part.amount(by).saturating_mul(self.parts.len() as u64) >= taken - taken / LITTLE
    }

    /// Lets go of one entry of the next part that has its fair share; if all are poor, of the next that has any.
    fn evict_in_turn(&self) -> Option<Entry<K, V>> {
        let (by, share) = self.share();
        (0..2 * self.parts.len()).find_map(|looked_at| {
            let number = self.turn.fetch_add(1, Relaxed) & (self.parts.len() - 1);
            let mut part = self.parts[number].write();
            if looked_at < self.parts.len() && !self.is_rich(&part, by) {
                return None;
            }
            Some(self.went(part.evict(by, share)?, &self.counts.evicted))
        })
    }

    fn went(&self, entry: Entry<K, V>, why: &AtomicU64) -> Entry<K, V> {
        self.account.give(entry.bytes, 1);
        why.fetch_add(1, Relaxed);
        entry
    }
}

impl<K: Eq + Hash, V, S: BuildHasher> S3Fifo<K, V, S> {
    /// Keeps an entry if its part has room or can make it; it comes back if room has to be made elsewhere.
    fn try_put(&self, newcomer: Entry<K, V>) -> Result<(), Entry<K, V>> {
        let (by, share) = self.share();
        let (hash, bytes) = (newcomer.hash, newcomer.bytes);
        // What goes is dropped after the lock, since it was made before.
        let mut gone = Gone::new();
        let mut part = self.parts[self.number(hash)].write();
        loop {
            let known = part.find(hash, &newcomer.key).map(|(number, old)| (number, old.bytes));
            match known {
                Some((number, old)) if self.account.try_exchange(old, bytes) => {
                    self.counts.replaced.fetch_add(1, Relaxed);
                    gone.add(part.replace(number, newcomer));
                    return Ok(());
                }
                None if self.account.try_take(bytes, 1) => {
                    part.insert(newcomer, by, share);
                    return Ok(());
                }
                _ => {}
            }
            if !self.is_rich(&part, by) {
                return Err(newcomer);
            }
            let Some(number) = part.victim(by, share) else { return Err(newcomer) };
            if known.is_none() && self.account.try_take_over(part.bytes_of(number), bytes) {
                self.counts.evicted.fetch_add(1, Relaxed);
                gone.add(part.exchange(number, newcomer, by, share));
                return Ok(());
            }
            let Some(entry) = part.let_go(number) else { return Err(newcomer) };
            gone.add(self.went(entry, &self.counts.evicted));
        }
    }

    /// There is no room for what was to take the place of the entry.
    fn refuse(&self, key: &K) -> bool {
        self.counts.refused.fetch_add(1, Relaxed);
        self.take_out(key, &self.counts.replaced);
        false
    }

    fn take_out(&self, key: &K, why: &AtomicU64) -> Option<Entry<K, V>> {
        let hash = self.hasher.hash_one(key);
        let mut part = self.parts[self.number(hash)].write();
        let (number, _) = part.find(hash, key)?;
        Some(self.went(part.remove(number)?, why))
    }
}

impl<K, V, S> Store<K, V> for S3Fifo<K, V, S>
where
    K: Clone + Eq + Hash + Send + Sync,
    V: Clone + Send + Sync,
    S: BuildHasher + Send + Sync,
{
    #[inline]
    fn get(&self, key: &K) -> Option<V> {
        let mut copy = None;
        self.look(key, &mut |value| copy = Some(value.clone()));
        copy
    }

    #[inline]
    fn look(&self, key: &K, see: &mut dyn FnMut(&V)) {
        let hash = self.hasher.hash_one(key);
        let part = self.parts[self.number(hash)].read();
        if let Some((_, entry)) = part.find(hash, key) {
            entry.touch();
            see(&entry.value);
        }
    }

    fn put(&self, key: K, value: V, size: usize) -> bool {
        let Some(bytes) = self.charge(size) else { return self.refuse(&key) };
        let hash = self.hasher.hash_one(&key);
        let mut newcomer = Entry::new(key, value, hash, bytes);
        while let Err(back) = self.try_put(newcomer) {
            newcomer = back;
            if self.evict_in_turn().is_none() {
                // All room is taken by what is being put at this moment.
                return self.refuse(&newcomer.key);
            }
        }
        true
    }

    fn largest(&self) -> usize {
        match self.account.largest(self.largest_share.get()) {
            u64::MAX => usize::MAX,
            most => usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(Self::PLACE),
        }
    }

    fn remove(&self, key: &K) -> Option<V> {
        self.take_out(key, &self.counts.removed).map(|entry| entry.value)
    }

    fn retain(&self, keep: &dyn Fn(&K, &V) -> bool) {
        let mut batch = Vec::with_capacity(BATCH);
        for number in 0..self.parts.len() {
            let mut below = u32::MAX;
            loop {
                self.parts[number].read().copy_into(&mut batch, below);
                let Some(lowest) = batch.last() else { break };
                below = lowest.number;
                // Asked without the lock.
                batch.retain(|copy| !keep(&copy.key, &copy.value));
                let mut gone = Gone::new();
                let mut part = self.parts[number].write();
                for copy in &batch {
                    if let Some(entry) = part.remove_if_same(copy) {
                        gone.add(self.went(entry, &self.counts.removed));
                    }
                }
                drop(part);
                batch.clear();
            }
        }
    }

    fn clear(&self) {
        for number in 0..self.parts.len() {
            let part = std::mem::replace(&mut *self.parts[number].write(), Part::new());
            self.account.give(part.bytes(), part.entries());
            self.counts.removed.fetch_add(part.entries(), Relaxed);
        }
    }

    fn resize(&self, capacity: Capacity) {
        self.account.resize(capacity);
        while self.account.is_exceeded() && self.evict_in_turn().is_some() {}
    }

    fn usage(&self) -> Usage {
        Usage {
            entries: self.account.taken(By::Entries),
            bytes: self.account.taken(By::Bytes),
            ..self.counts.usage()
        }
    }
}

impl<K, V, S> fmt::Debug for S3Fifo<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Fifo").field("account", &self.account).finish_non_exhaustive()
    }
}
