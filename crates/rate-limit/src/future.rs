use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_ballast_core::BoxError;

use crate::{claim::Claim, settle::Settle, shared::Shared};

pin_project! {
    /// The answer of a [`PriorityRateLimit`](crate::PriorityRateLimit), or its rejection.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, C> {
        #[pin]
        state: State<F, C>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, C> {
        Calling { #[pin] response: F, bill: Option<Bill<C>> },
        Rejected { rejected: Option<BoxError> },
    }
}

/// What is needed to settle a call.
struct Bill<C> {
    shared: Arc<Shared>,
    settle: C,
    claim: Claim,
}

impl<F, C> ResponseFuture<F, C> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) const fn free(response: F) -> Self {
        Self { state: State::Calling { response, bill: None } }
    }

    #[inline]
    pub(crate) const fn settling(
        response: F,
        shared: Arc<Shared>,
        settle: C,
        claim: Claim,
    ) -> Self {
        let bill = Some(Bill { shared, settle, claim });
        Self { state: State::Calling { response, bill } }
    }

    pub(crate) const fn rejected(rejected: BoxError) -> Self {
        Self { state: State::Rejected { rejected: Some(rejected) } }
    }
}

impl<F, C, T, E> Future for ResponseFuture<F, C>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
    C: Settle<T, E>,
{
    type Output = Result<T, BoxError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Calling { response, bill } => {
                let outcome = ready!(response.poll(cx));
                if let Some(Bill { shared, settle, claim }) = bill.take() {
                    shared.settle(&claim, settle.settle(claim.cost, outcome.as_ref()));
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

impl<F, C> std::fmt::Debug for ResponseFuture<F, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.state {
            State::Calling { .. } => "ResponseFuture(calling)",
            State::Rejected { .. } => "ResponseFuture(rejected)",
        })
    }
}
