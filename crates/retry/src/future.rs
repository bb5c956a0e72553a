use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_ballast_core::{Classify, Facts, Replay, clock};
use tower_service::Service;

use crate::attempts::{Attempts, Start};

pin_project! {
    /// The answer to a request that a [`Retry`](crate::Retry) sends as often as it may and must.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, F, R, C, Req>
    where
        S: Service<R::Sent>,
        R: Replay<Req>,
        C: Classify<R::Sent, S::Response, S::Error>,
    {
        #[pin]
        state: State<S::Future, S::Response, S::Error>,
        // None when nothing will be sent again, whatever happens.
        attempts: Option<Attempts<S, F, R, C, Req>>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<Fut, Res, E> {
        Calling { #[pin] response: Fut },
        Waiting { #[pin] delay: Sleep, outcome: Option<Result<Res, E>> },
        // The outcome is kept until the next attempt has really begun.
        Readying { #[pin] patience: Option<Sleep>, outcome: Option<Result<Res, E>> },
    }
}

impl<S, F, R, C, Req> ResponseFuture<S, F, R, C, Req>
where
    S: Service<R::Sent>,
    R: Replay<Req>,
    C: Classify<R::Sent, S::Response, S::Error>,
{
    #[inline]
    pub(crate) const fn calling(
        response: S::Future,
        attempts: Option<Attempts<S, F, R, C, Req>>,
    ) -> Self {
        Self { state: State::Calling { response }, attempts }
    }
}

impl<S, F, R, C, Req> Future for ResponseFuture<S, F, R, C, Req>
where
    S: Service<R::Sent>,
    S::Error: 'static,
    F: Facts<R::Sent>,
    R: Replay<Req>,
    C: Classify<R::Sent, S::Response, S::Error>,
{
    type Output = Result<S::Response, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProj::Calling { response } => {
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
                    let Some(response) = ready!(attempts.poll_start(patience, cx)) else {
                        // An instance that is ready and not called must not be kept.
                        *this.attempts = None;
                        let outcome = outcome.take();
                        return Poll::Ready(outcome.expect("kept until an attempt begins"));
                    };
                    State::Calling { response }
                }
            };
            this.state.set(next);
        }
    }
}

impl<Fut, Res, E> State<Fut, Res, E> {
    fn after(outcome: Result<Res, E>, start: Start) -> Self {
        let outcome = Some(outcome);
        match start {
            Some(moment) => Self::Waiting { delay: clock::sleep_until(moment), outcome },
            None => Self::Readying { patience: None, outcome },
        }
    }
}

impl<S, F, R, C, Req> fmt::Debug for ResponseFuture<S, F, R, C, Req>
where
    S: Service<R::Sent>,
    R: Replay<Req>,
    C: Classify<R::Sent, S::Response, S::Error>,
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
