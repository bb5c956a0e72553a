//! The timeout that covers readiness: it always answers ready, and drives a clone of the inner
//! service in a response that is bounded as a whole.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_ballast_core::{BoxError, Facts, Readiness};
use tower_service::Service;

use crate::{future::ResponseFuture, limits::Limits, modes::Covers, service::Timeout};

impl<S, F, L, R> Service<R> for Timeout<S, F, L, Covers>
where
    S: Service<R> + Clone,
    S::Error: Into<BoxError>,
    F: Facts<R>,
    L: Limits<R>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<Covered<S, S::Future, R>>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.readiness = Readiness::of(self.inner.poll_ready(cx));
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, mut request: R) -> Self::Future {
        let bound = if self.shared.enforcement.is_off() {
            None
        } else {
            match self.bound(&mut request) {
                Ok(bound) => Some(bound),
                Err(rejected) => {
                    // What was readied for this call is let go.
                    let _ = self.readiness.take().let_go(&mut self.inner);
                    return ResponseFuture::rejected(rejected);
                }
            }
        };
        let state = match self.readiness.take() {
            Readiness::Ready => State::Calling { response: self.inner.call(request) },
            Readiness::Failed(error) => State::Failed { error: Some(error) },
            readiness => {
                let inner = readiness.let_go(&mut self.inner);
                State::Readying { inner, request: Some(request) }
            }
        };
        match bound {
            Some(bound) => ResponseFuture::bounded(Covered { state }, bound, &self.shared),
            None => ResponseFuture::unbounded(Covered { state }),
        }
    }
}

pin_project! {
    /// The answer of an inner service that may have to get ready first.
    #[must_use = "futures do nothing unless polled"]
    pub struct Covered<S, F, R> {
        #[pin]
        state: State<S, F, R>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F, R> {
        Readying { inner: S, request: Option<R> },
        Calling { #[pin] response: F },
        Failed { error: Option<BoxError> },
    }
}

impl<S, R> Future for Covered<S, S::Future, R>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let response = match state.as_mut().project() {
                StateProj::Readying { inner, request } => {
                    ready!(inner.poll_ready(cx)).map_err(Into::into)?;
                    inner.call(request.take().expect("a future is not polled after it is ready"))
                }
                StateProj::Calling { response } => return response.poll(cx).map_err(Into::into),
                StateProj::Failed { error } => {
                    let error = error.take().expect("a future is not polled after it is ready");
                    return Poll::Ready(Err(error));
                }
            };
            state.set(State::Calling { response });
        }
    }
}

impl<S, F, R> fmt::Debug for Covered<S, F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Readying { .. } => "Covered(readying)",
            State::Calling { .. } => "Covered(calling)",
            State::Failed { .. } => "Covered(failed)",
        })
    }
}
