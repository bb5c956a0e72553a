use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower_ballast_core::{BoxError, Hold, UntilResponse};

use crate::permit::Permit;

pin_project! {
    /// The answer of a [`Bulkhead`](crate::Bulkhead), or its rejection.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, H = UntilResponse> {
        #[pin]
        state: State<F, H>,
    }
}

pin_project! {
    #[project = StateProj]
    #[derive(Debug)]
    enum State<F, H> {
        // The permit comes last, so that the call is over when it goes back.
        Calling { #[pin] response: F, permit: Option<Permit>, hold: H },
        Rejected { rejected: Option<BoxError> },
    }
}

impl<F, H> ResponseFuture<F, H> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) const fn calling(response: F, permit: Option<Permit>, hold: H) -> Self {
        Self { state: State::Calling { response, permit, hold } }
    }

    pub(crate) const fn rejected(rejected: BoxError) -> Self {
        Self { state: State::Rejected { rejected: Some(rejected) } }
    }
}

impl<F, T, E, H> Future for ResponseFuture<F, H>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
    H: Hold<T, Permit>,
{
    type Output = Result<H::Response, BoxError>;

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "an outcome handed on in memory stalls as a move does")]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Calling { response, permit, hold } => {
                let outcome = ready!(response.poll(cx));
                // Whoever is answered may call again at once, and finds the permit back.
                let held = permit.take();
                Poll::Ready(match outcome {
                    Ok(response) => Ok(hold.hold(response, held)),
                    Err(error) => {
                        drop(held);
                        Err(error.into())
                    }
                })
            }
            StateProj::Rejected { rejected } => {
                let rejected = rejected.take().expect("a future is not polled after it is ready");
                Poll::Ready(Err(rejected))
            }
        }
    }
}
