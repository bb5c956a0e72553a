use std::{
    marker::PhantomData,
    sync::Arc,
    task::{Context, Poll},
};

use tower_ballast_core::{BoxError, Deadline, Facts, Mark, Readiness, clock};
use tower_service::Service;

use crate::{
    bound::{Bound, Scope},
    future::ResponseFuture,
    handle::Shared,
    limits::Limits,
    modes::Passes,
};

/// Bounds how long the inner service may take. Made by [`TimeoutLayer`](crate::TimeoutLayer).
#[derive(Debug)]
pub struct Timeout<S, F = (), L = (), M = Passes> {
    pub(crate) inner: S,
    pub(crate) shared: Arc<Shared>,
    pub(crate) facts: Option<F>,
    pub(crate) limits: L,
    /// What the inner service last said of itself; only asked when the limit covers that.
    pub(crate) readiness: Readiness,
    mode: PhantomData<fn() -> M>,
}

impl<S, F, L, M> Timeout<S, F, L, M> {
    pub(crate) const fn new(inner: S, shared: Arc<Shared>, facts: Option<F>, limits: L) -> Self {
        Self { inner, shared, facts, limits, readiness: Readiness::Unknown, mode: PhantomData }
    }
}

impl<S: Clone, F: Clone, L: Clone, M> Clone for Timeout<S, F, L, M> {
    fn clone(&self) -> Self {
        let (facts, limits) = (self.facts.clone(), self.limits.clone());
        Self::new(self.inner.clone(), Arc::clone(&self.shared), facts, limits)
    }
}

impl<S, F, L, R> Service<R> for Timeout<S, F, L, Passes>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    F: Facts<R>,
    L: Limits<R>,
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
    fn call(&mut self, mut request: R) -> Self::Future {
        if self.shared.enforcement.is_off() {
            return ResponseFuture::unbounded(self.inner.call(request));
        }
        match self.bound(&mut request) {
            Ok(bound) => {
                let response = self.inner.call(request);
                ResponseFuture::bounded(response, bound, &self.shared)
            }
            Err(rejected) => ResponseFuture::rejected(rejected),
        }
    }
}

impl<S, F, L, M> Timeout<S, F, L, M> {
    /// When the request must have ended; the deadline of a whole one is also written on it.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) fn bound<R>(&self, request: &mut R) -> Result<Bound, BoxError>
    where
        F: Facts<R>,
        L: Limits<R>,
    {
        let scope = self.shared.scope;
        let limit = match self.limits.limit(request) {
            Some(limit) => clock::nanos_in(limit),
            None => self.shared.limit_nanos(),
        };
        let Some(facts) = &self.facts else {
            return Ok(scope.bound(limit, None, None));
        };
        let deadline = facts.deadline(request);
        let bound = scope.bound(limit, deadline, facts.attempt(request));
        if deadline.is_none() && scope == Scope::Attempt {
            return Ok(bound);
        }
        let now = clock::now();
        if deadline.is_some_and(|deadline| deadline.is_passed(now))
            && let Some(rejected) = self.shared.refuses()
        {
            return Err(rejected);
        }
        if scope == Scope::Attempt {
            return Ok(bound);
        }
        let deadline = Deadline::at(bound.end(now));
        facts.mark(request, Mark::Deadline(deadline));
        Ok(Bound::until(deadline))
    }
}
