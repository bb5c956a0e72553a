use std::{
    marker::PhantomData,
    task::{Context, Poll},
};

use tower_ballast_core::{BoxError, ByResult, Classify, Facts, Readiness, Spread};
use tower_service::Service;

use crate::{future::ResponseFuture, permit::Admission, shared::Shared, waits::Refuse};

/// Stops calling the inner service while it keeps failing. Made by
/// [`CircuitBreakerLayer`](crate::CircuitBreakerLayer).
#[derive(Debug)]
pub struct CircuitBreaker<S, C = ByResult, F = (), W = Refuse> {
    pub(crate) inner: S,
    pub(crate) shared: Spread<Shared>,
    pub(crate) classify: C,
    pub(crate) facts: F,
    /// What the inner service last said of itself; only asked when callers may wait.
    pub(crate) readiness: Readiness,
    waits: PhantomData<fn() -> W>,
}

impl<S, C, F, W> CircuitBreaker<S, C, F, W> {
    pub(crate) fn new(inner: S, shared: Spread<Shared>, classify: C, facts: F) -> Self {
        let readiness = Readiness::Unknown;
        Self { inner, shared, classify, facts, readiness, waits: PhantomData }
    }
}

impl<S: Clone, C: Clone, F: Clone, W> Clone for CircuitBreaker<S, C, F, W> {
    fn clone(&self) -> Self {
        Self::new(
            self.inner.clone(),
            self.shared.clone(),
            self.classify.clone(),
            self.facts.clone(),
        )
    }
}

impl<S, C, F, R> Service<R> for CircuitBreaker<S, C, F, Refuse>
where
    S: Service<R>,
    S::Error: Into<BoxError> + 'static,
    C: Classify<R, S::Response, S::Error> + Clone,
    F: Facts<R>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future, C, C::Kept, R>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn call(&mut self, request: R) -> Self::Future {
        // From here on what was admitted is given back, should a closure panic.
        let mut admission = match Admission::ask(&self.shared) {
            Ok(admission) => admission,
            Err(rejected) => return ResponseFuture::rejected(rejected),
        };
        let deadline = self.facts.deadline(&request);
        let (kept, classify) = (self.classify.keep(&request), self.classify.clone());
        let response = admission.call(|| self.inner.call(request));
        ResponseFuture::calling(response, admission.permit(deadline), classify, kept)
    }
}
