//! The calls that may be joined, by key.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    mem,
    sync::{Arc, PoisonError},
};

use hashbrown::{HashTable, hash_table::Entry};

use super::flight::Flight;
use crate::sync::{Mutex, MutexGuard, stripes};

pub(super) struct Table<K, S, O> {
    stripes: Box<[Stripe<K, S, O>]>,
    hasher: RandomState,
}

type Stripe<K, S, O> = Mutex<HashTable<Listed<K, S, O>>>;

struct Listed<K, S, O> {
    hash: u64,
    key: K,
    flight: Arc<Flight<S, O>>,
}

impl<K, S, O> Table<K, S, O> {
    pub(super) fn new() -> Self {
        let stripes = (0..stripes()).map(|_| Mutex::new(HashTable::new())).collect();
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

    fn lock(&self, hash: u64) -> MutexGuard<'_, HashTable<Listed<K, S, O>>> {
        // A power of two; other bits choose within the stripe.
        lock(&self.stripes[(hash >> 48) as usize & (self.stripes.len() - 1)])
    }

    /// Takes a call that is over off the list, unless another one has its key by now.
    pub(super) fn unlist(&self, hash: u64, flight: &Arc<Flight<S, O>>) {
        let mut listed = self.lock(hash);
        let place = listed.find_entry(hash, |listed| Arc::ptr_eq(&listed.flight, flight));
        let over = place.ok().map(|place| place.remove().0);
        drop(listed);
        drop(over);
    }
}

impl<K: Eq + Hash, S, O> Table<K, S, O> {
    pub(super) fn hash(&self, key: &K) -> u64 {
        self.hasher.hash_one(key)
    }

    pub(super) fn remove(&self, key: &K) {
        let hash = self.hash(key);
        let mut listed = self.lock(hash);
        let place = listed.find_entry(hash, |listed| listed.hash == hash && listed.key == *key);
        let removed = place.ok().map(|place| place.remove().0);
        drop(listed);
        drop(removed);
    }
}

impl<K: Clone + Eq, S, O> Table<K, S, O> {
    /// The call for a key and the number of the caller who joins it; without one that can be joined, a new one.
    pub(super) fn join(&self, hash: u64, key: &K) -> (Arc<Flight<S, O>>, u64) {
        let mut listed = self.lock(hash);
        let is_for = |listed: &Listed<K, S, O>| listed.hash == hash && listed.key == *key;
        let begin = || {
            let flight = Arc::new(Flight::new());
            (Listed { hash, key: key.clone(), flight: Arc::clone(&flight) }, flight)
        };
        let (ended, flight) = match listed.entry(hash, is_for, |listed| listed.hash) {
            Entry::Occupied(mut known) => {
                if let Some(number) = known.get().flight.join() {
                    return (Arc::clone(&known.get().flight), number);
                }
                let (new, flight) = begin();
                (Some(mem::replace(known.get_mut(), new)), flight)
            }
            Entry::Vacant(place) => {
                let (new, flight) = begin();
                place.insert(new);
                (None, flight)
            }
        };
        drop(listed);
        drop(ended);
        (flight, Flight::<S, O>::FIRST)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Of a user run under a stripe's lock only comparison and clone of a key; a table that one of them has left by a
    // panic is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
