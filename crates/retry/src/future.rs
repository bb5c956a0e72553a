use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_ballast_core::{Classify, Discard, Facts, Replay, clock};
use tower_service::Service;

use crate::attempts::{Attempts, Start};

pin_project! {
    /// The answer to a request that a [`Retry`](crate::Retry) sends as often as it may and must.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, F, R, C, D, Req>
    where
        S: Service<R::Sent>,
        R: Replay<Req>,
        C: Classify<R::Sent, S::Response, S::Error>,
        D: Discard<S::Response>,
    {
        #[pin]
        state: State<S::Future, S::Response, S::Error, D::Rest>,
        // None when nothing will be sent again, whatever happens.
        attempts: Option<Attempts<S, F, R, C, D, Req>>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<Fut, Res, E, Rest> {
        // The rest is what is still to be done for the response before, and seldom there.
        Calling { #[pin] response: Fut, rest: Option<Pin<Box<Rest>>> },
        Waiting { #[pin] delay: Sleep, outcome: Option<Result<Res, E>> },
        // The outcome is kept until the next attempt has really begun.
        Readying { #[pin] patience: Option<Sleep>, outcome: Option<Result<Res, E>> },
    }
}

impl<S, F, R, C, D, Req> ResponseFuture<S, F, R, C, D, Req>
where
    S: Service<R::Sent>,
    R: Replay<Req>,
    C: Classify<R::Sent, S::Response, S::Error>,
    D: Discard<S::Response>,
{
    #[inline]
    pub(crate) const fn calling(
        response: S::Future,
        attempts: Option<Attempts<S, F, R, C, D, Req>>,
    ) -> Self {
        Self { state: State::Calling { response, rest: None }, attempts }
    }
}

impl<S, F, R, C, D, Req> Future for ResponseFuture<S, F, R, C, D, Req>
where
    S: Service<R::Sent>,
    S::Error: 'static,
    F: Facts<R::Sent>,
    R: Replay<Req>,
    C: Classify<R::Sent, S::Response, S::Error>,
    D: Discard<S::Response>,
{
    type Output = Result<S::Response, S::Error>;

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "an outcome handed on in memory stalls as a move does")]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProj::Calling { response, rest } => {
                    if let Some(unfinished) = rest
                        && unfinished.as_mut().poll(cx).is_ready()
                    {
                        *rest = None;
                    }
                    let outcome = ready!(response.poll(cx));
                    let Some(attempts) = this.attempts else {
                        return Poll::Ready(outcome);
                    };
                    match attempts.weigh(outcome.as_ref()) {
                        Some(start) => State::after(outcome, start),
                        None => return Poll::Ready(outcome),
                    }
                }
                StateProj::Waiting { delay, outcome } => {
                    ready!(delay.poll(cx));
                    let outcome = outcome.take();
                    State::Readying { patience: None, outcome }
                }
                StateProj::Readying { patience, outcome } => {
                    let attempts = this.attempts.as_mut().expect("polled after completion");
                    let Some(sent) = ready!(attempts.poll_start(patience, cx)) else {
                        // An instance that is ready and not called must not be kept.
                        *this.attempts = None;
                        let outcome = outcome.take();
                        return Poll::Ready(outcome.expect("kept until an attempt begins"));
                    };
                    let rest = outcome.take().and_then(|outcome| attempts.let_go(outcome, cx));
                    State::Calling { response: attempts.inner.call(sent), rest }
                }
            };
            this.state.set(next);
        }
    }
}

impl<Fut, Res, E, Rest> State<Fut, Res, E, Rest> {
    fn after(outcome: Result<Res, E>, start: Start) -> Self {
        let outcome = Some(outcome);
        match start {
            Some(moment) => Self::Waiting { delay: clock::sleep_until(moment), outcome },
            None => Self::Readying { patience: None, outcome },
        }
    }
}

impl<S, F, R, C, D, Req> fmt::Debug for ResponseFuture<S, F, R, C, D, Req>
where
    S: Service<R::Sent>,
    R: Replay<Req>,
    C: Classify<R::Sent, S::Response, S::Error>,
    D: Discard<S::Response>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Calling { .. } => "calling",
            State::Waiting { .. } => "waiting",
            State::Readying { .. } => "readying",
        };
        f.debug_struct("ResponseFuture")
            .field("state", &state)
            .field("attempts", &self.attempts)
            .finish()
    }
}
