//! Who brings keys in takes turns.

use std::sync::PoisonError;

use crate::sync::{Mutex, MutexGuard, TURNS};

/// A lock for each 64th of the sets: two keys that share a set are brought in one after the other.
#[derive(Debug)]
pub(super) struct Turns([Mutex<()>; TURNS]);

/// Both sets of a key are one's own for as long.
pub(super) struct Turn<'a> {
    _first: MutexGuard<'a, ()>,
    _second: Option<MutexGuard<'a, ()>>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }

    pub(super) fn of(&self, sets: [u64; 2]) -> Turn<'_> {
        let [one, other] = sets.map(|set| usize::try_from(set % TURNS as u64).unwrap_or(0));
        // Always in the same order, so that no two wait for each other.
        let (first, second) = (one.min(other), one.max(other));
        Turn { _first: self.lock(first), _second: (first != second).then(|| self.lock(second)) }
    }

    fn lock(&self, at: usize) -> MutexGuard<'_, ()> {
        self.0[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
