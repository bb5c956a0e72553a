use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_ballast_core::{
    Classify, FailureKind, Verdict,
    clock::{self, Nanos},
    judge,
};

use super::{Outcome, sampled::Sampled};

pin_project! {
    /// The answer of an [`Adaptive`](super::Adaptive). Dropped before it is there, it is no sample, or
    /// after the deadline of its request a timeout.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, C, K, R> {
        #[pin]
        response: F,
        sampled: Option<Arc<Sampled>>,
        classify: C,
        kept: K,
        began: Nanos,
        deadline: Nanos,
        request: PhantomData<fn(R)>,
    }

    impl<F, C, K, R> PinnedDrop for ResponseFuture<F, C, K, R> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(sampled) = this.sampled.take() {
                sampled.give_up(*this.began, *this.deadline);
            }
        }
    }
}

impl<F, C, K, R> ResponseFuture<F, C, K, R> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(super) fn new(
        response: F,
        sampled: Arc<Sampled>,
        classify: C,
        kept: K,
        (began, deadline): (Nanos, Nanos),
    ) -> Self {
        let (sampled, request) = (Some(sampled), PhantomData);
        Self { response, sampled, classify, kept, began, deadline, request }
    }
}

impl<F, T, E, C, R> Future for ResponseFuture<F, C, C::Kept, R>
where
    F: Future<Output = Result<T, E>>,
    E: 'static,
    C: Classify<R, T, E>,
{
    type Output = Result<T, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = ready!(this.response.poll(cx));
        let ended = ended(judge(this.classify, this.kept, outcome.as_ref()));
        if let Some(sampled) = this.sampled.take() {
            sampled.end(*this.began, clock::now(), ended);
        }
        Poll::Ready(outcome)
    }
}

/// What a verdict says of the load, if anything.
const fn ended(verdict: Verdict) -> Option<Outcome> {
    match verdict {
        Verdict::Success => Some(Outcome::Answered),
        Verdict::Ignore { .. } => None,
        Verdict::Failure { kind: FailureKind::Timeout | FailureKind::Throttled, .. } => {
            Some(Outcome::Overloaded)
        }
        Verdict::Failure { .. } => Some(Outcome::Failed),
    }
}

impl<F, C, K, R> fmt::Debug for ResponseFuture<F, C, K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("began", &self.began).finish_non_exhaustive()
    }
}
