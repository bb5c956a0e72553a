use std::{
    marker::PhantomData,
    sync::Arc,
    task::{Context, Poll},
};

use tower_ballast_core::{BoxError, Facts, Readiness, clock, ranks::Rank};
use tower_service::Service;

use crate::{
    claim::{Claim, Refused},
    future::ResponseFuture,
    levels::{Keys, NO_KEYS},
    modes::Refuse,
    settle::Settle,
    shared::Shared,
};

/// Limits the rate at which requests reach the inner service. Made by
/// [`PriorityRateLimitLayer`](crate::PriorityRateLimitLayer).
#[derive(Debug)]
pub struct PriorityRateLimit<S, F = (), C = (), M = Refuse, L = ()> {
    pub(crate) inner: S,
    pub(crate) shared: Arc<Shared>,
    pub(crate) facts: F,
    pub(crate) settle: C,
    pub(crate) keys: L,
    /// What the inner service last said of itself; only asked when callers may wait.
    pub(crate) readiness: Readiness,
    mode: PhantomData<fn() -> M>,
}

impl<S, F, C, M, L> PriorityRateLimit<S, F, C, M, L> {
    pub(crate) fn new(inner: S, shared: Arc<Shared>, facts: F, settle: C, keys: L) -> Self {
        Self {
            inner,
            shared,
            facts,
            settle,
            keys,
            readiness: Readiness::Unknown,
            mode: PhantomData,
        }
    }

    /// Tries to take what the request asks for, of all limits or of none.
    #[inline]
    pub(crate) fn claim<R>(&self, request: &R) -> (Claim, Result<(), Refused>)
    where
        F: Facts<R>,
        L: Keys<R>,
    {
        let (now, cost) = (clock::now(), self.facts.cost(request).get());
        let mut keys = NO_KEYS;
        self.keys.fill(request, &mut keys);
        let claim = Claim { taken: now, cost, keys };
        let passed = self.shared.take(&claim);
        if passed.is_ok() {
            self.shared.passed(|| self.facts.key(request), now);
        }
        (claim, passed)
    }

    pub(crate) fn rank<R>(&self, request: &R, cost: u32) -> Rank
    where
        F: Facts<R>,
    {
        Rank {
            class: self.facts.priority(request).unwrap_or_default(),
            client: self.facts.key(request),
            cost,
        }
    }
}

impl<S, F, C: Clone, M, L> PriorityRateLimit<S, F, C, M, L> {
    /// Makes a call that has passed.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) fn call_now<R>(&mut self, request: R, claim: Claim) -> ResponseFuture<S::Future, C>
    where
        S: Service<R>,
        C: Settle<S::Response, S::Error>,
    {
        let response = self.inner.call(request);
        if self.settle.settles() {
            let shared = Arc::clone(&self.shared);
            return ResponseFuture::settling(response, shared, self.settle.clone(), claim);
        }
        ResponseFuture::free(response)
    }
}

impl<S: Clone, F: Clone, C: Clone, M, L: Clone> Clone for PriorityRateLimit<S, F, C, M, L> {
    fn clone(&self) -> Self {
        let shared = Arc::clone(&self.shared);
        let (facts, settle) = (self.facts.clone(), self.settle.clone());
        Self::new(self.inner.clone(), shared, facts, settle, self.keys.clone())
    }
}

impl<S, F, C, R, L> Service<R> for PriorityRateLimit<S, F, C, Refuse, L>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    F: Facts<R>,
    C: Settle<S::Response, S::Error> + Clone,
    L: Keys<R>,
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
        let (claim, passed) = self.claim(&request);
        if let Err(later) = passed {
            let rank = self.rank(&request, claim.cost);
            if self.shared.keeps_promise(&rank, &claim, later) {
                return self.call_now(request, claim);
            }
            let refusal = self.shared.limited(&rank, &claim, later);
            return match self.shared.reject(refusal) {
                Some(rejected) => ResponseFuture::rejected(rejected),
                None => ResponseFuture::free(self.inner.call(request)),
            };
        }
        self.call_now(request, claim)
    }
}
