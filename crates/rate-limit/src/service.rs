use std::{
    marker::PhantomData,
    num::NonZeroU32,
    sync::Arc,
    task::{Context, Poll},
};

use tower_ballast_core::{
    BoxError, Facts, Readiness,
    clock::{self, Nanos},
    ranks::Rank,
};
use tower_service::Service;

use crate::{future::ResponseFuture, modes::Refuse, settle::Settle, shared::Shared};

/// Limits the rate at which requests reach the inner service. Made by
/// [`PriorityRateLimitLayer`](crate::PriorityRateLimitLayer).
#[derive(Debug)]
pub struct PriorityRateLimit<S, F = (), C = (), M = Refuse> {
    pub(crate) inner: S,
    pub(crate) shared: Arc<Shared>,
    pub(crate) facts: F,
    pub(crate) settle: C,
    /// What the inner service last said of itself; only asked when callers may wait.
    pub(crate) readiness: Readiness,
    mode: PhantomData<fn() -> M>,
}

impl<S, F, C, M> PriorityRateLimit<S, F, C, M> {
    pub(crate) fn new(inner: S, shared: Arc<Shared>, facts: F, settle: C) -> Self {
        Self { inner, shared, facts, settle, readiness: Readiness::Unknown, mode: PhantomData }
    }

    pub(crate) fn rank<R>(&self, request: &R, cost: NonZeroU32) -> Rank
    where
        F: Facts<R>,
    {
        Rank {
            class: self.facts.priority(request).unwrap_or_default(),
            client: self.facts.key(request),
            cost: cost.get(),
        }
    }
}

impl<S, F, C: Clone, M> PriorityRateLimit<S, F, C, M> {
    /// Makes a call that has passed.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) fn call_now<R>(
        &mut self,
        request: R,
        taken: Nanos,
        cost: NonZeroU32,
    ) -> ResponseFuture<S::Future, C>
    where
        S: Service<R>,
        C: Settle<S::Response, S::Error>,
    {
        let response = self.inner.call(request);
        if self.settle.settles() {
            let shared = Arc::clone(&self.shared);
            return ResponseFuture::settling(
                response,
                shared,
                self.settle.clone(),
                taken,
                cost.get(),
            );
        }
        ResponseFuture::free(response)
    }
}

impl<S: Clone, F: Clone, C: Clone, M> Clone for PriorityRateLimit<S, F, C, M> {
    fn clone(&self) -> Self {
        let shared = Arc::clone(&self.shared);
        Self::new(self.inner.clone(), shared, self.facts.clone(), self.settle.clone())
    }
}

impl<S, F, C, R> Service<R> for PriorityRateLimit<S, F, C, Refuse>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    F: Facts<R>,
    C: Settle<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future, C>;

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
        let (now, cost) = (clock::now(), self.facts.cost(&request));
        if let Err(later) = self.shared.door.try_pass(now, cost.get()) {
            let refusal = self.shared.limited(&self.rank(&request, cost), now, later);
            return match self.shared.reject(refusal) {
                Some(rejected) => ResponseFuture::rejected(rejected),
                None => ResponseFuture::free(self.inner.call(request)),
            };
        }
        self.call_now(request, now, cost)
    }
}
