use std::{
    fmt,
    task::{Context, Poll},
};

use http::Response;
use tower_ballast_core::Facts;
use tower_service::Service;

use super::{fields::Fields, future::ResponseFuture};

/// Tells clients what is left of their limits. Made by
/// [`RateLimitFieldsLayer`](crate::RateLimitFieldsLayer).
#[derive(Clone)]
pub struct RateLimitFields<S, F> {
    inner: S,
    fields: Fields,
    facts: F,
}

impl<S, F> RateLimitFields<S, F> {
    pub(super) const fn new(inner: S, fields: Fields, facts: F) -> Self {
        Self { inner, fields, facts }
    }
}

impl<S, F, R, B> Service<R> for RateLimitFields<S, F>
where
    S: Service<R, Response = Response<B>>,
    F: Facts<R>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let key = self.facts.key(&request);
        ResponseFuture::new(self.inner.call(request), self.fields.clone(), key)
    }
}

impl<S: fmt::Debug, F> fmt::Debug for RateLimitFields<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitFields").field("inner", &self.inner).finish_non_exhaustive()
    }
}
