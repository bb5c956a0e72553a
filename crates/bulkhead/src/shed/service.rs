use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower_ballast_core::{BoxError, Facts};
use tower_service::Service;

use super::{future::ResponseFuture, shared::Shared};

/// Refuses what matters least while the load is high. Made by [`ShedLayer`](super::ShedLayer).
#[derive(Debug, Clone)]
pub struct Shed<S, F = ()> {
    inner: S,
    shared: Arc<Shared>,
    facts: F,
}

impl<S, F> Shed<S, F> {
    pub(super) const fn new(inner: S, shared: Arc<Shared>, facts: F) -> Self {
        Self { inner, shared, facts }
    }
}

impl<S, F, R> Service<R> for Shed<S, F>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    F: Facts<R>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn call(&mut self, request: R) -> Self::Future {
        let class = || self.facts.priority(&request).unwrap_or_default();
        if !self.shared.enforcement.is_off()
            && self.shared.refuses(class)
            && let Some(rejected) = self.shared.refuse()
        {
            return ResponseFuture::rejected(rejected);
        }
        ResponseFuture::calling(self.inner.call(request))
    }
}
