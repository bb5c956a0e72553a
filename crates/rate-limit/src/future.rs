use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_ballast_core::BoxError;

use crate::{adjust::Gauge, claim::Claim, settle::Settle, shared::Shared};

pin_project! {
    /// The answer of a [`PriorityRateLimit`](crate::PriorityRateLimit), or its rejection.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, C, G = ()> {
        #[pin]
        state: State<F, C, G>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, C, G> {
        Calling { #[pin] response: F, bill: Option<Bill<C>>, gauge: G },
        Rejected { rejected: Option<BoxError> },
    }
}

/// What is needed to settle a call.
struct Bill<C> {
    shared: Arc<Shared>,
    settle: C,
    claim: Claim,
}

impl<F, C, G> ResponseFuture<F, C, G> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) const fn free(response: F, gauge: G) -> Self {
        Self { state: State::Calling { response, bill: None, gauge } }
    }

    #[inline]
    pub(crate) const fn settling(
        response: F,
        shared: Arc<Shared>,
        settle: C,
        claim: Claim,
        gauge: G,
    ) -> Self {
        let bill = Some(Bill { shared, settle, claim });
        Self { state: State::Calling { response, bill, gauge } }
    }

    pub(crate) const fn rejected(rejected: BoxError) -> Self {
        Self { state: State::Rejected { rejected: Some(rejected) } }
    }
}

impl<F, C, G, T, E> Future for ResponseFuture<F, C, G>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
    C: Settle<T, E>,
    G: Gauge<T, E>,
{
    type Output = Result<T, BoxError>;

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "an outcome handed on in memory stalls as a move does")]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Calling { response, bill, gauge } => {
                let outcome = ready!(response.poll(cx));
                if let Some(Bill { shared, settle, claim }) = bill.take() {
                    shared.settle(&claim, settle.settle(claim.cost, outcome.as_ref()));
                }
                gauge.end(outcome.as_ref());
                Poll::Ready(outcome.map_err(Into::into))
            }
            StateProj::Rejected { rejected } => {
                let rejected = rejected.take().expect("a future is not polled after it is ready");
                Poll::Ready(Err(rejected))
            }
        }
    }
}

impl<F, C, G> std::fmt::Debug for ResponseFuture<F, C, G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.state {
            State::Calling { .. } => "ResponseFuture(calling)",
            State::Rejected { .. } => "ResponseFuture(rejected)",
        })
    }
}
