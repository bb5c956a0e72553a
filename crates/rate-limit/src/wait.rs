//! The limiter with a queue: it always answers ready, and its future stands in the queue before it
//! drives a clone of the inner service.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower_ballast_core::{BoxError, Facts, Readiness, clock};
use tower_service::Service;

use crate::{
    adjust::Measure,
    claim::Refused,
    future::ResponseFuture,
    levels::Keys,
    modes::Queue,
    service::PriorityRateLimit,
    settle::Settle,
    standing::{self, Entry, Unspent},
    waiting::{Slow, WaitingFuture},
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

    #[inline]
    fn call(&mut self, request: R) -> Self::Future {
        let readiness = match self.readiness.take() {
            Readiness::Failed(error) => return WaitingFuture::failed(error),
            readiness => readiness,
        };
        if self.shared.enforcement.is_off() {
            return self.free(&readiness, request);
        }
        let (mut claim, passed) = self.claim(&request);
        if passed.is_ok() && matches!(readiness, Readiness::Ready) {
            return self.call_now(request, claim).into();
        }
        let rank = self.rank(&request, claim.cost);
        let entry = match passed {
            Ok(()) => Entry::Passed(Unspent::new(&self.shared, rank, claim)),
            Err(refused @ Refused::Key(_)) => {
                Entry::Refused(self.shared.limited(&rank, &claim, refused))
            }
            Err(refused) if self.shared.passes_ahead(&rank, &mut claim, refused) => {
                Entry::Passed(Unspent::new(&self.shared, rank, claim))
            }
            Err(_) => {
                let deadline = self.facts.deadline(&request);
                standing::join(&self.shared, rank, deadline, claim)
            }
        };
        match entry {
            Entry::Passed(unspent) => {
                WaitingFuture::readying(self.slow(&readiness, request), Some(unspent))
            }
            Entry::Stand(standing) => {
                WaitingFuture::standing(self.slow(&readiness, request), standing)
            }
            Entry::Refused(refusal) => match self.shared.reject(refusal) {
                Some(rejected) => {
                    // What was readied for this call is let go.
                    let _ = readiness.let_go(&mut self.inner);
                    ResponseFuture::rejected(rejected).into()
                }
                None => self.free(&readiness, request),
            },
        }
    }
}

impl<S: Clone, F, C: Clone, L, A> PriorityRateLimit<S, F, C, Queue, L, A> {
    /// A call that nothing is taken for.
    fn free<R>(
        &mut self,
        readiness: &Readiness,
        request: R,
    ) -> WaitingFuture<S, S::Future, R, C, A, A::Gauge>
    where
        S: Service<R>,
        F: Facts<R>,
        A: Measure<R, S::Response, S::Error> + Clone,
    {
        if matches!(readiness, Readiness::Ready) {
            let gauge = self.gauge(&request);
            return ResponseFuture::free(self.inner.call(request), gauge).into();
        }
        WaitingFuture::readying(self.slow(readiness, request), None)
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
