use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_ballast_core::{BoxError, Classify, Deadline, Deferred, clock};
use tower_service::Service;

use crate::{
    future::ResponseFuture,
    line::{Standing, Turn},
    permit::Permit,
};

pin_project! {
    /// The answer of a [`CircuitBreaker`](crate::CircuitBreaker) whose callers may wait. It is as large as
    /// where nobody waits: a call that has to does so in a box.
    #[must_use = "futures do nothing unless polled"]
    pub struct WaitingFuture<S, F, C, K, R> {
        #[pin]
        call: Deferred<Waiting<S, C, K, R>, ResponseFuture<F, C, K, R>>,
    }
}

pin_project! {
    /// A call that cannot be made at once.
    #[project = WaitingProj]
    pub(crate) enum Waiting<S, C, K, R> {
        Standing {
            slow: Option<Slow<S, C, K, R>>,
            standing: Standing,
            deadline: Option<Deadline>,
            #[pin]
            timer: Option<Sleep>,
        },
        Readying { slow: Option<Slow<S, C, K, R>>, permit: Permit },
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

impl<S, C, K, R> Waiting<S, C, K, R> {
    pub(crate) fn standing(
        slow: Slow<S, C, K, R>,
        standing: Standing,
        deadline: Option<Deadline>,
    ) -> Self {
        Self::Standing { slow: Some(slow), standing, deadline, timer: None }
    }

    pub(crate) const fn readying(slow: Slow<S, C, K, R>, permit: Permit) -> Self {
        Self::Readying { slow: Some(slow), permit }
    }
}

impl<S, F, C, K, R> From<ResponseFuture<F, C, K, R>> for WaitingFuture<S, F, C, K, R> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn from(response: ResponseFuture<F, C, K, R>) -> Self {
        Self { call: Deferred::now(response) }
    }
}

impl<S, F, C, K, R> From<Pin<Box<Waiting<S, C, K, R>>>> for WaitingFuture<S, F, C, K, R> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn from(waiting: Pin<Box<Waiting<S, C, K, R>>>) -> Self {
        Self { call: Deferred::later(waiting) }
    }
}

impl<S, C, R> Future for WaitingFuture<S, S::Future, C, C::Kept, R>
where
    S: Service<R>,
    S::Error: Into<BoxError> + 'static,
    C: Classify<R, S::Response, S::Error>,
{
    type Output = Result<S::Response, BoxError>;

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "an outcome handed on in memory stalls as a move does")]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().call.poll(cx)
    }
}

impl<S, C, R> Future for Waiting<S, C, C::Kept, R>
where
    S: Service<R>,
    S::Error: Into<BoxError> + 'static,
    C: Classify<R, S::Response, S::Error>,
{
    /// The call that was made, or the rejection.
    type Output = ResponseFuture<S::Future, C, C::Kept, R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match self.as_mut().project() {
                WaitingProj::Standing { slow, standing, deadline, timer } => {
                    let permit = match ready!(poll_turn(standing, timer, cx)) {
                        Turn::Go { epoch } => Permit::new(standing.lease(), epoch, *deadline),
                        Turn::Over(refusal) => {
                            let rejected = standing.shared().refuse(refusal);
                            return Poll::Ready(ResponseFuture::rejected(rejected));
                        }
                    };
                    let slow = slow.take().expect("kept until the caller's turn");
                    self.set(Self::readying(slow, permit));
                }
                WaitingProj::Readying { slow, permit } => {
                    let waiting = slow.as_mut().expect("kept until the service is ready");
                    if let Err(error) = ready!(waiting.inner.poll_ready(cx)) {
                        return Poll::Ready(ResponseFuture::rejected(error.into()));
                    }
                    let Some(Slow { mut inner, request, classify, kept }) = slow.take() else {
                        continue;
                    };
                    let mut permit = mem::replace(permit, Permit::free());
                    let inside = permit.enter();
                    let response = inner.call(request);
                    inside.leave();
                    return Poll::Ready(ResponseFuture::calling(response, permit, classify, kept));
                }
            }
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
        f.debug_tuple("WaitingFuture").field(&self.call).finish()
    }
}

impl<S, C, K, R> std::fmt::Debug for Waiting<S, C, K, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Standing { .. } => "standing",
            Self::Readying { .. } => "readying",
        })
    }
}
