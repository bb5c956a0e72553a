//! Which keys have layers, and which make room for others.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tower_ballast_core::Key;

use super::handle::Statistics;

/// How many keys are looked at to make room for one.
const CANDIDATES: usize = 16;

type Worth<L> = Box<dyn Fn(&L) -> bool + Send + Sync>;

pub(super) struct Table<L> {
    bound: u32,
    kept: Mutex<Kept<L>>,
    /// For those that find no room.
    other: OnceLock<Arc<L>>,
    worth: OnceLock<Worth<L>>,
    forgotten: AtomicU64,
    shared: AtomicU64,
}

struct Kept<L> {
    places: HashMap<Key, Place<L>>,
    /// In this order keys are looked at when one has to go.
    order: VecDeque<Key>,
}

struct Place<L> {
    layers: Arc<L>,
    /// Whether it was asked for since it was looked at.
    used: bool,
}

impl<L> Table<L> {
    pub(super) fn new(bound: u32) -> Self {
        Self {
            bound,
            kept: Mutex::new(Kept { places: HashMap::new(), order: VecDeque::new() }),
            other: OnceLock::new(),
            worth: OnceLock::new(),
            forgotten: AtomicU64::new(0),
            shared: AtomicU64::new(0),
        }
    }

    pub(super) fn keep_if(&self, worth: impl Fn(&L) -> bool + Send + Sync + 'static) {
        let _ = self.worth.set(Box::new(worth));
    }

    /// The layers of a key, made if it is new.
    pub(super) fn layers(&self, key: Key, make: impl FnOnce() -> L) -> Arc<L> {
        if let Some(place) = self.lock().places.get_mut(&key) {
            place.used = true;
            return Arc::clone(&place.layers);
        }
        self.newcomer(key, make)
    }

    #[cold]
    fn newcomer(&self, key: Key, make: impl FnOnce() -> L) -> Arc<L> {
        if !self.has_room() && !self.make_room() {
            self.shared.fetch_add(1, Relaxed);
            return match self.other.get() {
                Some(other) => Arc::clone(other),
                None => self.other(Arc::new(make())),
            };
        }
        // Made without the lock, since it is the user's code.
        let layers = Arc::new(make());
        let mut kept = self.lock();
        let full = kept.places.len() >= self.bound as usize;
        match kept.places.entry(key) {
            Entry::Occupied(place) => return Arc::clone(&place.get().layers),
            // Others were quicker to take what room there was.
            Entry::Vacant(_) if full => {}
            Entry::Vacant(place) => {
                place.insert(Place { layers: Arc::clone(&layers), used: false });
                kept.order.push_back(key);
                return layers;
            }
        }
        drop(kept);
        self.shared.fetch_add(1, Relaxed);
        self.other(layers)
    }

    fn other(&self, layers: Arc<L>) -> Arc<L> {
        Arc::clone(self.other.get_or_init(|| layers))
    }

    fn has_room(&self) -> bool {
        self.lock().places.len() < self.bound as usize
    }

    /// Forgets a key that has no request in flight, was not asked for lately, and is not worth
    /// keeping, if there is one among the next candidates.
    fn make_room(&self) -> bool {
        for _ in 0..CANDIDATES {
            let Some(candidate) = self.candidate() else { return false };
            // Asked without the lock, since it is the user's code.
            let worth = self.worth.get().is_some_and(|worth| worth(&candidate.layers));
            if !worth && candidate.forget() {
                self.forgotten.fetch_add(1, Relaxed);
                return true;
            }
        }
        false
    }

    /// The next key that is idle, taken out of the order.
    fn candidate(&self) -> Option<Candidate<'_, L>> {
        let mut kept = self.lock();
        for _ in 0..CANDIDATES {
            let key = kept.order.pop_front()?;
            let place = kept.places.get_mut(&key)?;
            if !place.used && Arc::strong_count(&place.layers) == 1 {
                return Some(Candidate { table: self, key, layers: Arc::clone(&place.layers) });
            }
            place.used = false;
            kept.order.push_back(key);
        }
        None
    }

    pub(super) fn find(&self, key: Key) -> Option<Arc<L>> {
        self.lock().places.get(&key).map(|place| Arc::clone(&place.layers))
    }

    pub(super) fn all(&self) -> Vec<Arc<L>> {
        let mut all: Vec<_> =
            self.lock().places.values().map(|place| Arc::clone(&place.layers)).collect();
        all.extend(self.other.get().cloned());
        all
    }

    pub(super) fn statistics(&self) -> Statistics {
        Statistics {
            keys: self.lock().places.len(),
            bound: self.bound,
            forgotten: self.forgotten.load(Relaxed),
            shared: self.shared.load(Relaxed),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept<L>> {
        // Nothing of a user runs under this lock, and each change to it is whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key that may have to go; put back into the order unless it does.
struct Candidate<'a, L> {
    table: &'a Table<L>,
    key: Key,
    layers: Arc<L>,
}

impl<L> Candidate<'_, L> {
    /// Forgets it, unless somebody has asked for it meanwhile.
    fn forget(self) -> bool {
        let mut kept = self.table.lock();
        // The table's and ours.
        if Arc::strong_count(&self.layers) > 2 {
            return false;
        }
        let forgotten = kept.places.remove(&self.key);
        // What it held is dropped after the lock is released.
        drop(kept);
        forgotten.is_some()
    }
}

impl<L> Drop for Candidate<'_, L> {
    fn drop(&mut self) {
        let mut kept = self.table.lock();
        if kept.places.contains_key(&self.key) {
            kept.order.push_back(self.key);
        }
    }
}

impl<L> fmt::Debug for Table<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.statistics().keys, self.bound)
    }
}

#[cfg(test)]
mod tests;
