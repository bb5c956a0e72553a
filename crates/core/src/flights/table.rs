//! The calls that may be joined, by key.

use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState},
    mem,
    sync::{Arc, PoisonError},
};

use super::flight::Flight;
use crate::sync::{Mutex, MutexGuard, stripes};

pub(super) struct Table<K, S, O> {
    stripes: Box<[Stripe<K, S, O>]>,
    hasher: RandomState,
}

type Listed<K, S, O> = HashMap<Hashed<K>, Arc<Flight<S, O>>, BuildHasherDefault<Known>>;
type Stripe<K, S, O> = Mutex<Listed<K, S, O>>;

/// A key that is hashed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hashed<K> {
    // Compared first.
    hash: u64,
    pub(super) key: K,
}

/// The hash of a key that has one.
#[derive(Debug, Default)]
pub(super) struct Known(u64);

impl<K> Hash for Hashed<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hasher for Known {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a hashed key writes a number");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl<K, S, O> Table<K, S, O> {
    pub(super) fn new() -> Self {
        let stripes = (0..stripes()).map(|_| Mutex::new(HashMap::default())).collect();
        Self { stripes, hasher: RandomState::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.stripes.iter().map(|stripe| lock(stripe).len()).sum()
    }

    pub(super) fn clear(&self) {
        for stripe in &self.stripes {
            // Dropped without the lock, since it drops keys of a user.
            let _listed = mem::take(&mut *lock(stripe));
        }
    }

    fn lock(&self, hash: u64) -> MutexGuard<'_, Listed<K, S, O>> {
        // A power of two; other bits choose within the stripe.
        lock(&self.stripes[(hash >> 48) as usize & (self.stripes.len() - 1)])
    }
}

impl<K: Eq, S, O> Table<K, S, O> {
    pub(super) fn hashed(&self, key: K) -> Hashed<K>
    where
        K: Hash,
    {
        Hashed { hash: self.hasher.hash_one(&key), key }
    }

    /// The call for a key and the number of the caller who joins it; without one that can be joined, a new one.
    pub(super) fn join(&self, key: &Hashed<K>) -> (Arc<Flight<S, O>>, u64)
    where
        K: Clone,
    {
        let mut listed = self.lock(key.hash);
        if let Some(flight) = listed.get(key)
            && let Some(number) = flight.join()
        {
            return (Arc::clone(flight), number);
        }
        let flight = Arc::new(Flight::new());
        let ended = listed.insert(key.clone(), Arc::clone(&flight));
        drop(listed);
        drop(ended);
        (flight, Flight::<S, O>::FIRST)
    }

    /// Takes a call that is over off the list, unless another one has its key by now.
    pub(super) fn unlist(&self, key: &Hashed<K>, flight: &Arc<Flight<S, O>>) {
        let mut listed = self.lock(key.hash);
        let is_listed = listed.get(key).is_some_and(|other| Arc::ptr_eq(other, flight));
        let over = if is_listed { listed.remove_entry(key) } else { None };
        drop(listed);
        drop(over);
    }

    pub(super) fn remove(&self, key: &Hashed<K>) {
        let removed = self.lock(key.hash).remove_entry(key);
        drop(removed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Of a user run under a stripe's lock only comparison and clone of a key; a map that one of them has left by a
    // panic is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
