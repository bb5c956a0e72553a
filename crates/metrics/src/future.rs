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
        timing: Option<Timing>,
        classify: C,
        kept: K,
        request: PhantomData<fn(R)>,
    }
}

impl<F, C, K, R> ResponseFuture<F, C, K, R> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) const fn new(response: F, mut timing: Timing, classify: C, kept: K) -> Self {
        timing.leave();
        Self { response, timing: Some(timing), classify, kept, request: PhantomData }
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
        let timing = this.timing.as_mut().expect("a future is not polled after it is ready");
        timing.enter();
        let polled = this.response.poll(cx);
        timing.leave();
        let outcome = ready!(polled);
        let verdict = judge(this.classify, this.kept, outcome.as_ref());
        timing.end(verdict.into());
        *this.timing = None;
        Poll::Ready(outcome)
    }
}

impl<F, C, K, R> fmt::Debug for ResponseFuture<F, C, K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.timing.is_some() {
            "ResponseFuture(calling)"
        } else {
            "ResponseFuture(done)"
        })
    }
}
