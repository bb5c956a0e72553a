use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_ballast_core::{BoxError, Classify, Deadline, clock};
use tower_service::Service;

use crate::{
    future::ResponseFuture,
    line::{Standing, Turn},
    permit::Permit,
};

pin_project! {
    /// The answer of a [`CircuitBreaker`](crate::CircuitBreaker) whose callers may wait.
    #[must_use = "futures do nothing unless polled"]
    pub struct WaitingFuture<S, F, C, K, R> {
        #[pin]
        state: State<S, F, C, K, R>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F, C, K, R> {
        Standing {
            slow: Option<Slow<S, C, K, R>>,
            standing: Standing,
            deadline: Option<Deadline>,
            #[pin]
            timer: Option<Sleep>,
        },
        Readying { slow: Option<Slow<S, C, K, R>>, permit: Permit },
        Calling { #[pin] response: ResponseFuture<F, C, K, R> },
        Failed { error: Option<BoxError> },
    }
}

/// What a call needs that cannot be made at once.
pub(crate) struct Slow<S, C, K, R> {
    inner: S,
    request: R,
    classify: C,
    kept: K,
}

impl<S, C, K, R> Slow<S, C, K, R> {
    pub(crate) const fn new(inner: S, request: R, classify: C, kept: K) -> Self {
        Self { inner, request, classify, kept }
    }
}

impl<S, F, C, K, R> WaitingFuture<S, F, C, K, R> {
    pub(crate) fn standing(
        slow: Slow<S, C, K, R>,
        standing: Standing,
        deadline: Option<Deadline>,
    ) -> Self {
        Self { state: State::Standing { slow: Some(slow), standing, deadline, timer: None } }
    }

    pub(crate) fn readying(slow: Slow<S, C, K, R>, permit: Permit) -> Self {
        Self { state: State::Readying { slow: Some(slow), permit } }
    }

    pub(crate) fn failed(error: BoxError) -> Self {
        Self { state: State::Failed { error: Some(error) } }
    }
}

impl<S, F, C, K, R> From<ResponseFuture<F, C, K, R>> for WaitingFuture<S, F, C, K, R> {
    fn from(response: ResponseFuture<F, C, K, R>) -> Self {
        Self { state: State::Calling { response } }
    }
}

impl<S, C, R> Future for WaitingFuture<S, S::Future, C, C::Kept, R>
where
    S: Service<R>,
    S::Error: Into<BoxError> + 'static,
    C: Classify<R, S::Response, S::Error>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Standing { slow, standing, deadline, timer } => {
                    match ready!(poll_turn(standing, timer, cx)) {
                        Turn::Go { epoch } => {
                            let permit = Permit::new(standing.lease(), epoch, *deadline);
                            State::Readying { slow: slow.take(), permit }
                        }
                        Turn::Over(refusal) => {
                            let rejected = standing.shared().refuse(refusal);
                            State::Calling { response: ResponseFuture::rejected(rejected) }
                        }
                    }
                }
                StateProj::Readying { slow, permit } => {
                    let waiting = slow.as_mut().expect("kept until the service is ready");
                    if let Err(error) = ready!(waiting.inner.poll_ready(cx)) {
                        State::Failed { error: Some(error.into()) }
                    } else {
                        let Some(Slow { mut inner, request, classify, kept }) = slow.take() else {
                            continue;
                        };
                        let mut permit = mem::replace(permit, Permit::free());
                        let inside = permit.enter();
                        let response = inner.call(request);
                        inside.leave();
                        State::Calling {
                            response: ResponseFuture::calling(response, permit, classify, kept),
                        }
                    }
                }
                StateProj::Calling { response } => return response.poll(cx),
                StateProj::Failed { error } => {
                    let error = error.take().expect("a future is not polled after it is ready");
                    return Poll::Ready(Err(error));
                }
            };
            state.set(next);
        }
    }
}

/// Looks, and sleeps until there is something new to see.
fn poll_turn(
    standing: &mut Standing,
    mut timer: Pin<&mut Option<Sleep>>,
    cx: &mut Context<'_>,
) -> Poll<Turn> {
    loop {
        let until = match standing.look(cx.waker()) {
            Ok(turn) => return Poll::Ready(turn),
            Err(until) => until,
        };
        match timer.as_mut().as_pin_mut() {
            Some(timer) => timer.reset(clock::instant(until)),
            None => timer.set(Some(clock::sleep_until(until))),
        }
        ready!(timer.as_mut().as_pin_mut().expect("set above").poll(cx));
    }
}

impl<S, F, C, K, R> std::fmt::Debug for WaitingFuture<S, F, C, K, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.state {
            State::Standing { .. } => f.write_str("WaitingFuture(standing)"),
            State::Readying { .. } => f.write_str("WaitingFuture(readying)"),
            State::Calling { response } => response.fmt(f),
            State::Failed { .. } => f.write_str("WaitingFuture(failed)"),
        }
    }
}
