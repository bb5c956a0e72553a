use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_ballast_core::{BoxError, Deadline, Reason, clock};
use tower_service::Service;

use crate::{
    adjust::Measure,
    future::ResponseFuture,
    settle::Settle,
    shared::Shared,
    standing::{Standing, Unspent},
};

pin_project! {
    /// The answer of a [`PriorityRateLimit`](crate::PriorityRateLimit) with a queue.
    #[must_use = "futures do nothing unless polled"]
    pub struct WaitingFuture<S, F, R, C, A = (), G = ()> {
        #[pin]
        state: State<S, F, R, C, A, G>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F, R, C, A, G> {
        Standing { slow: Option<Slow<S, R, C, A>>, standing: Standing, #[pin] timer: Option<Sleep> },
        Readying {
            slow: Option<Slow<S, R, C, A>>,
            unspent: Option<Unspent>,
            #[pin] timer: Option<Sleep>,
        },
        Calling { #[pin] response: ResponseFuture<F, C, G> },
        Failed { error: Option<BoxError> },
    }
}

/// What a call needs that cannot be made at once.
pub(crate) struct Slow<S, R, C, A> {
    pub(crate) inner: S,
    pub(crate) request: R,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) settle: C,
    pub(crate) measure: A,
    pub(crate) shared: Arc<Shared>,
}

impl<S, F, R, C, A, G> WaitingFuture<S, F, R, C, A, G> {
    pub(crate) const fn standing(slow: Slow<S, R, C, A>, standing: Standing) -> Self {
        Self { state: State::Standing { slow: Some(slow), standing, timer: None } }
    }

    pub(crate) const fn readying(slow: Slow<S, R, C, A>, unspent: Option<Unspent>) -> Self {
        Self { state: State::Readying { slow: Some(slow), unspent, timer: None } }
    }

    pub(crate) const fn failed(error: BoxError) -> Self {
        Self { state: State::Failed { error: Some(error) } }
    }
}

impl<S, F, R, C, A, G> From<ResponseFuture<F, C, G>> for WaitingFuture<S, F, R, C, A, G> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn from(response: ResponseFuture<F, C, G>) -> Self {
        Self { state: State::Calling { response } }
    }
}

impl<S, R, C, A> Future for WaitingFuture<S, S::Future, R, C, A, A::Gauge>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    C: Settle<S::Response, S::Error> + Clone,
    A: Measure<R, S::Response, S::Error>,
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
                            let Some(slow) = slow.take() else { continue };
                            State::Calling { response: slow.call(unspent) }
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

impl<S, R, C, A> Slow<S, R, C, A>
where
    S: Service<R>,
    C: Settle<S::Response, S::Error> + Clone,
    A: Measure<R, S::Response, S::Error>,
{
    /// Sends the request; what it took is spent then.
    fn call(mut self, unspent: &mut Option<Unspent>) -> ResponseFuture<S::Future, C, A::Gauge> {
        let is_off = unspent.is_none() && self.shared.enforcement.is_off();
        let gauge = if is_off {
            A::Gauge::default()
        } else {
            self.measure.begin(&self.shared, &self.request, clock::now)
        };
        let response = self.inner.call(self.request);
        match unspent.take() {
            Some(unspent) => unspent.spend(response, &self.settle, gauge),
            None => ResponseFuture::free(response, gauge),
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

impl<S, F, R, C, A, G> std::fmt::Debug for WaitingFuture<S, F, R, C, A, G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.state {
            State::Standing { .. } => "WaitingFuture(standing)",
            State::Readying { .. } => "WaitingFuture(readying)",
            State::Calling { .. } => "WaitingFuture(calling)",
            State::Failed { .. } => "WaitingFuture(failed)",
        })
    }
}
