//! What is kept for a target: its variants with their bodies.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::HeaderMap;
use tower_ballast_core::{Key, clock::Nanos, epochs::Settled};

use crate::{engine::Entry, identity::Identity};

/// How many variants of a target are kept.
const VARIANTS: usize = 16;

/// What a store keeps for a target. A clone is the same.
///
/// A store of one's own only carries it.
#[derive(Clone)]
pub struct Stored(pub(crate) Arc<Resource>);

#[derive(Clone, Default)]
pub(crate) struct Resource {
    /// The newest last.
    variants: Vec<Variant>,
    /// Until then nobody waits for the answer to another's request.
    alone_until: Nanos,
    /// The number of the root of its target, if targets have roots.
    root: u64,
    pub(crate) settled: Settled,
}

/// One answer.
#[derive(Clone)]
pub(crate) struct Variant {
    pub(crate) entry: Arc<Entry>,
    pub(crate) body: Bytes,
    /// By which tags it can be found.
    pub(crate) tags: Arc<[Key]>,
}

impl Resource {
    /// A root.
    pub(crate) fn root(number: u64) -> Self {
        let root = Self { root: number, ..Self::default() };
        // There is nothing in it that a purge would forbid.
        root.settled.settle();
        root
    }

    /// The number of the root it belongs to.
    pub(crate) const fn of_root(&self) -> u64 {
        self.root
    }

    pub(crate) fn belong_to(&mut self, root: u64) {
        self.root = root;
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.variants.iter().map(|variant| &*variant.entry)
    }

    pub(crate) fn variant(&self, at: usize) -> Option<&Variant> {
        self.variants.get(at)
    }

    pub(crate) fn newest(&self) -> Option<&Variant> {
        self.variants.last()
    }

    /// The newest for a request with such fields.
    pub(crate) fn variant_for(&self, request: &HeaderMap) -> Option<&Variant> {
        self.variants.iter().rev().find(|variant| variant.entry.is_for(request))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.variants.is_empty()
    }

    pub(crate) fn goes_alone(&self, now: Nanos) -> bool {
        now < self.alone_until
    }

    pub(crate) fn has_tag(&self, tag: Key) -> bool {
        self.variants.iter().any(|variant| variant.tags.contains(&tag))
    }

    /// The newest variant takes the place of those that would be chosen by the same request; of too many the oldest goes.
    pub(crate) fn add(&mut self, request: &HeaderMap, variant: Variant) {
        self.remove_for(request);
        if self.variants.len() == VARIANTS {
            self.variants.remove(0);
        }
        self.variants.push(variant);
    }

    pub(crate) fn remove_for(&mut self, request: &HeaderMap) {
        self.variants.retain(|variant| !variant.entry.is_for(request));
    }

    /// Puts an entry that was made fresh in the place of the one it was, and tells whether that was still there.
    pub(crate) fn freshen(&mut self, old: &Arc<Entry>, fresh: &Arc<Entry>) -> bool {
        let at = self.variants.iter().position(|one| Arc::ptr_eq(&one.entry, old));
        if let Some(at) = at {
            let mut variant = self.variants.remove(at);
            variant.entry = Arc::clone(fresh);
            self.variants.push(variant);
        }
        at.is_some()
    }

    pub(crate) fn forget(&mut self, old: &Arc<Entry>) {
        self.variants.retain(|one| !Arc::ptr_eq(&one.entry, old));
    }

    pub(crate) fn go_alone_until(&mut self, until: Nanos) {
        self.alone_until = until;
    }

    /// Lets go of the oldest variants until it takes at most `most` bytes, or has one left.
    pub(crate) fn shrink(&mut self, identity: &Identity, most: usize) {
        while self.variants.len() > 1 && self.size(identity) > most {
            self.variants.remove(0);
        }
    }

    pub(crate) fn size(&self, identity: &Identity) -> usize {
        let variants = self
            .variants
            .iter()
            .map(|variant| overhead(&variant.entry, &variant.tags) + variant.body.len());
        size_of::<Self>() + identity.len() + variants.sum::<usize>()
    }

    /// What it takes beside the body of its only variant.
    pub(crate) fn size_without_body(identity: &Identity, entry: &Entry, tags: &[Key]) -> usize {
        size_of::<Self>() + identity.len() + overhead(entry, tags)
    }
}

/// What a variant takes beside its body.
fn overhead(entry: &Entry, tags: &[Key]) -> usize {
    entry.bytes() + size_of::<Variant>() + size_of_val(tags)
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored").field("variants", &self.0.variants.len()).finish_non_exhaustive()
    }
}
