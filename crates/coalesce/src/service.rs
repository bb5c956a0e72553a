use std::{
    fmt,
    hash::Hash,
    sync::Arc,
    task::{Context, Poll},
};

use tower_ballast_core::{BoxError, flights::Role};
use tower_service::Service;

use crate::{
    future::ResponseFuture,
    shared::{Errand, Shared},
};

/// Lets equal requests share one call. Made by [`CoalesceLayer`](crate::CoalesceLayer).
pub struct Coalesce<S, F, K, V> {
    pub(crate) inner: S,
    pub(crate) shared: Arc<Shared<K, V>>,
    pub(crate) key: F,
}

impl<S, F, K, R> Service<R> for Coalesce<S, F, K, S::Response>
where
    S: Service<R> + Clone + Send + 'static,
    S::Response: Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    F: Fn(&R) -> Option<K>,
    K: Clone + Eq + Hash,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S, R, K, S::Response, S::Future>;

    #[inline]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        let key = (self.key)(&request);
        let errand = Errand { service: self.inner.clone(), request };
        if let Some(key) = key {
            return ResponseFuture::shared(&self.shared, key, errand);
        }
        self.shared.counts(Role::Alone);
        ResponseFuture::alone(errand)
    }
}

impl<S: Clone, F: Clone, K, V> Clone for Coalesce<S, F, K, V> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: Arc::clone(&self.shared), key: self.key.clone() }
    }
}

impl<S: fmt::Debug, F, K, V> fmt::Debug for Coalesce<S, F, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coalesce")
            .field("inner", &self.inner)
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}
