use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower_ballast_core::{BoxError, ByResult, Classify};
use tower_service::Service;

use super::{future::ResponseFuture, shared::Shared};

/// Refuses what the server would refuse. Made by [`ThrottleLayer`](super::ThrottleLayer).
#[derive(Debug, Clone)]
pub struct Throttle<S, C = ByResult> {
    inner: S,
    shared: Arc<Shared>,
    classify: C,
}

impl<S, C> Throttle<S, C> {
    pub(super) const fn new(inner: S, shared: Arc<Shared>, classify: C) -> Self {
        Self { inner, shared, classify }
    }
}

impl<S, C, R> Service<R> for Throttle<S, C>
where
    S: Service<R>,
    S::Error: Into<BoxError> + 'static,
    C: Classify<R, S::Response, S::Error> + Clone,
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
        if self.shared.enforcement.is_off() {
            return ResponseFuture::free(self.inner.call(request));
        }
        if let Some(rejected) = self.shared.refuse() {
            return ResponseFuture::rejected(rejected);
        }
        let kept = self.classify.keep(&request);
        let (shared, classify) = (Arc::clone(&self.shared), self.classify.clone());
        ResponseFuture::counted(self.inner.call(request), shared, classify, kept)
    }
}
