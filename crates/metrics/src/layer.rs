use std::sync::Arc;

use tower_ballast_core::{ByResult, Name, Verdict};
use tower_layer::Layer;

use crate::{
    export::Export,
    handle::MetricsHandle,
    service::Metrics,
    shared::{MOST_OPERATIONS, Shared},
};

/// Counts and times requests by operation.
///
/// All services made by one layer, and by its clones, count into the same figures.
///
/// ```
/// use tower_ballast_core::Verdict;
/// use tower_ballast_metrics::MetricsLayer;
///
/// let layer = MetricsLayer::new()
///     .name("search")
///     .classify(|outcome: Result<&u16, &std::io::Error>| match outcome {
///         Ok(500..) | Err(_) => Verdict::transient(),
///         Ok(_) => Verdict::Success,
///     });
/// # let _ = layer;
/// ```
#[derive(Debug)]
pub struct MetricsLayer<C = ByResult, O = ()> {
    shared: Arc<Shared>,
    classify: C,
    operation: O,
}

impl MetricsLayer {
    /// Counts all requests together, as `requests`, and every `Err` as an error.
    #[must_use]
    pub fn new() -> Self {
        let shared = Arc::new(Shared::new(MOST_OPERATIONS));
        Self { shared, classify: ByResult, operation: () }
    }
}

impl Default for MetricsLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<C, O> MetricsLayer<C, O> {
    /// Names the operation that a request asks for: a route rather than a path.
    ///
    /// ```
    /// use tower_ballast_metrics::MetricsLayer;
    ///
    /// let layer = MetricsLayer::new().operation(|(table, _id): &(String, u64)| table);
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn operation<R, F>(self, operation: F) -> MetricsLayer<C, F>
    where
        F: Fn(&R) -> &str,
    {
        self.operation_with(operation)
    }

    /// The same by a type of one's own, an [`Operation`](tower_ballast_core::Operation).
    #[must_use]
    pub fn operation_with<P>(self, operation: P) -> MetricsLayer<C, P> {
        MetricsLayer { shared: self.shared, classify: self.classify, operation }
    }

    /// How many operations get figures of their own; the rest is counted as `other`.
    /// Default: 1000.
    #[must_use]
    pub fn most_operations(self, most: u32) -> Self {
        self.shared.set_most_operations(most);
        self
    }

    /// What counts as an error. Default: every `Err`.
    #[must_use]
    pub fn classify<Res, E, F>(self, classify: F) -> MetricsLayer<F, O>
    where
        F: Fn(Result<&Res, &E>) -> Verdict,
    {
        self.classify_with(classify)
    }

    /// The same by a type of one's own, a [`Classify`](tower_ballast_core::Classify).
    #[must_use]
    pub fn classify_with<D>(self, classify: D) -> MetricsLayer<D, O> {
        MetricsLayer { shared: self.shared, classify, operation: self.operation }
    }

    /// What it is called where its figures go. Default: `metrics`. The first name stays.
    #[must_use]
    pub fn name(self, name: impl Into<Name>) -> Self {
        self.shared.rename(name.into());
        self
    }

    /// Gives the figures to another place as well, from the next operation on. The first one
    /// stays.
    #[must_use]
    pub fn export<E: Export + Send + Sync + 'static>(self, export: E) -> Self {
        self.shared.set_export(Arc::new(export));
        self
    }

    /// The same settings with figures of its own, not named yet.
    #[must_use]
    pub fn separate(mut self) -> Self {
        self.shared = Arc::new(self.shared.separate());
        self
    }

    /// A handle that reads the figures, and counts plain code among them.
    #[must_use]
    pub fn handle(&self) -> MetricsHandle {
        MetricsHandle::new(Arc::clone(&self.shared))
    }
}

impl<C: Clone, O: Clone> Clone for MetricsLayer<C, O> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            classify: self.classify.clone(),
            operation: self.operation.clone(),
        }
    }
}

impl<S, C: Clone, O: Clone> Layer<S> for MetricsLayer<C, O> {
    type Service = Metrics<S, C, O>;

    fn layer(&self, inner: S) -> Self::Service {
        let (classify, operation) = (self.classify.clone(), self.operation.clone());
        Metrics { inner, shared: Arc::clone(&self.shared), classify, operation }
    }
}
