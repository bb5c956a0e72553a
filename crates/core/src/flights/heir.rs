//! The call after one that was waited for in vain.

use std::sync::{Arc, PoisonError};

use super::flight::Flight;
use crate::sync::Mutex;

/// The call that all those wait for next who waited for another one in vain.
pub(super) struct Heir<S, O>(Mutex<Option<Arc<Flight<S, O>>>>);

impl<S, O> Heir<S, O> {
    pub(super) fn none() -> Self {
        Self(Mutex::new(None))
    }

    /// The call, and the number of the one who joins it here; `find` gives it to the first who asks.
    pub(super) fn join(
        &self,
        find: impl FnOnce() -> (Arc<Flight<S, O>>, u64),
    ) -> (Arc<Flight<S, O>>, u64) {
        // To find one, calls are joined, perhaps the one that has this heir: so its lock is another one.
        let mut heir = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*heir
            && let Some(number) = known.join_late()
        {
            return (Arc::clone(known), number);
        }
        let (found, number) = find();
        found.mark_as_heir();
        *heir = Some(Arc::clone(&found));
        (found, number)
    }
}
