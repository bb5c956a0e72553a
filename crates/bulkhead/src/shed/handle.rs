use std::sync::Arc;

use tower_ballast_core::{Enforcement, Priority, Ratio};

use super::{level::Thresholds, shared::Shared};

/// Reads what a [`ShedLayer`](super::ShedLayer) refuses, and changes it while requests run.
///
/// ```
/// use tower_ballast_bulkhead::{shed::{ShedLayer, Thresholds}, system::SystemLoad};
/// use tower_ballast_core::{Priority, Ratio};
///
/// let load = SystemLoad::new();
/// let handle = ShedLayer::new(&load).handle();
/// load.set(Ratio::percent::<50>());
/// assert!(!handle.is_refused(Priority::Batch));
/// handle.set_thresholds(Thresholds::default().batch(Ratio::percent::<40>()));
/// load.set(Ratio::percent::<50>());
/// assert!(handle.is_refused(Priority::Batch));
/// ```
#[derive(Debug, Clone)]
pub struct ShedHandle(Arc<Shared>);

impl ShedHandle {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Whether requests of a class are refused now.
    #[must_use]
    pub fn is_refused(&self, class: Priority) -> bool {
        self.0.refuses(|| class)
    }

    /// How many were refused since it was made, also if that was only reported.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused()
    }

    /// Changes from which load on each class is refused. It counts from the next word of the load on.
    pub fn set_thresholds(&self, thresholds: Thresholds) {
        self.0.configure(|settings| settings.thresholds = thresholds);
        self.0.tell_settings("thresholds");
    }

    /// Changes how far below its threshold the load must be before a class comes back.
    pub fn set_hysteresis(&self, hysteresis: Ratio) {
        self.0.configure(|settings| settings.hysteresis = hysteresis);
        self.0.tell_settings("hysteresis");
    }

    /// Whether refusals are carried out.
    #[must_use]
    pub fn enforcement(&self) -> Enforcement {
        self.0.enforcement.get()
    }

    /// Changes whether refusals are carried out.
    pub fn set_enforcement(&self, enforcement: Enforcement) {
        self.0.enforcement.set(enforcement);
        self.0.tell_settings("enforcement");
    }
}
