use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower_ballast_core::{ByResult, Classify, clock};
use tower_service::Service;

use super::{future::ResponseFuture, sampled::Sampled};

/// Tells a limiter how calls end. Made by [`AdaptiveLayer`](super::AdaptiveLayer).
#[derive(Debug, Clone)]
pub struct Adaptive<S, C = ByResult> {
    inner: S,
    sampled: Arc<Sampled>,
    classify: C,
}

impl<S, C> Adaptive<S, C> {
    pub(super) const fn new(inner: S, sampled: Arc<Sampled>, classify: C) -> Self {
        Self { inner, sampled, classify }
    }
}

impl<S, C, R> Service<R> for Adaptive<S, C>
where
    S: Service<R>,
    S::Error: 'static,
    C: Classify<R, S::Response, S::Error> + Clone,
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
        let (kept, began) = (self.classify.keep(&request), clock::now());
        let (sampled, classify) = (Arc::clone(&self.sampled), self.classify.clone());
        ResponseFuture::new(self.inner.call(request), sampled, classify, kept, began)
    }
}
