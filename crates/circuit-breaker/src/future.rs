use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower_ballast_core::{BoxError, Classify, judge};

use crate::permit::Permit;

pin_project! {
    /// The answer of a [`CircuitBreaker`](crate::CircuitBreaker), or its rejection.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, C, K, R> {
        #[pin]
        state: State<F, C, K>,
        request: PhantomData<fn(R)>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, C, K> {
        Calling { #[pin] response: F, permit: Permit, classify: C, kept: K },
        Rejected { rejected: Option<BoxError> },
    }
}

impl<F, C, K, R> ResponseFuture<F, C, K, R> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) const fn calling(response: F, permit: Permit, classify: C, kept: K) -> Self {
        Self::at(State::Calling { response, permit, classify, kept })
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) const fn rejected(rejected: BoxError) -> Self {
        Self::at(State::Rejected { rejected: Some(rejected) })
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    const fn at(state: State<F, C, K>) -> Self {
        Self { state, request: PhantomData }
    }
}

impl<F, T, E, C, R> Future for ResponseFuture<F, C, C::Kept, R>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError> + 'static,
    C: Classify<R, T, E>,
{
    type Output = Result<T, BoxError>;

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "an outcome handed on in memory stalls as a move does")]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Calling { response, permit, classify, kept } => {
                let inside = permit.enter();
                let polled = response.poll(cx);
                inside.leave();
                let Poll::Ready(outcome) = polled else {
                    permit.wait();
                    return Poll::Pending;
                };
                if permit.is_counted() {
                    permit.settle(judge(classify, kept, outcome.as_ref()));
                }
                Poll::Ready(outcome.map_err(Into::into))
            }
            StateProj::Rejected { rejected } => {
                let rejected = rejected.take().expect("a future is not polled after it is ready");
                Poll::Ready(Err(rejected))
            }
        }
    }
}

impl<F, C, K, R> std::fmt::Debug for ResponseFuture<F, C, K, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.state {
            State::Calling { .. } => "ResponseFuture(calling)",
            State::Rejected { .. } => "ResponseFuture(rejected)",
        })
    }
}
