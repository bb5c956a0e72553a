//! The bulkhead with a queue: it always answers ready, and its future stands in the queue before
//! it drives a clone of the inner service.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tower_ballast_core::{BoxError, Facts, Hold, Readiness, Reason, ranks::Rank};
use tower_service::Service;

use crate::{
    future::ResponseFuture,
    modes::Queue,
    partitions::Divide,
    permit::Permit,
    service::Bulkhead,
    standing::{self, Entry},
    waiting::{Slow, Waiting, WaitingFuture},
};

impl<S, F, H, P, R> Service<R> for Bulkhead<S, F, Queue, H, P>
where
    S: Service<R> + Clone,
    S::Error: Into<BoxError>,
    F: Facts<R>,
    H: Hold<S::Response, Permit> + Clone,
    P: Divide<R>,
{
    type Response = H::Response;
    type Error = BoxError;
    type Future = WaitingFuture<S, S::Future, R, H>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.readiness = Readiness::of(self.inner.poll_ready(cx));
        Poll::Ready(Ok(()))
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn call(&mut self, request: R) -> Self::Future {
        if matches!(self.readiness, Readiness::Ready) {
            let shared = self.shared(&request);
            if !shared.enforcement.is_off()
                && let Some(permit) = Permit::try_new(shared)
            {
                shared.found_ready();
                self.readiness = Readiness::Unknown;
                let response = self.inner.call(request);
                return ResponseFuture::calling(response, Some(permit), self.hold.clone()).into();
            }
        }
        match self.call_slowly(request) {
            Ok(response) => response.into(),
            Err(waiting) => waiting.into(),
        }
    }
}

/// The call that was made, or its rejection; or else what waits.
type Called<S, F, R, H> = Result<ResponseFuture<F, H>, Pin<Box<Waiting<S, R, H>>>>;

impl<S, F, H, P> Bulkhead<S, F, Queue, H, P> {
    /// When not all is there at once: the service, and a permit.
    // Its answer is not yet the future: whoever hands that on in memory cannot build it in place.
    #[cold]
    #[inline(never)]
    fn call_slowly<R>(&mut self, request: R) -> Called<S, S::Future, R, H>
    where
        S: Service<R> + Clone,
        S::Error: Into<BoxError>,
        F: Facts<R>,
        H: Clone,
        P: Divide<R>,
    {
        let readiness = match self.readiness.take() {
            Readiness::Failed(error) => return Ok(ResponseFuture::rejected(error)),
            readiness => readiness,
        };
        let is_ready = matches!(readiness, Readiness::Ready);
        let permit = match self.enter(&request, &readiness) {
            Ok(Entry::Go(permit)) => Some(permit),
            Ok(Entry::Free) => None,
            Ok(Entry::Stand(standing)) => {
                let slow = self.slow(request, &readiness);
                return Err(Box::pin(Waiting::standing(slow, standing)));
            }
            Err(rejected) => {
                // What was readied for this call is let go.
                let _ = readiness.let_go(&mut self.inner);
                return Ok(ResponseFuture::rejected(rejected));
            }
        };
        if is_ready {
            let response = self.inner.call(request);
            return Ok(ResponseFuture::calling(response, permit, self.hold.clone()));
        }
        Err(Box::pin(Waiting::readying(self.slow(request, &readiness), permit)))
    }

    /// A permit, a place in the queue, or the error of who gets neither.
    fn enter<R>(&self, request: &R, readiness: &Readiness) -> Result<Entry, BoxError>
    where
        F: Facts<R>,
        P: Divide<R>,
    {
        let shared = self.shared(request);
        if matches!(readiness, Readiness::Ready) {
            shared.found_ready();
        }
        if shared.enforcement.is_off() {
            return Ok(Entry::Free);
        }
        if matches!(readiness, Readiness::Polled) && shared.is_unready_for_too_long() {
            return shared.reject(Reason::NotReady).map_or(Ok(Entry::Free), Err);
        }
        if let Some(permit) = Permit::try_new(shared) {
            return Ok(Entry::Go(permit));
        }
        let rank = Rank {
            class: self.facts.priority(request).unwrap_or_default(),
            client: self.facts.key(request),
            cost: 1,
        };
        let joined = standing::join(shared, rank, self.facts.deadline(request));
        joined.or_else(|reason| shared.reject(reason).map_or(Ok(Entry::Free), Err))
    }

    fn slow<R>(&mut self, request: R, readiness: &Readiness) -> Slow<S, R, H>
    where
        S: Clone,
        F: Facts<R>,
        H: Clone,
    {
        let deadline = self.facts.deadline(&request);
        Slow::new(readiness.let_go(&mut self.inner), request, deadline, self.hold.clone())
    }
}
