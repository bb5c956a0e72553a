use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_ballast_core::BoxError;
use tower_service::Service;

use super::{
    answer::{Answer, Form},
    body::RespondBody,
    future::ResponseFuture,
    layer::Shared,
};

/// Answers clients in place of errors. Made by [`RespondLayer`](crate::RespondLayer).
#[derive(Debug)]
pub struct Respond<S> {
    inner: S,
    shared: Arc<Shared>,
    /// For a failure to become ready, which the next call answers for.
    owed: Option<Answer>,
}

impl<S> Respond<S> {
    pub(super) const fn new(inner: S, shared: Arc<Shared>) -> Self {
        Self { inner, shared, owed: None }
    }
}

/// A clone owes no answer: it was not asked whether it is ready.
impl<S: Clone> Clone for Respond<S> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), Arc::clone(&self.shared))
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Respond<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    S::Error: Into<BoxError>,
{
    type Response = Response<RespondBody<ResBody>>;
    type Error = Infallible;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.owed.is_none() {
            match self.inner.poll_ready(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => self.owed = Some(self.shared.answer(&error.into())),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let form = Form::of(&request);
        match self.owed.take() {
            Some(answer) => ResponseFuture::answered(answer, form),
            None => {
                ResponseFuture::calling(self.inner.call(request), form, Arc::clone(&self.shared))
            }
        }
    }
}
