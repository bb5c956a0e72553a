//! The right to be in flight.

use std::{sync::Arc, time::Duration};

use tower_ballast_core::{Event, EventKind, Held};

use crate::shared::Shared;

/// The right to be in flight, which goes back when it is dropped.
///
/// What a [`hold`](crate::BulkheadLayer::hold) strategy keeps beside a response.
#[derive(Debug)]
#[must_use = "dropped at once, it goes back at once"]
pub struct Permit(Arc<Shared>);

impl Permit {
    #[inline]
    pub(crate) fn try_new(shared: &Arc<Shared>) -> Option<Self> {
        shared.gate.try_enter().then(|| Self(Arc::clone(shared)))
    }

    /// One that another part lends, if this is a part.
    #[cold]
    pub(crate) fn try_borrow(shared: &Arc<Shared>) -> Option<Self> {
        shared.part.as_ref()?;
        shared.borrow();
        Self::try_new(shared)
    }

    /// For a caller that has been let in already.
    pub(crate) fn entered(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }
}

impl Held for Permit {
    fn expire(self, idle: Duration) {
        let shared = Arc::clone(&self.0);
        // Back before it is told, so that who is told finds it so.
        drop(self);
        shared.refusals.add_expired();
        shared.reporter.tell(|| Event::new(EventKind::HoldExpired).delay(idle));
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        self.0.gate.exit();
        if let Some(part) = &self.0.part {
            part.left(self.0.may_wait());
        }
    }
}
