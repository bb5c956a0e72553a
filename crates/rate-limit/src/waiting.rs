use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_ballast_core::{BoxError, Deadline, Deferred, Reason, clock};
use tower_service::Service;

use crate::{
    adjust::Measure,
    future::ResponseFuture,
    settle::Settle,
    shared::Shared,
    standing::{Standing, Unspent},
};

pin_project! {
    /// The answer of a [`PriorityRateLimit`](crate::PriorityRateLimit) with a queue. It is as large as
    /// that of one without: a call that has to wait does so in a box.
    #[must_use = "futures do nothing unless polled"]
    pub struct WaitingFuture<S, F, R, C, A = (), G = ()> {
        #[pin]
        call: Deferred<Waiting<S, R, C, A>, ResponseFuture<F, C, G>>,
    }
}

pin_project! {
    /// A call that cannot be made at once.
    #[project = WaitingProj]
    pub(crate) enum Waiting<S, R, C, A> {
        Standing { slow: Option<Slow<S, R, C, A>>, standing: Standing, #[pin] timer: Option<Sleep> },
        Readying {
            slow: Option<Slow<S, R, C, A>>,
            unspent: Option<Unspent>,
            #[pin] timer: Option<Sleep>,
        },
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

impl<S, R, C, A> Waiting<S, R, C, A> {
    pub(crate) const fn standing(slow: Slow<S, R, C, A>, standing: Standing) -> Self {
        Self::Standing { slow: Some(slow), standing, timer: None }
    }

    pub(crate) const fn readying(slow: Slow<S, R, C, A>, unspent: Option<Unspent>) -> Self {
        Self::Readying { slow: Some(slow), unspent, timer: None }
    }
}

impl<S, F, R, C, A, G> From<ResponseFuture<F, C, G>> for WaitingFuture<S, F, R, C, A, G> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn from(response: ResponseFuture<F, C, G>) -> Self {
        Self { call: Deferred::now(response) }
    }
}

impl<S, F, R, C, A, G> From<Pin<Box<Waiting<S, R, C, A>>>> for WaitingFuture<S, F, R, C, A, G> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn from(waiting: Pin<Box<Waiting<S, R, C, A>>>) -> Self {
        Self { call: Deferred::later(waiting) }
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

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "an outcome handed on in memory stalls as a move does")]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().call.poll(cx)
    }
}

impl<S, R, C, A> Future for Waiting<S, R, C, A>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    C: Settle<S::Response, S::Error> + Clone,
    A: Measure<R, S::Response, S::Error>,
{
    /// The call that was made, or the rejection.
    type Output = ResponseFuture<S::Future, C, A::Gauge>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match self.as_mut().project() {
                WaitingProj::Standing { slow, standing, timer } => {
                    let unspent = match ready!(standing.poll_turn(timer, cx)) {
                        Ok(unspent) => Some(unspent),
                        Err(refusal) => match standing.refuse(refusal) {
                            Some(rejected) => {
                                return Poll::Ready(ResponseFuture::rejected(rejected));
                            }
                            None => None,
                        },
                    };
                    let slow = slow.take().expect("kept until the caller's turn");
                    self.set(Self::readying(slow, unspent));
                }
                WaitingProj::Readying { slow, unspent, timer } => {
                    let waiting = slow.as_mut().expect("kept until the service is ready");
                    match waiting.inner.poll_ready(cx) {
                        // What was taken goes back at once.
                        Poll::Ready(Err(error)) => {
                            return Poll::Ready(ResponseFuture::rejected(error.into()));
                        }
                        Poll::Ready(Ok(())) => {
                            let Some(slow) = slow.take() else { continue };
                            return Poll::Ready(slow.call(unspent));
                        }
                        Poll::Pending => {
                            let (Some(waits), Some(deadline)) = (&*unspent, waiting.deadline)
                            else {
                                return Poll::Pending;
                            };
                            ready!(poll_until(timer, deadline, cx));
                            if let Some(rejected) = waits.refuse(Reason::DeadlinePassed) {
                                return Poll::Ready(ResponseFuture::rejected(rejected));
                            }
                            *unspent = None;
                            return Poll::Pending;
                        }
                    }
                }
            }
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
        f.debug_tuple("WaitingFuture").field(&self.call).finish()
    }
}

impl<S, R, C, A> std::fmt::Debug for Waiting<S, R, C, A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Standing { .. } => "standing",
            Self::Readying { .. } => "readying",
        })
    }
}
