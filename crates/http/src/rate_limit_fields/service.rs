use std::{
    fmt,
    task::{Context, Poll},
};

use http::Response;
use tower_ballast_core::Standings;
use tower_service::Service;

use super::{fields::Fields, future::ResponseFuture};

/// Tells clients what is left of their limits. Made by
/// [`RateLimitFieldsLayer`](crate::RateLimitFieldsLayer).
pub struct RateLimitFields<S, L> {
    inner: S,
    fields: Fields<L>,
}

impl<S, L> RateLimitFields<S, L> {
    pub(super) const fn new(inner: S, fields: Fields<L>) -> Self {
        Self { inner, fields }
    }
}

impl<S, L, R, B> Service<R> for RateLimitFields<S, L>
where
    S: Service<R, Response = Response<B>>,
    L: Standings<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, L, L::Kept, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let kept = self.fields.limits.keep(&request);
        ResponseFuture::new(self.inner.call(request), self.fields.clone(), kept)
    }
}

impl<S: Clone, L> Clone for RateLimitFields<S, L> {
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.fields.clone())
    }
}

impl<S: fmt::Debug, L> fmt::Debug for RateLimitFields<S, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitFields").field("inner", &self.inner).finish_non_exhaustive()
    }
}
