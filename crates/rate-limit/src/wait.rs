//! The limiter with a queue: it always answers ready, and its future stands in the queue before it
//! drives a clone of the inner service.

use std::task::{Context, Poll};

use tower_ballast_core::{BoxError, Facts, Readiness};
use tower_service::Service;

use crate::{
    claim::Refused,
    future::ResponseFuture,
    levels::Keys,
    modes::Queue,
    service::PriorityRateLimit,
    settle::Settle,
    standing::{self, Entry, Unspent},
    waiting::{Slow, WaitingFuture},
};

impl<S, F, C, R, L> Service<R> for PriorityRateLimit<S, F, C, Queue, L>
where
    S: Service<R> + Clone,
    S::Error: Into<BoxError>,
    F: Facts<R>,
    C: Settle<S::Response, S::Error> + Clone,
    L: Keys<R>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = WaitingFuture<S, S::Future, R, C>;

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
        let (claim, passed) = self.claim(&request);
        if passed.is_ok() && matches!(readiness, Readiness::Ready) {
            return self.call_now(request, claim).into();
        }
        let rank = self.rank(&request, claim.cost);
        let entry = match passed {
            Ok(()) => Entry::Passed(Unspent::new(&self.shared, rank, claim)),
            Err(refused @ Refused::Key(_)) => {
                Entry::Refused(self.shared.limited(&rank, &claim, refused))
            }
            Err(refused) if self.shared.keeps_promise(&rank, &claim, refused) => {
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

impl<S: Clone, F, C: Clone, L> PriorityRateLimit<S, F, C, Queue, L> {
    /// A call that nothing is taken for.
    fn free<R>(&mut self, readiness: &Readiness, request: R) -> WaitingFuture<S, S::Future, R, C>
    where
        S: Service<R>,
        F: Facts<R>,
    {
        if matches!(readiness, Readiness::Ready) {
            return ResponseFuture::free(self.inner.call(request)).into();
        }
        WaitingFuture::readying(self.slow(readiness, request), None)
    }

    fn slow<R>(&mut self, readiness: &Readiness, request: R) -> Slow<S, R, C>
    where
        F: Facts<R>,
    {
        let deadline = self.facts.deadline(&request);
        let inner = readiness.let_go(&mut self.inner);
        Slow { inner, request, deadline, settle: self.settle.clone() }
    }
}
