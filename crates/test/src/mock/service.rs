//! The service behind either mock.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower_ballast_core::{BoxError, Rejected};
use tower_layer::Layer;
use tower_service::Service;

use super::{Doorkeeper, MockBreakerLayer, MockLimiterLayer};

/// A service behind a mock.
#[derive(Debug, Clone)]
pub struct Mocked<S> {
    inner: S,
    doorkeeper: Arc<Doorkeeper>,
}

impl<S> Layer<S> for MockBreakerLayer {
    type Service = Mocked<S>;

    fn layer(&self, inner: S) -> Mocked<S> {
        Mocked { inner, doorkeeper: Arc::clone(&self.0) }
    }
}

impl<S> Layer<S> for MockLimiterLayer {
    type Service = Mocked<S>;

    fn layer(&self, inner: S) -> Mocked<S> {
        Mocked { inner, doorkeeper: Arc::clone(&self.0) }
    }
}

impl<S, R> Service<R> for Mocked<S>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = MockedFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let state = match self.doorkeeper.refusal() {
            Some(rejected) => State::Refused { rejected: Some(rejected) },
            None => State::Calling { response: self.inner.call(request) },
        };
        MockedFuture { state }
    }
}

pin_project! {
    /// The answer of a [`Mocked`] service.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct MockedFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    #[derive(Debug)]
    enum State<F> {
        Calling { #[pin] response: F },
        Refused { rejected: Option<Rejected> },
    }
}

impl<F, T, E> Future for MockedFuture<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    type Output = Result<T, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Calling { response } => response.poll(cx).map_err(Into::into),
            StateProj::Refused { rejected } => {
                let rejected = rejected.take().expect("a future is not polled after it is ready");
                Poll::Ready(Err(rejected.into()))
            }
        }
    }
}
