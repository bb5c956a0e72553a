use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower_ballast_core::{ByResult, Classify, Operation};
use tower_service::Service;

use crate::{future::ResponseFuture, shared::Shared, timing::Timing};

/// Counts and times the requests to the inner service. Made by
/// [`MetricsLayer`](crate::MetricsLayer).
#[derive(Debug, Clone)]
pub struct Metrics<S, C = ByResult, O = ()> {
    pub(crate) inner: S,
    pub(crate) shared: Arc<Shared>,
    pub(crate) classify: C,
    pub(crate) operation: O,
}

impl<S, C, O, R> Service<R> for Metrics<S, C, O>
where
    S: Service<R>,
    S::Error: 'static,
    C: Classify<R, S::Response, S::Error> + Clone,
    O: Operation<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, C, C::Kept, R>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn call(&mut self, request: R) -> Self::Future {
        let (kept, classify) = (self.classify.keep(&request), self.classify.clone());
        let series = self.shared.lease(self.operation.name(&request).as_deref());
        // Made before the call, so that the call is counted should it panic.
        let mut timing = Timing::new(series);
        let inside = timing.enter();
        let response = self.inner.call(request);
        inside.leave();
        ResponseFuture::new(response, timing, classify, kept)
    }
}
