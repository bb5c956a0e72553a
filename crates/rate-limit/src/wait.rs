//! The limiter with a queue: it always answers ready, and its future stands in the queue before it
//! drives a clone of the inner service.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tower_ballast_core::{BoxError, Facts, Readiness, clock};
use tower_service::Service;

use crate::{
    adjust::Measure,
    claim::{Claim, Refused},
    future::ResponseFuture,
    levels::Keys,
    modes::Queue,
    service::PriorityRateLimit,
    settle::Settle,
    standing::{self, Entry, Unspent},
    waiting::{Slow, Waiting, WaitingFuture},
};

impl<S, F, C, R, L, A> Service<R> for PriorityRateLimit<S, F, C, Queue, L, A>
where
    S: Service<R> + Clone,
    S::Error: Into<BoxError>,
    F: Facts<R>,
    C: Settle<S::Response, S::Error> + Clone,
    L: Keys<R>,
    A: Measure<R, S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = WaitingFuture<S, S::Future, R, C, A, A::Gauge>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.readiness = Readiness::of(self.inner.poll_ready(cx));
        Poll::Ready(Ok(()))
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn call(&mut self, request: R) -> Self::Future {
        let mut refused = None;
        if matches!(self.readiness, Readiness::Ready) && !self.shared.enforcement.is_off() {
            match self.claim(&request) {
                (claim, Ok(())) => {
                    self.readiness = Readiness::Unknown;
                    return self.call_now(request, claim).into();
                }
                (claim, Err(why)) => refused = Some((claim, why)),
            }
        }
        match self.call_slowly(request, refused) {
            Ok(response) => response.into(),
            Err(waiting) => waiting.into(),
        }
    }
}

/// The call that was made, or its rejection; or else what waits.
type Called<S, F, R, C, A, G> = Result<ResponseFuture<F, C, G>, Pin<Box<Waiting<S, R, C, A>>>>;

impl<S: Clone, F, C: Clone, L, A> PriorityRateLimit<S, F, C, Queue, L, A> {
    /// When not all is there at once: what the call takes, and the service. What it was `refused` before
    /// is not asked for again.
    // Its answer is not yet the future: whoever hands that on in memory cannot build it in place.
    #[cold]
    #[inline(never)]
    fn call_slowly<R>(
        &mut self,
        request: R,
        refused: Option<(Claim, Refused)>,
    ) -> Called<S, S::Future, R, C, A, A::Gauge>
    where
        S: Service<R>,
        F: Facts<R>,
        C: Settle<S::Response, S::Error>,
        L: Keys<R>,
        A: Measure<R, S::Response, S::Error> + Clone,
    {
        let readiness = match self.readiness.take() {
            Readiness::Failed(error) => return Ok(ResponseFuture::rejected(error)),
            readiness => readiness,
        };
        let (mut claim, passed) = match refused {
            Some((claim, refused)) => (claim, Err(refused)),
            None if self.shared.enforcement.is_off() => return self.free(&readiness, request),
            None => self.claim(&request),
        };
        let rank = self.rank(&request, claim.cost);
        let entry = match passed {
            Ok(()) => Entry::Passed(Unspent::new(&self.shared, rank, claim)),
            Err(refused @ Refused::Key(_)) => {
                Entry::Refused(self.shared.limited(&rank, &claim, refused))
            }
            Err(refused) if self.shared.passes_ahead(&rank, &mut claim, refused) => {
                if matches!(readiness, Readiness::Ready) {
                    return Ok(self.call_now(request, claim));
                }
                Entry::Passed(Unspent::new(&self.shared, rank, claim))
            }
            Err(_) => {
                let deadline = self.facts.deadline(&request);
                standing::join(&self.shared, rank, deadline, claim)
            }
        };
        match entry {
            Entry::Passed(unspent) => {
                Err(Box::pin(Waiting::readying(self.slow(&readiness, request), Some(unspent))))
            }
            Entry::Stand(standing) => {
                Err(Box::pin(Waiting::standing(self.slow(&readiness, request), standing)))
            }
            Entry::Refused(refusal) => match self.shared.reject(refusal) {
                Some(rejected) => {
                    // What was readied for this call is let go.
                    let _ = readiness.let_go(&mut self.inner);
                    Ok(ResponseFuture::rejected(rejected))
                }
                None => self.free(&readiness, request),
            },
        }
    }

    /// A call that nothing is taken for.
    fn free<R>(
        &mut self,
        readiness: &Readiness,
        request: R,
    ) -> Called<S, S::Future, R, C, A, A::Gauge>
    where
        S: Service<R>,
        F: Facts<R>,
        A: Measure<R, S::Response, S::Error> + Clone,
    {
        if matches!(readiness, Readiness::Ready) {
            let gauge = self.gauge(&request);
            return Ok(ResponseFuture::free(self.inner.call(request), gauge));
        }
        Err(Box::pin(Waiting::readying(self.slow(readiness, request), None)))
    }

    /// Measures a call that nothing is taken for, unless the layer is off.
    fn gauge<R>(&self, request: &R) -> A::Gauge
    where
        S: Service<R>,
        A: Measure<R, S::Response, S::Error>,
    {
        if self.shared.enforcement.is_off() {
            return A::Gauge::default();
        }
        self.measure.begin(&self.shared, request, clock::now)
    }

    fn slow<R>(&mut self, readiness: &Readiness, request: R) -> Slow<S, R, C, A>
    where
        F: Facts<R>,
        A: Clone,
    {
        let deadline = self.facts.deadline(&request);
        let inner = readiness.let_go(&mut self.inner);
        let (settle, measure) = (self.settle.clone(), self.measure.clone());
        Slow { inner, request, deadline, settle, measure, shared: Arc::clone(&self.shared) }
    }
}
