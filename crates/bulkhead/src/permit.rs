//! The right to be in flight.

use std::sync::Arc;

use crate::shared::Shared;

/// Goes back when it is dropped.
#[derive(Debug)]
#[must_use = "dropped at once, it goes back at once"]
pub(crate) struct Permit(Arc<Shared>);

impl Permit {
    #[inline]
    pub(crate) fn try_new(shared: &Arc<Shared>) -> Option<Self> {
        shared.gate.try_enter().then(|| Self(Arc::clone(shared)))
    }

    /// For a caller that has been let in already.
    pub(crate) fn entered(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        self.0.gate.exit();
    }
}
