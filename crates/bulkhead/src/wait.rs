//! The bulkhead with a queue: it always answers ready, and its future stands in the queue before
//! it drives a clone of the inner service.

use std::task::{Context, Poll};

use tower_ballast_core::{BoxError, Facts, Hold, Readiness, Reason, clock, ranks::Rank};
use tower_service::Service;

use crate::{
    future::ResponseFuture,
    modes::Queue,
    permit::Permit,
    service::Bulkhead,
    standing::{self, Entry},
    waiting::{Slow, WaitingFuture},
};

impl<S, F, H, R> Service<R> for Bulkhead<S, F, Queue, H>
where
    S: Service<R> + Clone,
    S::Error: Into<BoxError>,
    F: Facts<R>,
    H: Hold<S::Response, Permit> + Clone,
{
    type Response = H::Response;
    type Error = BoxError;
    type Future = WaitingFuture<S, S::Future, R, H>;

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
        if matches!(readiness, Readiness::Ready) {
            self.shared.found_ready();
        }
        let mut permit = None;
        if !self.shared.enforcement.is_off() {
            if let Some(refused) = self.refuse_unready(&readiness) {
                return refused;
            }
            let entry = match Permit::try_new(&self.shared) {
                Some(permit) => Entry::Go(permit),
                None => self.join(&request),
            };
            match entry {
                Entry::Go(granted) => permit = Some(granted),
                Entry::Stand(standing) => {
                    let deadline = self.facts.deadline(&request);
                    let inner = readiness.let_go(&mut self.inner);
                    let slow = Slow::new(inner, request, deadline, self.hold.clone());
                    return WaitingFuture::standing(slow, standing);
                }
                Entry::Refused(reason) => {
                    if let Some(rejected) = self.shared.reject(reason) {
                        // What was readied for this call is let go.
                        let _ = readiness.let_go(&mut self.inner);
                        return ResponseFuture::rejected(rejected).into();
                    }
                }
            }
        }
        if matches!(readiness, Readiness::Ready) {
            let hold = self.hold.clone();
            return ResponseFuture::calling(self.inner.call(request), permit, hold).into();
        }
        let deadline = self.facts.deadline(&request);
        let inner = readiness.let_go(&mut self.inner);
        let slow = Slow::new(inner, request, deadline, self.hold.clone());
        WaitingFuture::readying(slow, permit)
    }
}

impl<S: Clone, F, H> Bulkhead<S, F, Queue, H> {
    #[cold]
    fn join<R>(&self, request: &R) -> Entry
    where
        F: Facts<R>,
    {
        let rank = Rank {
            class: self.facts.priority(request).unwrap_or_default(),
            client: self.facts.key(request),
            cost: 1,
        };
        standing::join(&self.shared, rank, self.facts.deadline(request))
    }

    /// Refuses when the inner service has not been ready for too long. That it was asked just
    /// before is what finds it ready again.
    fn refuse_unready<C, R>(&mut self, readiness: &Readiness) -> Option<WaitingFuture<S, C, R, H>> {
        if !matches!(readiness, Readiness::Polled) {
            return None;
        }
        let until = self.shared.found_unready()?;
        if clock::now() < until {
            return None;
        }
        let rejected = self.shared.reject(Reason::NotReady)?;
        let _ = readiness.let_go(&mut self.inner);
        Some(ResponseFuture::rejected(rejected).into())
    }
}
