use std::sync::Arc;

use crate::{
    shared::Shared,
    statistics::{OperationStatistics, Statistics},
    timing::Timing,
    tracked::Tracked,
};

/// Reads what a layer has counted, and counts plain code. Made by
/// [`MetricsLayer::handle`](crate::MetricsLayer::handle).
///
/// ```
/// use tower_ballast_metrics::MetricsLayer;
///
/// let metrics = MetricsLayer::new().name("jobs").handle();
/// metrics.track("import").end(&Ok::<(), ()>(()));
///
/// let table = metrics.statistics().to_string();
/// assert!(table.starts_with("jobs, all"));
/// assert!(table.contains("import"));
/// ```
#[derive(Debug, Clone)]
pub struct MetricsHandle(Arc<Shared>);

impl MetricsHandle {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// The figures of all operations. Copies each histogram, some microseconds apiece.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.0.read()
    }

    /// The figures of one operation, if there were requests of that name.
    #[must_use]
    pub fn of(&self, operation: &str) -> Option<OperationStatistics> {
        self.0.of(operation)
    }

    /// Begins to time plain code under this name.
    pub fn track(&self, operation: &str) -> Tracked {
        Tracked::new(Timing::new(self.0.lease(Some(operation))))
    }

    /// How many operations get figures of their own.
    #[must_use]
    pub fn most_operations(&self) -> u32 {
        self.0.most_operations()
    }

    /// Changes how many operations get figures of their own. Those that have them keep them.
    pub fn set_most_operations(&self, most: u32) {
        self.0.set_most_operations(most);
    }
}
