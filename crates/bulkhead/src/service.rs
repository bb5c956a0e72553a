use std::{
    marker::PhantomData,
    sync::Arc,
    task::{Context, Poll},
};

use tower_ballast_core::{BoxError, Hold, Readiness, Reason, UntilResponse};
use tower_service::Service;

use crate::{
    future::ResponseFuture,
    modes::Refuse,
    partitions::{Divide, Undivided},
    permit::Permit,
    shared::Shared,
};

/// Bounds how many requests the inner service has at once. Made by
/// [`BulkheadLayer`](crate::BulkheadLayer).
#[derive(Debug)]
pub struct Bulkhead<S, F = (), M = Refuse, H = UntilResponse, P = Undivided> {
    pub(crate) inner: S,
    pub(crate) shared: Arc<Shared>,
    pub(crate) facts: F,
    pub(crate) hold: H,
    pub(crate) parts: P,
    /// What the inner service last said of itself; only asked when callers may wait.
    pub(crate) readiness: Readiness,
    mode: PhantomData<fn() -> M>,
}

impl<S, F, M, H, P> Bulkhead<S, F, M, H, P> {
    pub(crate) fn new(inner: S, shared: Arc<Shared>, facts: F, hold: H, parts: P) -> Self {
        let readiness = Readiness::Unknown;
        Self { inner, shared, facts, hold, parts, readiness, mode: PhantomData }
    }

    /// What the request goes through.
    #[inline]
    pub(crate) fn shared<R>(&self, request: &R) -> &Arc<Shared>
    where
        P: Divide<R>,
    {
        match self.parts.part(request) {
            Some(part) => self.shared.at(part),
            None => &self.shared,
        }
    }
}

impl<S: Clone, F: Clone, M, H: Clone, P: Clone> Clone for Bulkhead<S, F, M, H, P> {
    fn clone(&self) -> Self {
        let (shared, facts) = (Arc::clone(&self.shared), self.facts.clone());
        Self::new(self.inner.clone(), shared, facts, self.hold.clone(), self.parts.clone())
    }
}

impl<S, F, H, P, R> Service<R> for Bulkhead<S, F, Refuse, H, P>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    H: Hold<S::Response, Permit> + Clone,
    P: Divide<R>,
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
        let shared = self.shared(&request);
        // Held before the call, so that it goes back should that panic.
        let permit = Permit::try_new(shared).or_else(|| Permit::try_borrow(shared));
        if permit.is_none()
            && let Some(rejected) = shared.reject(Reason::BulkheadFull)
        {
            return ResponseFuture::rejected(rejected);
        }
        ResponseFuture::calling(self.inner.call(request), permit, self.hold.clone())
    }
}
