//! Answers that can be read before they are kept.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::HeaderMap;

use crate::{engine::Entry, fill::Fill, identity::Identity};

const PARTS: usize = 16;

/// The answers whose bodies are on their way, by identity.
pub(crate) struct Progress {
    parts: [Mutex<HashMap<Identity, Vec<Coming>>>; PARTS],
    hasher: RandomState,
}

/// An answer whose body is on its way.
#[derive(Clone)]
pub(crate) struct Coming {
    pub(crate) entry: Arc<Entry>,
    pub(crate) fill: Arc<Fill>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let parts = std::array::from_fn(|_| Mutex::default());
        Self { parts, hasher: RandomState::new() }
    }

    /// The one for a request with such fields.
    pub(crate) fn find(&self, identity: &Identity, request: &HeaderMap) -> Option<Coming> {
        let part = self.part(identity.target());
        let found = part.get(identity)?.iter().rev().find(|coming| coming.entry.is_for(request));
        found.cloned()
    }

    /// Adds one, unless there was a purge since: whoever counts one after that look finds it here and lets go of it.
    pub(crate) fn add(&self, identity: Identity, coming: Coming, is_now: impl FnOnce() -> bool) {
        let mut part = self.part(identity.target());
        if is_now() {
            part.entry(identity).or_default().push(coming);
        }
    }

    pub(crate) fn remove(&self, identity: &Identity, entry: &Arc<Entry>) {
        let mut part = self.part(identity.target());
        let Some(list) = part.get_mut(identity) else { return };
        let at = list.iter().position(|coming| Arc::ptr_eq(&coming.entry, entry));
        let gone = at.map(|at| list.swap_remove(at));
        if list.is_empty() {
            part.remove(identity);
        }
        drop(part);
        drop(gone);
    }

    /// Nobody joins these any more.
    pub(crate) fn forget(&self, identity: &Identity) {
        let gone = self.part(identity.target()).remove(identity);
        drop(gone);
    }

    /// Nobody joins those of any key of the target any more. It looks at a part of what is on its way.
    pub(crate) fn forget_target(&self, target: &str) {
        let mut part = self.part(target);
        let gone: Vec<_> = part.extract_if(|identity, _| identity.target() == target).collect();
        drop(part);
        drop(gone);
    }

    /// Nobody joins any of them any more.
    pub(crate) fn forget_all(&self) {
        for part in &self.parts {
            let gone = std::mem::take(&mut *lock(part));
            drop(gone);
        }
    }

    fn part(&self, target: &str) -> MutexGuard<'_, HashMap<Identity, Vec<Coming>>> {
        let hash = self.hasher.hash_one(target);
        lock(&self.parts[usize::try_from(hash % PARTS as u64).unwrap_or(0)])
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing of a user runs under it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
