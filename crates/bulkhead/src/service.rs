use std::{
    marker::PhantomData,
    sync::Arc,
    task::{Context, Poll},
};

use tower_ballast_core::{BoxError, Hold, Readiness, Reason, UntilResponse};
use tower_service::Service;

use crate::{future::ResponseFuture, modes::Refuse, permit::Permit, shared::Shared};

/// Bounds how many requests the inner service has at once. Made by
/// [`BulkheadLayer`](crate::BulkheadLayer).
#[derive(Debug)]
pub struct Bulkhead<S, F = (), M = Refuse, H = UntilResponse> {
    pub(crate) inner: S,
    pub(crate) shared: Arc<Shared>,
    pub(crate) facts: F,
    pub(crate) hold: H,
    /// What the inner service last said of itself; only asked when callers may wait.
    pub(crate) readiness: Readiness,
    mode: PhantomData<fn() -> M>,
}

impl<S, F, M, H> Bulkhead<S, F, M, H> {
    pub(crate) fn new(inner: S, shared: Arc<Shared>, facts: F, hold: H) -> Self {
        Self { inner, shared, facts, hold, readiness: Readiness::Unknown, mode: PhantomData }
    }
}

impl<S: Clone, F: Clone, M, H: Clone> Clone for Bulkhead<S, F, M, H> {
    fn clone(&self) -> Self {
        let (shared, facts) = (Arc::clone(&self.shared), self.facts.clone());
        Self::new(self.inner.clone(), shared, facts, self.hold.clone())
    }
}

impl<S, F, H, R> Service<R> for Bulkhead<S, F, Refuse, H>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    H: Hold<S::Response, Permit> + Clone,
{
    type Response = H::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future, H>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn call(&mut self, request: R) -> Self::Future {
        if self.shared.enforcement.is_off() {
            return ResponseFuture::calling(self.inner.call(request), None, self.hold.clone());
        }
        // Held before the call, so that it goes back should that panic.
        let Some(permit) = Permit::try_new(&self.shared) else {
            return match self.shared.reject(Reason::BulkheadFull) {
                Some(rejected) => ResponseFuture::rejected(rejected),
                None => ResponseFuture::calling(self.inner.call(request), None, self.hold.clone()),
            };
        };
        ResponseFuture::calling(self.inner.call(request), Some(permit), self.hold.clone())
    }
}
