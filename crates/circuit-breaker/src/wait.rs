//! The circuit breaker whose callers may wait: it always answers ready, and its future stands in
//! line before it drives a clone of the inner service.

use std::task::{Context, Poll};

use tower_ballast_core::{BoxError, Classify, Facts, Readiness};
use tower_service::Service;

use crate::{
    future::ResponseFuture,
    line::{self, Entry},
    permit::Permit,
    service::CircuitBreaker,
    waiting::{Slow, Waiting, WaitingFuture},
    waits::Wait,
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
        self.readiness = Readiness::of(self.inner.poll_ready(cx));
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        let readiness = match self.readiness.take() {
            Readiness::Failed(error) => return ResponseFuture::rejected(error).into(),
            readiness => readiness,
        };
        let deadline = self.facts.deadline(&request);
        let (kept, classify) = (self.classify.keep(&request), self.classify.clone());
        let mut permit = Permit::free();
        if !self.shared.enforcement.is_off() {
            match line::enter(&self.shared, deadline) {
                Entry::Go { epoch } => permit = Permit::new(self.shared.lease(), epoch, deadline),
                Entry::Free => {}
                Entry::Stand(standing) => {
                    let slow =
                        Slow::new(readiness.let_go(&mut self.inner), request, classify, kept);
                    return Box::pin(Waiting::standing(slow, standing, deadline)).into();
                }
                Entry::Refused(rejected) => return ResponseFuture::rejected(rejected).into(),
            }
        }
        if !matches!(readiness, Readiness::Ready) {
            let slow = Slow::new(readiness.let_go(&mut self.inner), request, classify, kept);
            return Box::pin(Waiting::readying(slow, permit)).into();
        }
        let inside = permit.enter();
        let response = self.inner.call(request);
        inside.leave();
        ResponseFuture::calling(response, permit, classify, kept).into()
    }
}
