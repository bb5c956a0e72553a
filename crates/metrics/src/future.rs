use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_ballast_core::{Classify, judge};

use crate::timing::Timing;

pin_project! {
    /// The answer of a [`Metrics`](crate::Metrics) service.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, C, K, R> {
        #[pin]
        response: F,
        timing: Timing,
        classify: C,
        kept: K,
        request: PhantomData<fn(R)>,
    }
}

impl<F, C, K, R> ResponseFuture<F, C, K, R> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) const fn new(response: F, timing: Timing, classify: C, kept: K) -> Self {
        Self { response, timing, classify, kept, request: PhantomData }
    }
}

impl<F, T, E, C, R> Future for ResponseFuture<F, C, C::Kept, R>
where
    F: Future<Output = Result<T, E>>,
    E: 'static,
    C: Classify<R, T, E>,
{
    type Output = Result<T, E>;

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "an outcome handed on in memory stalls as a move does")]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let inside = this.timing.enter();
        let polled = this.response.poll(cx);
        inside.leave();
        let outcome = ready!(polled);
        let verdict = judge(this.classify, this.kept, outcome.as_ref());
        this.timing.end(verdict.into());
        Poll::Ready(outcome)
    }
}

impl<F, C, K, R> fmt::Debug for ResponseFuture<F, C, K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("timing", &self.timing).finish_non_exhaustive()
    }
}
