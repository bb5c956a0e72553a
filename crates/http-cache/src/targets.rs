//! How all that is kept for a target is let go of at once, where fields of requests are part of the key.
//!
//! Then many identities have one target, and to look for them would be to look at everything. So a target has a root in the
//! store, with a number of its own, and what is kept for one of its identities bears that number. Where the two differ, or
//! the root is gone, nothing is kept.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use crate::{
    identity::Identity,
    resource::{Resource, Stored},
    shared::Shared,
};

const PARTS: usize = 256;

/// Numbers for roots and for calls.
#[derive(Debug)]
pub(crate) struct Targets {
    roots: AtomicU64,
    /// How often targets were purged, in parts by their hash.
    purges: [AtomicU64; PARTS],
    hasher: RandomState,
}

impl Targets {
    pub(crate) fn new() -> Self {
        Self {
            roots: AtomicU64::new(0),
            purges: std::array::from_fn(|_| AtomicU64::new(0)),
            hasher: RandomState::new(),
        }
    }

    /// The number of another root.
    pub(crate) fn another(&self) -> u64 {
        self.roots.fetch_add(1, SeqCst) + 1
    }

    /// Nobody joins a call for the target any more that was begun before.
    pub(crate) fn purge(&self, target: &str) {
        self.purges(target).fetch_add(1, SeqCst);
    }

    /// The name of a call for the target that is begun now.
    pub(crate) fn call(&self, target: &str, name: &str) -> Arc<str> {
        format!("{name}\n{}", self.purges(target).load(SeqCst)).into()
    }

    fn purges(&self, target: &str) -> &AtomicU64 {
        let part = self.hasher.hash_one(target) % PARTS as u64;
        &self.purges[usize::try_from(part).unwrap_or(0)]
    }
}

impl Shared {
    /// Whether a target may have several identities.
    pub(crate) fn has_roots(&self) -> bool {
        !self.settings.keyed().is_empty()
    }

    /// The number of the root of a target, if it has one.
    pub(crate) fn root(&self, target: &str) -> Option<u64> {
        self.store().get(&Identity::root(target)).map(|root| root.0.of_root())
    }

    /// The root of a target, to which something is about to belong.
    pub(crate) fn root_or_new(&self, target: &str) -> u64 {
        self.root(target).unwrap_or_else(|| {
            let (identity, number) = (Identity::root(target), self.targets.another());
            let root = Resource::root(number);
            let size = root.size(&identity);
            // Without room for it nothing of the target is found.
            let _ = self.store().put(identity, Stored(Arc::new(root)), size);
            number
        })
    }

    /// The name of a call that is begun or joined now.
    pub(crate) fn call(&self, identity: &Identity, name: Arc<str>) -> Arc<str> {
        if self.has_roots() { self.targets.call(identity.target(), &name) } else { name }
    }
}
