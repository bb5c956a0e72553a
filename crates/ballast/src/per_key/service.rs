use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::{KeyOf, LayersFor, future::ResponseFuture, table::Table};

/// Sends each request through the layers of its key. Made by
/// [`PerKeyLayer`](crate::PerKeyLayer).
pub struct PerKey<S, K, M, L> {
    inner: S,
    table: Arc<Table<L>>,
    key: K,
    make: M,
}

impl<S, K, M, L> PerKey<S, K, M, L> {
    pub(super) const fn new(inner: S, table: Arc<Table<L>>, key: K, make: M) -> Self {
        Self { inner, table, key, make }
    }
}

impl<S, K, M, L, R> Service<R> for PerKey<S, K, M, L>
where
    S: Clone,
    K: KeyOf<R>,
    M: LayersFor<R, Layers = L>,
    L: Layer<S>,
    L::Service: Service<R>,
{
    type Response = <L::Service as Service<R>>::Response;
    type Error = <L::Service as Service<R>>::Error;
    type Future = ResponseFuture<L, L::Service, R, <L::Service as Service<R>>::Future>;

    #[inline]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn call(&mut self, request: R) -> Self::Future {
        let layers = self.table.layers(self.key.key(&request), || self.make.layers(&request));
        let service = layers.layer(self.inner.clone());
        ResponseFuture::new(layers, service, request)
    }
}

impl<S: Clone, K: Clone, M: Clone, L> Clone for PerKey<S, K, M, L> {
    fn clone(&self) -> Self {
        let (key, make) = (self.key.clone(), self.make.clone());
        Self::new(self.inner.clone(), Arc::clone(&self.table), key, make)
    }
}

impl<S, K, M, L> fmt::Debug for PerKey<S, K, M, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerKey").field("keys", &self.table).finish_non_exhaustive()
    }
}
