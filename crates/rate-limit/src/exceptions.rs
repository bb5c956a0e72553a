//! Keys that have a quota of their own.

use std::sync::{
    OnceLock, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tower_ballast_core::Key;

use crate::Quota;

const SHARDS: usize = 64;

/// The quotas of single keys, of which most requests have none.
///
/// Which keys may have one is seen without a lock, by one bit of 4096: with forty exceptions one request in a
/// hundred looks in vain. Those who look share a lock with a 64th of the other exceptions. Without any
/// exception there is nothing but an empty place.
#[derive(Debug, Default)]
pub(crate) struct Exceptions(OnceLock<Box<[Shard]>>);

#[derive(Debug, Default)]
struct Shard {
    /// A bit is set if a key with that bit may be here.
    bits: AtomicU64,
    /// By key.
    quotas: RwLock<Vec<(Key, Quota)>>,
}

impl Exceptions {
    /// The quota of a key, if that is another than the usual one.
    #[inline]
    pub(crate) fn of(&self, key: Key) -> Option<Quota> {
        let shard = &self.0.get()?[shard(key)];
        if shard.bits.load(Relaxed) & bit(key) == 0 { None } else { shard.find(key) }
    }

    pub(crate) fn set(&self, key: Key, quota: Option<Quota>) {
        let shards = self.0.get_or_init(|| (0..SHARDS).map(|_| Shard::default()).collect());
        shards[shard(key)].set(key, quota);
    }

    pub(crate) fn separate(&self) -> Self {
        let separate = Self::default();
        for shard in self.0.get().into_iter().flatten() {
            for (key, quota) in &*shard.quotas.read().unwrap_or_else(PoisonError::into_inner) {
                separate.set(*key, Some(*quota));
            }
        }
        separate
    }
}

impl Shard {
    #[cold]
    fn find(&self, key: Key) -> Option<Quota> {
        let quotas = self.quotas.read().unwrap_or_else(PoisonError::into_inner);
        let place = place(&quotas, key).ok()?;
        Some(quotas[place].1)
    }

    fn set(&self, key: Key, quota: Option<Quota>) {
        let mut quotas = self.quotas.write().unwrap_or_else(PoisonError::into_inner);
        match (place(&quotas, key), quota) {
            (Ok(place), Some(quota)) => quotas[place].1 = quota,
            (Ok(place), None) => _ = quotas.remove(place),
            (Err(place), Some(quota)) => quotas.insert(place, (key, quota)),
            (Err(_), None) => {}
        }
        // After the quotas, under their lock: who sees the bit finds the quota.
        self.bits.store(quotas.iter().fold(0, |bits, (key, _)| bits | bit(*key)), Relaxed);
    }
}

fn place(quotas: &[(Key, Quota)], key: Key) -> Result<usize, usize> {
    quotas.binary_search_by_key(&key.get(), |(key, _)| key.get())
}

/// By other bits of the hash than a bit is.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "six bits are left")]
fn shard(key: Key) -> usize {
    (key.get() >> 58) as usize
}

#[inline]
fn bit(key: Key) -> u64 {
    1 << (key.get() & 63)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use proptest::prelude::*;

    use super::*;

    fn quota(count: u32) -> Quota {
        Quota::try_new("quota", count, Duration::from_secs(1)).unwrap()
    }

    proptest! {
        #[test]
        fn they_are_those_of_a_plain_map(
            steps in prop::collection::vec((0..200_u32, prop::option::of(0..9_u32)), 0..400),
        ) {
            let (exceptions, mut model) = (Exceptions::default(), HashMap::new());
            for (number, count) in steps {
                exceptions.set(Key::of(&number), count.map(quota));
                match count {
                    Some(count) => _ = model.insert(number, quota(count)),
                    None => _ = model.remove(&number),
                }
            }
            let separate = exceptions.separate();
            for number in 0..400 {
                let expected = model.get(&number).copied();
                prop_assert_eq!(exceptions.of(Key::of(&number)), expected);
                prop_assert_eq!(separate.of(Key::of(&number)), expected);
            }
        }
    }

    #[test]
    fn who_has_none_takes_no_lock() {
        let exceptions = Exceptions::default();
        for number in 0..40_u32 {
            exceptions.set(Key::of(&number), Some(Quota::CLOSED));
        }
        // All locks are held, and nobody who has no exception waits for one.
        let shards = exceptions.0.get().unwrap();
        let held: Vec<_> = shards.iter().map(|shard| shard.quotas.write().unwrap()).collect();
        let may_look = |key: Key| shards[shard(key)].bits.load(Relaxed) & bit(key) > 0;
        let others = (40..10_040_u32).map(|number| Key::of(&number));
        let (look, pass): (Vec<Key>, Vec<Key>) = others.partition(|key| may_look(*key));
        assert!(pass.into_iter().all(|key| exceptions.of(key).is_none()));
        assert!((1..250).contains(&look.len()), "{} of 10 000 look in vain", look.len());
        drop(held);
        exceptions.set(Key::of(&1_u32), None);
        assert!(exceptions.of(Key::of(&1_u32)).is_none());
    }
}
