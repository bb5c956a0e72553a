use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_ballast_core::{Classify, Lease, judge};

use crate::{
    shared::{Missed, Shared},
    way::{Made, Make},
};

pin_project! {
    /// The answer of the inner service, or one that was made in its place.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, W, T, C, K, R> {
        #[pin]
        response: F,
        // None when the outcome is handed on, whatever it is.
        call: Option<Call<W, T, C, K>>,
        request: PhantomData<fn(R)>,
    }
}

/// What is needed to replace an outcome.
pub(crate) struct Call<W, T, C, K> {
    pub(crate) shared: Lease<Shared<Made<W>>>,
    pub(crate) classify: C,
    pub(crate) kept: K,
    pub(crate) of_request: T,
}

impl<F, W, T, C, K, R> ResponseFuture<F, W, T, C, K, R> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) const fn new(response: F, call: Option<Call<W, T, C, K>>) -> Self {
        Self { response, call, request: PhantomData }
    }
}

impl<F, Res, E, W, C, R> Future for ResponseFuture<F, W, W::Kept, C, C::Kept, R>
where
    F: Future<Output = Result<Res, E>>,
    E: 'static,
    W: Make<R, Res, E>,
    C: Classify<R, Res, E>,
{
    type Output = Result<Res, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = ready!(this.response.poll(cx));
        let Some(call) = this.call.take() else { return Poll::Ready(outcome) };
        let verdict = judge(&call.classify, &call.kept, outcome.as_ref());
        if verdict.is_success() {
            return Poll::Ready(outcome);
        }
        let Shared { state, way } = &*call.shared;
        let Some(reason) = state.wants(verdict, outcome.as_ref().err()) else {
            return Poll::Ready(outcome);
        };
        let made = way.0.make(call.of_request, outcome);
        if made.is_ok() {
            state.fell_back(reason);
        } else {
            state.missed(Missed::Failed);
        }
        Poll::Ready(made)
    }
}

impl<F, W, T, C, K, R> fmt::Debug for ResponseFuture<F, W, T, C, K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}
