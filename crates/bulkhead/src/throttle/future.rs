use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_ballast_core::{BoxError, Classify, FailureKind, Rejected, Verdict};

use super::shared::Shared;

pin_project! {
    /// The answer of a [`Throttle`](super::Throttle), or its rejection. Dropped before it is there, it
    /// counts as nothing.
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
        Calling { #[pin] response: F, counting: Option<Counting<C, K>> },
        Rejected { rejected: Option<BoxError> },
    }
}

/// What it takes to count an outcome.
struct Counting<C, K> {
    shared: Arc<Shared>,
    classify: C,
    kept: K,
}

impl<F, C, K, R> ResponseFuture<F, C, K, R> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(super) const fn counted(response: F, shared: Arc<Shared>, classify: C, kept: K) -> Self {
        let counting = Some(Counting { shared, classify, kept });
        Self { state: State::Calling { response, counting }, request: PhantomData }
    }

    pub(super) const fn free(response: F) -> Self {
        Self { state: State::Calling { response, counting: None }, request: PhantomData }
    }

    pub(super) const fn rejected(rejected: BoxError) -> Self {
        Self { state: State::Rejected { rejected: Some(rejected) }, request: PhantomData }
    }
}

impl<F, T, E, C, R> Future for ResponseFuture<F, C, C::Kept, R>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError> + 'static,
    C: Classify<R, T, E>,
{
    type Output = Result<T, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Calling { response, counting } => {
                let outcome = ready!(response.poll(cx));
                if let Some(Counting { shared, classify, kept }) = counting
                    && let Some(accepted) = accepted(classify, kept, outcome.as_ref())
                {
                    shared.end(accepted);
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

/// Whether the server took a request on, as far as the outcome says.
fn accepted<R, T, E, C>(classify: &C, kept: &C::Kept, outcome: Result<&T, &E>) -> Option<bool>
where
    E: 'static,
    C: Classify<R, T, E>,
{
    let verdict = match outcome.err().and_then(Rejected::find_in) {
        Some(rejected) if rejected.reason().is_overload() => return Some(false),
        Some(rejected) => rejected.verdict(),
        None => classify.verdict(kept, outcome),
    };
    match verdict {
        Verdict::Ignore { .. } => None,
        verdict => Some(verdict.kind() != Some(FailureKind::Throttled)),
    }
}

impl<F, C, K, R> fmt::Debug for ResponseFuture<F, C, K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
