//! Shared state behind several reference counts.

use std::{fmt, ops::Deref, sync::Arc};

use crate::sync::{stripes, thread_number};

/// Shared state whose owners are counted in several places, one for each few threads.
///
/// A future that reports to the state of its layer has to own a share of it. With a plain [`Arc`]
/// every call on every thread writes to one count, and two threads are slower than one. Here a
/// [`lease`](Spread::lease) counts on a cache line that the thread has for itself, mostly.
///
/// Cloning is one increment, as with an [`Arc`]. Nothing is allocated but at the start.
///
/// ```
/// use tower_ballast_core::Spread;
///
/// let state = Spread::new(String::from("shared"));
/// let lease = state.lease();
/// drop(state);
/// assert_eq!(lease.len(), 6);
/// ```
pub struct Spread<T>(Arc<Trunk<T>>);

struct Trunk<T> {
    root: Arc<T>,
    /// A power of two of them, so that a mask picks one.
    leaves: Box<[Arc<Leaf<T>>]>,
}

/// Two cache lines, since processors fetch them in pairs.
#[repr(align(128))]
struct Leaf<T>(Arc<T>);

/// A share of a [`Spread`] state that one call holds.
pub struct Lease<T>(Arc<Leaf<T>>);

impl<T> Spread<T> {
    /// Shares `state`.
    #[must_use]
    pub fn new(state: T) -> Self {
        let root = Arc::new(state);
        let leaves = (0..stripes()).map(|_| Arc::new(Leaf(Arc::clone(&root)))).collect();
        Self(Arc::new(Trunk { root, leaves }))
    }

    /// A share for one call.
    #[inline]
    #[must_use]
    pub fn lease(&self) -> Lease<T> {
        let leaves = &self.0.leaves;
        Lease(Arc::clone(&leaves[thread_number() & (leaves.len() - 1)]))
    }

    /// How many shares are out. Those taken or dropped meanwhile may be counted or not.
    #[must_use]
    pub fn leases(&self) -> usize {
        self.0.leaves.iter().map(|leaf| Arc::strong_count(leaf) - 1).sum()
    }
}

impl<T> Clone for Spread<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Clone for Lease<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Spread<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0.root
    }
}

impl<T> Deref for Lease<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &(self.0).0
    }
}

impl<T: fmt::Debug> fmt::Debug for Spread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: fmt::Debug> fmt::Debug for Lease<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_lives_as_long_as_any_share_and_no_longer() {
        let witness = Arc::new(());
        let state = Spread::new(Arc::clone(&witness));
        let leases: Vec<_> = (0..100).map(|_| state.clone().lease()).collect();
        drop(state);
        assert_eq!(Arc::strong_count(&witness), 2);
        drop(leases);
        assert_eq!(Arc::strong_count(&witness), 1);
    }
}
