use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower_ballast_core::{
    ByResult, Classify, Deadline, Facts,
    clock::{self, Nanos},
};
use tower_service::Service;

use super::{future::ResponseFuture, sampled::Sampled};

/// Tells a limiter how calls end. Made by [`AdaptiveLayer`](super::AdaptiveLayer).
#[derive(Debug, Clone)]
pub struct Adaptive<S, C = ByResult, F = ()> {
    inner: S,
    sampled: Arc<Sampled>,
    classify: C,
    facts: F,
}

impl<S, C, F> Adaptive<S, C, F> {
    pub(super) const fn new(inner: S, sampled: Arc<Sampled>, classify: C, facts: F) -> Self {
        Self { inner, sampled, classify, facts }
    }
}

impl<S, C, F, R> Service<R> for Adaptive<S, C, F>
where
    S: Service<R>,
    S::Error: 'static,
    C: Classify<R, S::Response, S::Error> + Clone,
    F: Facts<R>,
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
        let deadline = self.facts.deadline(&request).map_or(Nanos::MAX, Deadline::moment);
        let (kept, times) = (self.classify.keep(&request), (clock::now(), deadline));
        let (sampled, classify) = (Arc::clone(&self.sampled), self.classify.clone());
        ResponseFuture::new(self.inner.call(request), sampled, classify, kept, times)
    }
}
