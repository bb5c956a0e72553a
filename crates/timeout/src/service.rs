use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower_ballast_core::{BoxError, Deadline, Facts, Mark, clock};
use tower_service::Service;

use crate::{
    bound::{Bound, Scope},
    future::ResponseFuture,
    handle::Shared,
    limits::Limits,
};

/// Bounds how long the inner service may take. Made by [`TimeoutLayer`](crate::TimeoutLayer).
#[derive(Debug, Clone)]
pub struct Timeout<S, F = (), L = ()> {
    pub(crate) inner: S,
    pub(crate) shared: Arc<Shared>,
    pub(crate) facts: Option<F>,
    pub(crate) limits: L,
}

impl<S, F, L, R> Service<R> for Timeout<S, F, L>
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

impl<S, F, L> Timeout<S, F, L> {
    /// When the request must have ended; the deadline of a whole one is also written on it.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn bound<R>(&self, request: &mut R) -> Result<Bound, BoxError>
    where
        F: Facts<R>,
        L: Limits<R>,
    {
        let scope = self.shared.scope;
        let limit = self.limits.limit(request).unwrap_or_else(|| self.shared.limit());
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
