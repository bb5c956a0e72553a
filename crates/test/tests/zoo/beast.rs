use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use tower::{Layer, Service};
use tower_ballast_test::{ScriptError, Scripted};

pub(super) type Inner = Scripted<u32, u32, ScriptError>;
pub(super) type Outcome = Result<u32, ScriptError>;
pub(super) type Response = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A layer that is an identity but for the one thing that is done wrong. `T` is what it keeps:
/// an `Arc` is shared by all, anything else each service has for itself.
#[derive(Clone)]
pub(super) struct Beast<T> {
    kept: T,
    poll_ready: PollReady<T>,
    call: Call<T>,
}

type PollReady<T> = fn(&mut Cage<T>, &mut Context<'_>) -> Poll<Result<(), ScriptError>>;
type Call<T> = fn(&mut Cage<T>, u32) -> Response;

/// What the beast has at hand.
#[derive(Clone)]
pub(super) struct Cage<T> {
    pub(super) inner: Inner,
    pub(super) kept: T,
}

#[derive(Clone)]
pub(super) struct Caged<T> {
    cage: Cage<T>,
    poll_ready: PollReady<T>,
    call: Call<T>,
}

impl<T> Beast<T> {
    pub(super) fn new(kept: T) -> Self {
        Self {
            kept,
            poll_ready: |cage, cx| cage.inner.poll_ready(cx),
            call: |cage, request| Box::pin(cage.inner.call(request)),
        }
    }

    pub(super) fn kept(&self) -> &T {
        &self.kept
    }

    pub(super) fn poll_ready(self, poll_ready: PollReady<T>) -> Self {
        Self { poll_ready, ..self }
    }

    pub(super) fn call(self, call: Call<T>) -> Self {
        Self { call, ..self }
    }
}

impl<T: Clone> Layer<Inner> for Beast<T> {
    type Service = Caged<T>;

    fn layer(&self, inner: Inner) -> Caged<T> {
        let cage = Cage { inner, kept: self.kept.clone() };
        Caged { cage, poll_ready: self.poll_ready, call: self.call }
    }
}

impl<T> Service<u32> for Caged<T> {
    type Response = u32;
    type Error = ScriptError;
    type Future = Response;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ScriptError>> {
        (self.poll_ready)(&mut self.cage, cx)
    }

    fn call(&mut self, request: u32) -> Response {
        (self.call)(&mut self.cage, request)
    }
}

type PollResponse<T> =
    fn(Pin<&mut (dyn Future<Output = Outcome> + Send)>, &mut T, &mut Context<'_>) -> Poll<Outcome>;

/// A response whose polls go through a closure.
pub(super) fn polled<T: Send + 'static>(
    response: impl Future<Output = Outcome> + Send + 'static,
    mut kept: T,
    poll: PollResponse<T>,
) -> Response {
    let mut response = Box::pin(response);
    Box::pin(std::future::poll_fn(move |cx| poll(response.as_mut(), &mut kept, cx)))
}
