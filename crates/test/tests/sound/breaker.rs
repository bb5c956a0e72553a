use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tower::{BoxError, Layer, Service};
use tower_ballast_core::clock::{self, Nanos};

/// Refuses for a minute after so many failures in a row.
#[derive(Clone)]
pub(crate) struct Breaker {
    state: Arc<State>,
    most: u32,
}

struct State {
    failures: AtomicU32,
    in_flight: AtomicU32,
    last: AtomicU64,
}

impl Breaker {
    pub(crate) fn new(most: u32) -> Self {
        let (failures, in_flight) = (AtomicU32::new(0), AtomicU32::new(0));
        Self { state: Arc::new(State { failures, in_flight, last: AtomicU64::new(0) }), most }
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.state.in_flight.load(Ordering::SeqCst)
    }
}

impl<S> Layer<S> for Breaker {
    type Service = Broken<S>;

    fn layer(&self, inner: S) -> Broken<S> {
        Broken { inner, breaker: self.clone() }
    }
}

#[derive(Clone)]
pub(crate) struct Broken<S> {
    inner: S,
    breaker: Breaker,
}

impl<S> Service<u32> for Broken<S>
where
    S: Service<u32, Response = u32, Error: Into<BoxError>, Future: Send + 'static>,
{
    type Response = u32;
    type Error = BoxError;
    type Future = Guarded<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: u32) -> Self::Future {
        let state = &self.breaker.state;
        let last = Nanos::from_nanos(state.last.load(Ordering::SeqCst));
        let is_fresh = clock::now().since(last) < Duration::from_secs(60);
        let response = if is_fresh && state.failures.load(Ordering::SeqCst) >= self.breaker.most {
            None
        } else {
            Some(Box::pin(self.inner.call(request)))
        };
        Guarded { response, running: Running::new(state) }
    }
}

pub(crate) struct Guarded<F> {
    response: Option<Pin<Box<F>>>,
    running: Running,
}

struct Running(Arc<State>);

impl Running {
    fn new(state: &Arc<State>) -> Self {
        state.in_flight.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(state))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<F: Future<Output = Result<u32, E>>, E: Into<BoxError>> Future for Guarded<F> {
    type Output = Result<u32, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(response) = &mut self.response else {
            return Poll::Ready(Err("refused".into()));
        };
        let outcome = ready!(response.as_mut().poll(cx));
        let state = &self.running.0;
        if outcome.is_ok() {
            state.failures.store(0, Ordering::SeqCst);
        } else {
            state.failures.fetch_add(1, Ordering::SeqCst);
            state.last.store(clock::now().as_nanos(), Ordering::SeqCst);
        }
        Poll::Ready(outcome.map_err(Into::into))
    }
}

/// Answers every error with the number 0, so it has no error of its own.
#[derive(Clone)]
pub(crate) struct Answered;

impl<S> Layer<S> for Answered {
    type Service = Answering<S>;

    fn layer(&self, inner: S) -> Answering<S> {
        Answering { inner, owes_answer: false }
    }
}

pub(crate) struct Answering<S> {
    inner: S,
    owes_answer: bool,
}

impl<S: Clone> Clone for Answering<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), owes_answer: false }
    }
}

impl<S: Service<u32, Response = u32, Future: Send + 'static>> Service<u32> for Answering<S> {
    type Response = u32;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<u32, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.owes_answer = ready!(self.inner.poll_ready(cx)).is_err();
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> Self::Future {
        if std::mem::take(&mut self.owes_answer) {
            return Box::pin(std::future::ready(Ok(0)));
        }
        let response = self.inner.call(request);
        Box::pin(async move { Ok(response.await.unwrap_or(0)) })
    }
}
