//! The limits by key that stand before the common one.

use std::sync::OnceLock;

use tower_ballast_core::{Key, clock::Nanos};

use crate::key_limit::KeyLimit;

/// The most limits by key of one layer.
pub(crate) const MOST: usize = 4;

/// The keys of one request, for each of the limits.
pub(crate) type KeysOf = [Option<Key>; MOST];

pub(crate) const NO_KEYS: KeysOf = [None; MOST];

/// Limits that are taken together or not at all.
#[derive(Debug, Default)]
pub(crate) struct Levels([OnceLock<KeyLimit>; MOST]);

impl Levels {
    /// Adds a limit, and says as which.
    ///
    /// # Panics
    ///
    /// If there is no room: a limit that is lost and not missed is the worst of all.
    pub(crate) fn add(&self, mut limit: KeyLimit) -> usize {
        for (number, level) in self.0.iter().enumerate() {
            match level.set(limit) {
                Ok(()) => return number,
                Err(again) => limit = again,
            }
        }
        panic!(
            "a layer and its clones have at most {MOST} limits by key; `{}` is one too many",
            limit.name
        );
    }

    pub(crate) fn separate(&self) -> Self {
        let separate = Self::default();
        for (level, limit) in separate.0.iter().zip(self.iter()) {
            let _ = level.set(limit.separate());
        }
        separate
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &KeyLimit> {
        self.0.iter().map_while(OnceLock::get)
    }

    pub(crate) fn get(&self, level: usize) -> Option<&KeyLimit> {
        self.0.get(level)?.get()
    }

    /// Takes so much of all, or of none and says when it would be there.
    #[inline]
    pub(crate) fn take(&self, keys: &KeysOf, now: Nanos, cost: u32) -> Result<(), Nanos> {
        for (level, (key, limit)) in keys.iter().zip(self.iter()).enumerate() {
            if let Some(key) = key
                && let Err(moment) = limit.take(*key, now, cost)
            {
                self.give_back_first(level, keys, cost);
                return Err(moment);
            }
        }
        Ok(())
    }

    pub(crate) fn give_back(&self, keys: &KeysOf, cost: u32) {
        self.give_back_first(MOST, keys, cost);
    }

    pub(crate) fn charge(&self, keys: &KeysOf, now: Nanos, cost: u32) {
        for (key, limit) in keys.iter().zip(self.iter()) {
            if let Some(key) = key {
                limit.charge(*key, now, cost);
            }
        }
    }

    fn give_back_first(&self, levels: usize, keys: &KeysOf, cost: u32) {
        for (key, limit) in keys.iter().zip(self.iter()).take(levels) {
            if let Some(key) = key {
                limit.give_back(*key, cost);
            }
        }
    }
}

/// Reads the keys of a request. Made by
/// [`PriorityRateLimitLayer::per_key`](crate::PriorityRateLimitLayer::per_key).
pub trait Keys<R> {
    #[doc(hidden)]
    fn fill(&self, request: &R, keys: &mut [Option<Key>; MOST]);
}

/// No limits by key.
impl<R> Keys<R> for () {
    #[inline]
    fn fill(&self, _: &R, _: &mut KeysOf) {}
}

/// One more limit by key.
#[derive(Clone)]
pub struct PerKey<L, K> {
    pub(crate) others: L,
    pub(crate) key: K,
    pub(crate) level: usize,
}

impl<R, L, K> Keys<R> for PerKey<L, K>
where
    L: Keys<R>,
    K: Fn(&R) -> Option<Key>,
{
    #[inline]
    fn fill(&self, request: &R, keys: &mut KeysOf) {
        self.others.fill(request, keys);
        if let Some(place) = keys.get_mut(self.level) {
            *place = (self.key)(request);
        }
    }
}

impl<L: std::fmt::Debug, K> std::fmt::Debug for PerKey<L, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PerKey").field("others", &self.others).finish_non_exhaustive()
    }
}
