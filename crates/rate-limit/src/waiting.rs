use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_ballast_core::{BoxError, Deadline, Reason, clock};
use tower_service::Service;

use crate::{
    future::ResponseFuture,
    settle::Settle,
    standing::{Standing, Unspent},
};

pin_project! {
    /// The answer of a [`PriorityRateLimit`](crate::PriorityRateLimit) with a queue.
    #[must_use = "futures do nothing unless polled"]
    pub struct WaitingFuture<S, F, R, C> {
        #[pin]
        state: State<S, F, R, C>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F, R, C> {
        Standing { slow: Option<Slow<S, R, C>>, standing: Standing, #[pin] timer: Option<Sleep> },
        Readying {
            slow: Option<Slow<S, R, C>>,
            unspent: Option<Unspent>,
            #[pin] timer: Option<Sleep>,
        },
        Calling { #[pin] response: ResponseFuture<F, C> },
        Failed { error: Option<BoxError> },
    }
}

/// What a call needs that cannot be made at once.
pub(crate) struct Slow<S, R, C> {
    pub(crate) inner: S,
    pub(crate) request: R,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) settle: C,
}

impl<S, F, R, C> WaitingFuture<S, F, R, C> {
    pub(crate) const fn standing(slow: Slow<S, R, C>, standing: Standing) -> Self {
        Self { state: State::Standing { slow: Some(slow), standing, timer: None } }
    }

    pub(crate) const fn readying(slow: Slow<S, R, C>, unspent: Option<Unspent>) -> Self {
        Self { state: State::Readying { slow: Some(slow), unspent, timer: None } }
    }

    pub(crate) const fn failed(error: BoxError) -> Self {
        Self { state: State::Failed { error: Some(error) } }
    }
}

impl<S, F, R, C> From<ResponseFuture<F, C>> for WaitingFuture<S, F, R, C> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn from(response: ResponseFuture<F, C>) -> Self {
        Self { state: State::Calling { response } }
    }
}

impl<S, R, C> Future for WaitingFuture<S, S::Future, R, C>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    C: Settle<S::Response, S::Error> + Clone,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Standing { slow, standing, timer } => {
                    match ready!(standing.poll_turn(timer, cx)) {
                        Ok(unspent) => State::Readying {
                            slow: slow.take(),
                            unspent: Some(unspent),
                            timer: None,
                        },
                        Err(refusal) => match standing.refuse(refusal) {
                            Some(rejected) => State::Failed { error: Some(rejected) },
                            None => {
                                State::Readying { slow: slow.take(), unspent: None, timer: None }
                            }
                        },
                    }
                }
                StateProj::Readying { slow, unspent, timer } => {
                    let waiting = slow.as_mut().expect("kept until the service is ready");
                    match waiting.inner.poll_ready(cx) {
                        // What was taken goes back at once.
                        Poll::Ready(Err(error)) => State::Failed { error: Some(error.into()) },
                        Poll::Ready(Ok(())) => {
                            let Some(Slow { mut inner, request, settle, .. }) = slow.take() else {
                                continue;
                            };
                            let response = inner.call(request);
                            let response = match unspent.take() {
                                Some(unspent) => unspent.spend(response, &settle),
                                None => ResponseFuture::free(response),
                            };
                            State::Calling { response }
                        }
                        Poll::Pending => {
                            let (Some(waits), Some(deadline)) = (&*unspent, waiting.deadline)
                            else {
                                return Poll::Pending;
                            };
                            ready!(poll_until(timer, deadline, cx));
                            let Some(rejected) = waits.refuse(Reason::DeadlinePassed) else {
                                *unspent = None;
                                return Poll::Pending;
                            };
                            State::Failed { error: Some(rejected) }
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

fn poll_until(
    mut timer: Pin<&mut Option<Sleep>>,
    deadline: Deadline,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if timer.is_none() {
        timer.set(Some(clock::sleep_until(deadline.moment())));
    }
    timer.as_pin_mut().map_or(Poll::Ready(()), |timer| timer.poll(cx))
}

impl<S, F, R, C> std::fmt::Debug for WaitingFuture<S, F, R, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.state {
            State::Standing { .. } => "WaitingFuture(standing)",
            State::Readying { .. } => "WaitingFuture(readying)",
            State::Calling { .. } => "WaitingFuture(calling)",
            State::Failed { .. } => "WaitingFuture(failed)",
        })
    }
}
