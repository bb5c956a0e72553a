use std::sync::Arc;

use tower_ballast_core::Enforcement;

use crate::{shared::State, statistics::Statistics};

/// Reads what a fallback does and changes it while requests run. Made by
/// [`FallbackLayer::handle`](crate::FallbackLayer::handle).
///
/// ```
/// use tower_ballast_core::Enforcement;
/// use tower_ballast_fallback::FallbackLayer;
///
/// let handle = FallbackLayer::value("sorry").handle();
/// handle.set_enforcement(Enforcement::Off);
/// assert_eq!(handle.statistics().fell_back, 0);
/// ```
#[derive(Debug, Clone)]
pub struct FallbackHandle(Arc<State>);

impl FallbackHandle {
    pub(crate) const fn new(state: Arc<State>) -> Self {
        Self(state)
    }

    /// How many requests may be with the other service at a time. Changes nothing for answers
    /// that are made on the spot.
    pub fn set_limit(&self, limit: u32) {
        self.0.set_limit(limit);
        self.0.tell_settings("limit");
    }

    /// Whether outcomes are replaced.
    #[must_use]
    pub fn enforcement(&self) -> Enforcement {
        self.0.enforcement.get()
    }

    /// Changes whether outcomes are replaced.
    pub fn set_enforcement(&self, enforcement: Enforcement) {
        self.0.enforcement.set(enforcement);
        self.0.tell_settings("enforcement");
    }

    /// What it has done since it was made.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.0.statistics()
    }
}
