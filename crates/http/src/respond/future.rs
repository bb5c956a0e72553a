use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project_lite::pin_project;
use tower_ballast_core::BoxError;

use super::{
    answer::{Answer, Form},
    body::RespondBody,
    layer::Shared,
};

pin_project! {
    /// The response of a [`Respond`](crate::Respond): always an answer, never an error.
    pub struct ResponseFuture<F> {
        #[pin]
        state: State<F>,
        form: Form,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Calling { #[pin] response: F, shared: Arc<Shared> },
        Answered { answer: Answer },
    }
}

impl<F> ResponseFuture<F> {
    pub(super) const fn calling(response: F, form: Form, shared: Arc<Shared>) -> Self {
        Self { state: State::Calling { response, shared }, form }
    }

    pub(super) const fn answered(answer: Answer, form: Form) -> Self {
        Self { state: State::Answered { answer }, form }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<RespondBody<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = match this.state.project() {
            StateProj::Answered { answer } => *answer,
            StateProj::Calling { response, shared } => match ready!(response.poll(cx)) {
                Ok(response) => return Poll::Ready(Ok(response.map(RespondBody::inner))),
                Err(error) => shared.answer(&error.into()),
            },
        };
        Poll::Ready(Ok(answer.into_response(*this.form)))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Calling { .. } => "calling",
            State::Answered { .. } => "answered",
        };
        f.debug_struct("ResponseFuture").field("state", &state).finish_non_exhaustive()
    }
}
