use std::{
    marker::PhantomData,
    sync::Arc,
    task::{Context, Poll},
};

use tower_ballast_core::{BoxError, Readiness, Reason};
use tower_service::Service;

use crate::{future::ResponseFuture, modes::Refuse, permit::Permit, shared::Shared};

/// Bounds how many requests the inner service has at once. Made by
/// [`BulkheadLayer`](crate::BulkheadLayer).
#[derive(Debug)]
pub struct Bulkhead<S, F = (), M = Refuse> {
    pub(crate) inner: S,
    pub(crate) shared: Arc<Shared>,
    pub(crate) facts: F,
    /// What the inner service last said of itself; only asked when callers may wait.
    pub(crate) readiness: Readiness,
    mode: PhantomData<fn() -> M>,
}

impl<S, F, M> Bulkhead<S, F, M> {
    pub(crate) fn new(inner: S, shared: Arc<Shared>, facts: F) -> Self {
        Self { inner, shared, facts, readiness: Readiness::Unknown, mode: PhantomData }
    }
}

impl<S: Clone, F: Clone, M> Clone for Bulkhead<S, F, M> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), Arc::clone(&self.shared), self.facts.clone())
    }
}

impl<S, F, R> Service<R> for Bulkhead<S, F, Refuse>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

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
        // Held before the call, so that it goes back should that panic.
        let Some(permit) = Permit::try_new(&self.shared) else {
            return match self.shared.reject(Reason::BulkheadFull) {
                Some(rejected) => ResponseFuture::rejected(rejected),
                None => ResponseFuture::free(self.inner.call(request)),
            };
        };
        ResponseFuture::calling(self.inner.call(request), Some(permit))
    }
}
