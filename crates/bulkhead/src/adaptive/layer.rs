use std::{ops::RangeInclusive, sync::Arc};

use tower_ballast_core::{ByResult, Verdict};
use tower_layer::Layer;

use super::{AdaptiveHandle, Limiter, sampled::Sampled, service::Adaptive};
use crate::layer::BulkheadLayer;

/// Sets the limit of a bulkhead by how calls end. It belongs inside of that bulkhead.
///
/// All services made by one layer, and by its clones, share its limiter. See
/// [the module](crate::adaptive) for an example.
#[derive(Debug, Clone)]
pub struct AdaptiveLayer<C = ByResult, F = ()> {
    sampled: Arc<Sampled>,
    classify: C,
    facts: F,
}

impl AdaptiveLayer {
    /// Has the limiter set the bulkhead's limit, from now on. From a limit that is set by hand it
    /// goes on, but for one of 0: that stays.
    #[must_use]
    pub fn new<F, M, H, P>(
        bulkhead: &BulkheadLayer<F, M, H, P>,
        limiter: impl Limiter + 'static,
    ) -> Self {
        let sampled = Arc::new(Sampled::new(bulkhead.handle(), Box::new(limiter)));
        Self { sampled, classify: ByResult, facts: () }
    }
}

impl<C, F> AdaptiveLayer<C, F> {
    /// Between which numbers the limit stays, in place of those that the limiter was made with.
    /// Changes nothing for a limiter of one's own that has no bounds.
    #[must_use]
    pub fn bounds(self, bounds: RangeInclusive<u32>) -> Self {
        self.sampled.begin_within(bounds);
        self
    }

    /// What may be known of a request: the deadline after which a call that its caller gives up was a
    /// timeout. Default: nothing, so that such calls are no samples.
    #[must_use]
    pub fn facts<G>(self, facts: G) -> AdaptiveLayer<C, G> {
        AdaptiveLayer { sampled: self.sampled, classify: self.classify, facts }
    }

    /// A handle that reads what is believed of the service, and changes the bounds.
    #[must_use]
    pub fn handle(&self) -> AdaptiveHandle {
        AdaptiveHandle::new(Arc::clone(&self.sampled))
    }

    /// Whether it is this bulkhead whose limit it sets.
    #[must_use]
    pub fn is_of<G, M, H, P>(&self, bulkhead: &BulkheadLayer<G, M, H, P>) -> bool {
        self.sampled.bulkhead().is_of(&bulkhead.handle())
    }

    /// How calls end. Default: every `Err` is a failure that says nothing of the load, but for our
    /// own timeouts. What is `Timeout` or `Throttled` says that there is too much to do.
    #[must_use]
    pub fn classify<Res, E, D>(self, classify: D) -> AdaptiveLayer<D, F>
    where
        D: Fn(Result<&Res, &E>) -> Verdict,
    {
        self.classify_with(classify)
    }

    /// How calls end, by a type of its own, which may look at the request too.
    #[must_use]
    pub fn classify_with<D>(self, classify: D) -> AdaptiveLayer<D, F> {
        AdaptiveLayer { sampled: self.sampled, classify, facts: self.facts }
    }
}

impl<S, C: Clone, F: Clone> Layer<S> for AdaptiveLayer<C, F> {
    type Service = Adaptive<S, C, F>;

    fn layer(&self, inner: S) -> Self::Service {
        Adaptive::new(inner, Arc::clone(&self.sampled), self.classify.clone(), self.facts.clone())
    }
}
