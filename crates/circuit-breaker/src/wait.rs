//! The circuit breaker whose callers may wait: it always answers ready, and its future stands in
//! line before it drives a clone of the inner service.

use std::{
    mem,
    task::{Context, Poll},
};

use tower_ballast_core::{BoxError, Classify, Facts};
use tower_service::Service;

use crate::{
    future::ResponseFuture,
    line::{self, Entry},
    permit::Permit,
    service::CircuitBreaker,
    waiting::{Slow, WaitingFuture},
    waits::{Readiness, Wait},
};

impl<S, C, F, R> Service<R> for CircuitBreaker<S, C, F, Wait>
where
    S: Service<R> + Clone,
    S::Error: Into<BoxError> + 'static,
    C: Classify<R, S::Response, S::Error> + Clone,
    F: Facts<R>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = WaitingFuture<S, S::Future, C, C::Kept, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.readiness = match self.inner.poll_ready(cx) {
            Poll::Ready(Ok(())) => Readiness::Ready,
            Poll::Pending => Readiness::Polled,
            Poll::Ready(Err(error)) => Readiness::Failed(error.into()),
        };
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        let readiness = match mem::take(&mut self.readiness) {
            Readiness::Failed(error) => return WaitingFuture::failed(error),
            readiness => readiness,
        };
        let deadline = self.facts.deadline(&request);
        let (kept, classify) = (self.classify.keep(&request), self.classify.clone());
        let mut permit = None;
        if !self.shared.enforcement.is_off() {
            match line::enter(&self.shared, deadline) {
                Entry::Go { epoch } => permit = Some(Permit::new(self.shared.lease(), epoch)),
                Entry::Free => {}
                Entry::Stand(standing) => {
                    let slow = Slow::new(self.let_go(&readiness), request, classify, kept);
                    return WaitingFuture::standing(slow, standing, deadline);
                }
                Entry::Refused(rejected) => return ResponseFuture::rejected(rejected).into(),
            }
        }
        if let Some(permit) = &mut permit {
            permit.due(deadline);
        }
        if !matches!(readiness, Readiness::Ready) {
            let slow = Slow::new(self.let_go(&readiness), request, classify, kept);
            return WaitingFuture::readying(slow, permit);
        }
        if let Some(permit) = &mut permit {
            permit.enter();
        }
        let response = self.inner.call(request);
        ResponseFuture::calling(response, permit, classify, kept).into()
    }
}

impl<S: Clone, C, F> CircuitBreaker<S, C, F, Wait> {
    /// A fresh clone for a call that cannot be made now. An instance that was asked for its
    /// readiness may hold something, so it is let go.
    fn let_go(&mut self, readiness: &Readiness) -> S {
        let fresh = self.inner.clone();
        if !matches!(readiness, Readiness::Unknown) {
            self.inner = fresh.clone();
        }
        fresh
    }
}
