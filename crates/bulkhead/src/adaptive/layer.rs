use std::sync::Arc;

use tower_ballast_core::{ByResult, Verdict};
use tower_layer::Layer;

use super::{Limiter, sampled::Sampled, service::Adaptive};
use crate::layer::BulkheadLayer;

/// Sets the limit of a bulkhead by how calls end. It belongs inside of that bulkhead.
///
/// All services made by one layer, and by its clones, share its limiter. See
/// [the module](crate::adaptive) for an example.
#[derive(Debug, Clone)]
pub struct AdaptiveLayer<C = ByResult> {
    sampled: Arc<Sampled>,
    classify: C,
}

impl AdaptiveLayer {
    /// Has the limiter set the bulkhead's limit, from now on. A limit that is set by hand holds until
    /// the limiter changes its own.
    #[must_use]
    pub fn new<F, M, H>(
        bulkhead: &BulkheadLayer<F, M, H>,
        limiter: impl Limiter + 'static,
    ) -> AdaptiveLayer {
        let sampled = Arc::new(Sampled::new(bulkhead.handle(), Box::new(limiter)));
        Self { sampled, classify: ByResult }
    }
}

impl<C> AdaptiveLayer<C> {
    /// How calls end. Default: every `Err` is a failure that says nothing of the load, but for our
    /// own timeouts. What is `Timeout` or `Throttled` says that there is too much to do.
    #[must_use]
    pub fn classify<Res, E, D>(self, classify: D) -> AdaptiveLayer<D>
    where
        D: Fn(Result<&Res, &E>) -> Verdict,
    {
        self.classify_with(classify)
    }

    /// How calls end, by a type of its own, which may look at the request too.
    #[must_use]
    pub fn classify_with<D>(self, classify: D) -> AdaptiveLayer<D> {
        AdaptiveLayer { sampled: self.sampled, classify }
    }
}

impl<S, C: Clone> Layer<S> for AdaptiveLayer<C> {
    type Service = Adaptive<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Adaptive::new(inner, Arc::clone(&self.sampled), self.classify.clone())
    }
}
