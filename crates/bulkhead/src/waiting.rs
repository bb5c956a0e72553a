use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_ballast_core::{BoxError, Deadline, Hold, Reason, UntilResponse, clock};
use tower_service::Service;

use crate::{future::ResponseFuture, permit::Permit, standing::Standing};

pin_project! {
    /// The answer of a [`Bulkhead`](crate::Bulkhead) with a queue.
    #[must_use = "futures do nothing unless polled"]
    pub struct WaitingFuture<S, F, R, H = UntilResponse> {
        #[pin]
        state: State<S, F, R, H>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F, R, H> {
        Standing { slow: Option<Slow<S, R, H>>, standing: Standing, #[pin] timer: Option<Sleep> },
        Readying { slow: Option<Slow<S, R, H>>, permit: Option<Permit>, #[pin] patience: Patience },
        Calling { #[pin] response: ResponseFuture<F, H> },
        Failed { error: Option<BoxError> },
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

impl<S, F, R, H> WaitingFuture<S, F, R, H> {
    pub(crate) fn standing(slow: Slow<S, R, H>, standing: Standing) -> Self {
        Self { state: State::Standing { slow: Some(slow), standing, timer: None } }
    }

    pub(crate) fn readying(slow: Slow<S, R, H>, permit: Option<Permit>) -> Self {
        Self { state: State::readying(slow, permit) }
    }

    pub(crate) const fn failed(error: BoxError) -> Self {
        Self { state: State::Failed { error: Some(error) } }
    }
}

impl<S, F, R, H> State<S, F, R, H> {
    fn readying(slow: Slow<S, R, H>, permit: Option<Permit>) -> Self {
        Self::Readying { slow: Some(slow), permit, patience: Patience::default() }
    }
}

impl<S, F, R, H> From<ResponseFuture<F, H>> for WaitingFuture<S, F, R, H> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn from(response: ResponseFuture<F, H>) -> Self {
        Self { state: State::Calling { response } }
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
        let mut state = self.project().state;
        match state.as_mut().project() {
            StateProj::Calling { response } => response.poll(cx),
            _ => poll_slowly(state, cx),
        }
    }
}

/// Until the service is called, and then that as well.
#[cold]
#[inline(never)]
fn poll_slowly<S, R, H>(
    mut state: Pin<&mut State<S, S::Future, R, H>>,
    cx: &mut Context<'_>,
) -> Poll<Result<H::Response, BoxError>>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    H: Hold<S::Response, Permit>,
{
    loop {
        let next = match state.as_mut().project() {
            StateProj::Standing { slow, standing, timer } => {
                match ready!(standing.poll_turn(timer, cx)) {
                    Ok(permit) => {
                        let slow = slow.take().expect("kept until the caller's turn");
                        State::readying(slow, Some(permit))
                    }
                    Err(reason) => {
                        if let Some(rejected) = standing.shared().reject(reason) {
                            State::Failed { error: Some(rejected) }
                        } else {
                            let slow = slow.take().expect("kept until the caller's turn");
                            State::readying(slow, None)
                        }
                    }
                }
            }
            StateProj::Readying { slow, permit, patience } => {
                let waiting = slow.as_mut().expect("kept until the service is ready");
                match waiting.inner.poll_ready(cx) {
                    Poll::Ready(Err(error)) => State::Failed { error: Some(error.into()) },
                    Poll::Ready(Ok(())) => {
                        if let Some(permit) = permit {
                            permit.shared().found_ready();
                        }
                        let Some(Slow { mut inner, request, hold, .. }) = slow.take() else {
                            continue;
                        };
                        let permit = permit.take();
                        let response = ResponseFuture::calling(inner.call(request), permit, hold);
                        State::Calling { response }
                    }
                    Poll::Pending => {
                        let Some(held) = &*permit else { return Poll::Pending };
                        let reason = ready!(patience.poll_end(held, waiting.deadline, cx));
                        held.shared().found_unready();
                        let Some(rejected) = held.shared().reject(reason) else {
                            *permit = None;
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
        f.write_str(match &self.state {
            State::Standing { .. } => "WaitingFuture(standing)",
            State::Readying { .. } => "WaitingFuture(readying)",
            State::Calling { .. } => "WaitingFuture(calling)",
            State::Failed { .. } => "WaitingFuture(failed)",
        })
    }
}
