use std::task::{Context, Poll};

use tower_ballast_core::{ByResult, Classify, Facts, Replay, Spread};
use tower_service::Service;

use crate::{
    future::{self, ResponseFuture},
    shared::Shared,
    through::{Call, ThroughFuture},
    way::{Made, Make, Through},
};

/// Answers with something else when the inner service fails. Made by
/// [`FallbackLayer`](crate::FallbackLayer).
#[derive(Debug)]
pub struct Fallback<S, W, C = ByResult, F = ()> {
    pub(crate) inner: S,
    pub(crate) shared: Spread<Shared<W>>,
    pub(crate) classify: C,
    pub(crate) facts: F,
}

impl<S: Clone, W, C: Clone, F: Clone> Clone for Fallback<S, W, C, F> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: self.shared.clone(),
            classify: self.classify.clone(),
            facts: self.facts.clone(),
        }
    }
}

impl<S, W, C, F, R> Service<R> for Fallback<S, Made<W>, C, F>
where
    S: Service<R>,
    S::Error: 'static,
    W: Make<R, S::Response, S::Error>,
    C: Classify<R, S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, W, W::Kept, C, C::Kept, R>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: R) -> Self::Future {
        if self.shared.state.enforcement.is_off() {
            return ResponseFuture::new(self.inner.call(request), None);
        }
        let call = future::Call {
            shared: self.shared.lease(),
            classify: self.classify.clone(),
            kept: self.classify.keep(&request),
            of_request: self.shared.way.0.keep(&request),
        };
        ResponseFuture::new(self.inner.call(request), Some(call))
    }
}

impl<S, T, P, C, F, R> Service<R> for Fallback<S, Through<T, P>, C, F>
where
    P: Replay<R>,
    S: Service<P::Sent>,
    S::Error: 'static,
    T: Service<P::Sent, Response = S::Response> + Clone,
    C: Classify<P::Sent, S::Response, S::Error> + Clone,
    F: Facts<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ThroughFuture<S, T, P, C, R>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: R) -> Self::Future {
        let keep = !self.shared.state.enforcement.is_off();
        let deadline = if keep { self.facts.deadline(&request) } else { None };
        let (sent, spare) = self.shared.way.replay.first(request, keep);
        let call = spare.is_some().then(|| Call {
            shared: self.shared.lease(),
            classify: self.classify.clone(),
            kept: self.classify.keep(&sent),
            deadline,
        });
        ThroughFuture::new(self.inner.call(sent), call, spare)
    }
}
