use std::{
    marker::PhantomData,
    sync::Arc,
    task::{Context, Poll},
};

use tower_ballast_core::{BoxError, Facts, Readiness, clock, ranks::Rank};
use tower_service::Service;

use crate::{
    adjust::Measure,
    claim::{Claim, Refused},
    future::ResponseFuture,
    levels::Keys,
    modes::Refuse,
    settle::Settle,
    shared::Shared,
};

/// Limits the rate at which requests reach the inner service. Made by
/// [`PriorityRateLimitLayer`](crate::PriorityRateLimitLayer).
#[derive(Debug)]
pub struct PriorityRateLimit<S, F = (), C = (), M = Refuse, L = (), A = ()> {
    pub(crate) inner: S,
    pub(crate) shared: Arc<Shared>,
    pub(crate) facts: F,
    pub(crate) settle: C,
    pub(crate) keys: L,
    pub(crate) measure: A,
    /// What the inner service last said of itself; only asked when callers may wait.
    pub(crate) readiness: Readiness,
    mode: PhantomData<fn() -> M>,
}

impl<S, F, C, M, L, A> PriorityRateLimit<S, F, C, M, L, A> {
    pub(crate) fn new(
        inner: S,
        shared: Arc<Shared>,
        facts: F,
        settle: C,
        keys: L,
        measure: A,
    ) -> Self {
        Self {
            inner,
            shared,
            facts,
            settle,
            keys,
            measure,
            readiness: Readiness::Unknown,
            mode: PhantomData,
        }
    }

    /// Tries to take what the request asks for, of all limits or of none.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "an answer handed on in memory stalls as a move does")]
    pub(crate) fn claim<R>(&self, request: &R) -> (Claim, Result<(), Refused>)
    where
        S: Service<R>,
        F: Facts<R>,
        L: Keys<R>,
        A: Measure<R, S::Response, S::Error>,
    {
        let (now, cost) = (clock::now(), self.facts.cost(request).get());
        self.measure.come_by(&self.shared, now);
        let mut claim = Claim::new(now, cost);
        self.keys.fill(request, &mut claim);
        let passed = self.shared.take(&mut claim);
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

impl<S, F, C: Clone, M, L, A> PriorityRateLimit<S, F, C, M, L, A> {
    /// Makes a call that has passed.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) fn call_now<R>(
        &mut self,
        request: R,
        claim: Claim,
    ) -> ResponseFuture<S::Future, C, A::Gauge>
    where
        S: Service<R>,
        C: Settle<S::Response, S::Error>,
        A: Measure<R, S::Response, S::Error>,
    {
        let unsent = Unsent { shared: &self.shared, claim: &claim };
        let gauge = self.measure.begin(&self.shared, &request, || claim.taken);
        std::mem::forget(unsent);
        let response = self.inner.call(request);
        if self.settle.settles() {
            let shared = Arc::clone(&self.shared);
            return ResponseFuture::settling(response, shared, self.settle.clone(), claim, gauge);
        }
        ResponseFuture::free(response, gauge)
    }
}

/// What a call has taken while a closure of the user runs: should that panic, it is given back.
struct Unsent<'a> {
    shared: &'a Shared,
    claim: &'a Claim,
}

impl Drop for Unsent<'_> {
    #[cold]
    fn drop(&mut self) {
        self.shared.give_back(self.claim);
    }
}

impl<S: Clone, F: Clone, C: Clone, M, L: Clone, A: Clone> Clone
    for PriorityRateLimit<S, F, C, M, L, A>
{
    fn clone(&self) -> Self {
        let shared = Arc::clone(&self.shared);
        let (facts, settle) = (self.facts.clone(), self.settle.clone());
        let (keys, measure) = (self.keys.clone(), self.measure.clone());
        Self::new(self.inner.clone(), shared, facts, settle, keys, measure)
    }
}

impl<S, F, C, R, L, A> Service<R> for PriorityRateLimit<S, F, C, Refuse, L, A>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    F: Facts<R>,
    C: Settle<S::Response, S::Error> + Clone,
    L: Keys<R>,
    A: Measure<R, S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future, C, A::Gauge>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn call(&mut self, request: R) -> Self::Future {
        if self.shared.enforcement.is_off() {
            return ResponseFuture::free(self.inner.call(request), A::Gauge::default());
        }
        let (mut claim, passed) = self.claim(&request);
        if let Err(later) = passed {
            let rank = self.rank(&request, claim.cost);
            if self.shared.passes_ahead(&rank, &mut claim, later) {
                return self.call_now(request, claim);
            }
            let refusal = self.shared.limited(&rank, &claim, later);
            if let Some(rejected) = self.shared.reject(refusal) {
                return ResponseFuture::rejected(rejected);
            }
            let gauge = self.measure.begin(&self.shared, &request, || claim.taken);
            return ResponseFuture::free(self.inner.call(request), gauge);
        }
        self.call_now(request, claim)
    }
}
