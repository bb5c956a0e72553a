use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project_lite::pin_project;
use tower_ballast_core::Key;

use super::fields::Fields;

pin_project! {
    /// The response of a [`RateLimitFields`](crate::RateLimitFields).
    pub struct ResponseFuture<F> {
        #[pin]
        response: F,
        fields: Fields,
        key: Option<Key>,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) const fn new(response: F, fields: Fields, key: Option<Key>) -> Self {
        Self { response, fields, key }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut outcome = ready!(this.response.poll(cx));
        if let Ok(response) = &mut outcome {
            this.fields.write(*this.key, response);
        }
        Poll::Ready(outcome)
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
