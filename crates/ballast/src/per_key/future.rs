use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower_ballast_core::Oneshot;
use tower_service::Service;

pin_project! {
    /// The answer of a [`PerKey`](super::PerKey) service.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<L, S, R, F> {
        #[pin]
        response: Oneshot<S, R, F>,
        // While it is held, the key is not forgotten.
        _layers: Arc<L>,
    }
}

impl<L, S, R, F> ResponseFuture<L, S, R, F> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(super) const fn new(layers: Arc<L>, service: S, request: R) -> Self {
        Self { response: Oneshot::new(service, request), _layers: layers }
    }
}

impl<L, S: Service<R>, R> Future for ResponseFuture<L, S, R, S::Future> {
    type Output = Result<S::Response, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().response.poll(cx)
    }
}

impl<L, S, R, F> fmt::Debug for ResponseFuture<L, S, R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponseFuture({:?})", self.response)
    }
}
