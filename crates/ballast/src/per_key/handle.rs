use std::{fmt, sync::Arc};

use tower_ballast_core::Key;

use super::table::Table;

/// Finds the layers of a key. Made by [`PerKeyLayer::handle`](crate::PerKeyLayer::handle).
pub struct PerKeyHandle<L>(Arc<Table<L>>);

/// What a table of keys has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Keys that have layers of their own.
    pub keys: usize,
    /// How many may have.
    pub bound: u32,
    /// Keys that were forgotten to make room.
    pub forgotten: u64,
    /// Requests that found no room for their key, and shared one stack.
    pub shared: u64,
}

impl<L> PerKeyHandle<L> {
    pub(super) const fn new(table: Arc<Table<L>>) -> Self {
        Self(table)
    }

    /// The layers of a key, if it has any of its own.
    #[must_use]
    pub fn of(&self, key: Key) -> Option<Arc<L>> {
        self.0.find(key)
    }

    /// The layers of all keys, in no order, and last those that keys without room share.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<L>> {
        self.0.all()
    }

    /// How many keys there are, and what became of others.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.0.statistics()
    }
}

impl<L> Clone for PerKeyHandle<L> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L> fmt::Debug for PerKeyHandle<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PerKeyHandle").field(&self.0).finish()
    }
}
