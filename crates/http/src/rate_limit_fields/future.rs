use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use pin_project_lite::pin_project;
use tower_ballast_core::Standings;

use super::fields::Fields;

pin_project! {
    /// The response of a [`RateLimitFields`](crate::RateLimitFields).
    pub struct ResponseFuture<F, L, K, R> {
        #[pin]
        response: F,
        fields: Fields<L>,
        kept: K,
        request: PhantomData<fn(R)>,
    }
}

impl<F, L, K, R> ResponseFuture<F, L, K, R> {
    pub(super) const fn new(response: F, fields: Fields<L>, kept: K) -> Self {
        Self { response, fields, kept, request: PhantomData }
    }
}

impl<F, L, R, B, E> Future for ResponseFuture<F, L, L::Kept, R>
where
    F: Future<Output = Result<Response<B>, E>>,
    L: Standings<R>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut outcome = ready!(this.response.poll(cx));
        if let Ok(response) = &mut outcome {
            this.fields.write::<R, _>(this.kept, response);
        }
        Poll::Ready(outcome)
    }
}

impl<F, L, K, R> fmt::Debug for ResponseFuture<F, L, K, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
