use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_ballast_core::{BoxError, Deadline, Deferred, Hold, Reason, UntilResponse, clock};
use tower_service::Service;

use crate::{future::ResponseFuture, permit::Permit, standing::Standing};

pin_project! {
    /// The answer of a [`Bulkhead`](crate::Bulkhead) with a queue. It is as large as that of one without:
    /// a call that has to wait does so in a box.
    #[must_use = "futures do nothing unless polled"]
    pub struct WaitingFuture<S, F, R, H = UntilResponse> {
        #[pin]
        call: Deferred<Waiting<S, R, H>, ResponseFuture<F, H>>,
    }
}

pin_project! {
    /// A call that cannot be made at once.
    #[project = WaitingProj]
    pub(crate) enum Waiting<S, R, H> {
        Standing { slow: Option<Slow<S, R, H>>, standing: Standing, #[pin] timer: Option<Sleep> },
        Readying { slow: Option<Slow<S, R, H>>, permit: Option<Permit>, #[pin] patience: Patience },
    }
}

pin_project! {
    /// How long a call waits for its service to be ready.
    #[derive(Default)]
    struct Patience { #[pin] timer: Option<Sleep>, reason: Option<Reason>, endless: bool }
}

/// What a call needs that cannot be made at once.
pub(crate) struct Slow<S, R, H> {
    inner: S,
    request: R,
    deadline: Option<Deadline>,
    hold: H,
}

impl<S, R, H> Slow<S, R, H> {
    pub(crate) const fn new(inner: S, request: R, deadline: Option<Deadline>, hold: H) -> Self {
        Self { inner, request, deadline, hold }
    }
}

impl<S, R, H> Waiting<S, R, H> {
    pub(crate) fn standing(slow: Slow<S, R, H>, standing: Standing) -> Self {
        Self::Standing { slow: Some(slow), standing, timer: None }
    }

    pub(crate) fn readying(slow: Slow<S, R, H>, permit: Option<Permit>) -> Self {
        Self::Readying { slow: Some(slow), permit, patience: Patience::default() }
    }
}

impl<S, F, R, H> From<ResponseFuture<F, H>> for WaitingFuture<S, F, R, H> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn from(response: ResponseFuture<F, H>) -> Self {
        Self { call: Deferred::now(response) }
    }
}

impl<S, F, R, H> From<Pin<Box<Waiting<S, R, H>>>> for WaitingFuture<S, F, R, H> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn from(waiting: Pin<Box<Waiting<S, R, H>>>) -> Self {
        Self { call: Deferred::later(waiting) }
    }
}

impl<S, R, H> Future for WaitingFuture<S, S::Future, R, H>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    H: Hold<S::Response, Permit>,
{
    type Output = Result<H::Response, BoxError>;

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "an outcome handed on in memory stalls as a move does")]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().call.poll(cx)
    }
}

impl<S, R, H> Future for Waiting<S, R, H>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
{
    /// The call that was made, or the rejection.
    type Output = ResponseFuture<S::Future, H>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match self.as_mut().project() {
                WaitingProj::Standing { slow, standing, timer } => {
                    let permit = match ready!(standing.poll_turn(timer, cx)) {
                        Ok(permit) => Some(permit),
                        Err(reason) => match standing.shared().reject(reason) {
                            Some(rejected) => {
                                return Poll::Ready(ResponseFuture::rejected(rejected));
                            }
                            None => None,
                        },
                    };
                    let slow = slow.take().expect("kept until the caller's turn");
                    self.set(Self::readying(slow, permit));
                }
                WaitingProj::Readying { slow, permit, patience } => {
                    let waiting = slow.as_mut().expect("kept until the service is ready");
                    match waiting.inner.poll_ready(cx) {
                        Poll::Ready(Err(error)) => {
                            return Poll::Ready(ResponseFuture::rejected(error.into()));
                        }
                        Poll::Ready(Ok(())) => {
                            if let Some(permit) = permit {
                                permit.shared().found_ready();
                            }
                            let Some(Slow { mut inner, request, hold, .. }) = slow.take() else {
                                continue;
                            };
                            let permit = permit.take();
                            let response = inner.call(request);
                            return Poll::Ready(ResponseFuture::calling(response, permit, hold));
                        }
                        Poll::Pending => {
                            let Some(held) = &*permit else { return Poll::Pending };
                            let reason = ready!(patience.poll_end(held, waiting.deadline, cx));
                            held.shared().found_unready();
                            if let Some(rejected) = held.shared().reject(reason) {
                                return Poll::Ready(ResponseFuture::rejected(rejected));
                            }
                            *permit = None;
                            return Poll::Pending;
                        }
                    }
                }
            }
        }
    }
}

impl Patience {
    fn poll_end(
        self: Pin<&mut Self>,
        permit: &Permit,
        deadline: Option<Deadline>,
        cx: &mut Context<'_>,
    ) -> Poll<Reason> {
        let mut this = self.project();
        if this.timer.is_none() && !*this.endless {
            let shared = permit.shared();
            let unready = shared.found_unready().filter(|_| shared.enforcement.is_on());
            let due = deadline.map(Deadline::moment);
            let end = match (unready, due) {
                (Some(unready), Some(due)) if unready < due => Some((unready, Reason::NotReady)),
                (_, Some(due)) => Some((due, Reason::DeadlinePassed)),
                (unready, None) => unready.map(|unready| (unready, Reason::NotReady)),
            };
            *this.endless = end.is_none();
            if let Some((moment, reason)) = end {
                *this.reason = Some(reason);
                this.timer.set(Some(clock::sleep_until(moment)));
            }
        }
        match (this.timer.as_pin_mut(), *this.reason) {
            (Some(timer), Some(reason)) => timer.poll(cx).map(|()| reason),
            _ => Poll::Pending,
        }
    }
}

impl<S, F, R, H> std::fmt::Debug for WaitingFuture<S, F, R, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WaitingFuture").field(&self.call).finish()
    }
}

impl<S, R, H> std::fmt::Debug for Waiting<S, R, H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Standing { .. } => "standing",
            Self::Readying { .. } => "readying",
        })
    }
}
