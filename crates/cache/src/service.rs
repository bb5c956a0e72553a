use std::{
    fmt,
    hash::Hash,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll},
};

use tokio::runtime::Handle;
use tower_ballast_core::{
    BoxError, ByResult, Classify, Oneshot,
    clock::{self, Nanos},
    flights::Callee,
};
use tower_service::Service;

use crate::{
    entry::Stored,
    fill::Fill,
    found::Found,
    future::{Miss, ResponseFuture},
    shared::Shared,
};

/// Keeps the answers of the inner service by key. Made by [`CacheLayer`](crate::CacheLayer).
pub struct Cache<S, F, K, V, C = ByResult> {
    pub(crate) inner: S,
    pub(crate) shared: Arc<Shared<K, V>>,
    pub(crate) key: F,
    pub(crate) classify: C,
}

impl<S, F, K, C, R> Service<R> for Cache<S, F, K, S::Response, C>
where
    S: Service<R> + Clone + Send + 'static,
    S::Response: Clone + Send + Sync + 'static,
    S::Error: Into<BoxError> + 'static,
    S::Future: Send + 'static,
    F: Fn(&R) -> Option<K>,
    K: Clone + Eq + Hash + Send + Sync + 'static,
    C: Classify<R, S::Response, S::Error> + Clone + Send + Sync + 'static,
    C::Kept: Send,
    R: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S, R, K, S::Response, C, S::Future>;

    #[inline]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn call(&mut self, request: R) -> Self::Future {
        let Some(key) = (self.key)(&request) else {
            self.shared.counts.bypassed.fetch_add(1, Relaxed);
            return ResponseFuture::alone(Oneshot::new(self.inner.clone(), request));
        };
        let now = clock::read();
        let miss = match self.shared.find(&key, || now) {
            Found::Value(value) => {
                self.shared.counts.hits.add();
                return ResponseFuture::there(value);
            }
            Found::Refresh(value) => {
                seldom(|| self.refresh(key, request, clock::at(now)));
                return ResponseFuture::there(value);
            }
            Found::Failed(error) => {
                self.shared.counts.negative.fetch_add(1, Relaxed);
                return ResponseFuture::failed(error);
            }
            Found::Pass => {
                seldom(|| Miss::alone(&self.shared, key, self.fill(request, clock::at(now), None)))
            }
            Found::Miss(spare) => {
                seldom(|| Miss::begin(&self.shared, key, self.fill(request, clock::at(now), spare)))
            }
        };
        ResponseFuture::missed(miss)
    }
}

/// What is not done for a hit. Its answer is not yet the future: whoever hands that on in memory cannot build it in place.
#[cold]
#[inline(never)]
pub(crate) fn seldom<T>(begin: impl FnOnce() -> T) -> T {
    begin()
}

impl<S: Clone, F, K, V, C: Clone> Cache<S, F, K, V, C> {
    fn fill<R>(&self, request: R, came: Nanos, spare: Option<Stored<V>>) -> Fill<S, R, C, V> {
        Fill { service: self.inner.clone(), request, classify: self.classify.clone(), came, spare }
    }
}

impl<S, F, K, V, C> Cache<S, F, K, V, C> {
    /// Renews an answer in the background, unless that is being done.
    fn refresh<R>(&self, key: K, request: R, now: Nanos)
    where
        S: Callee<R, Response = V> + Clone,
        S::Error: 'static,
        V: Clone + Send + Sync + 'static,
        K: Clone + Eq + Hash + Send + Sync + 'static,
        C: Classify<R, V, S::Error> + Clone + Send + Sync + 'static,
        C::Kept: Send,
        R: Send + 'static,
    {
        self.shared.counts.stale.fetch_add(1, Relaxed);
        let Ok(runtime) = Handle::try_current() else { return };
        let Some(call) = self.fill(request, now, None).renew(&self.shared, key) else { return };
        self.shared.counts.refreshed.fetch_add(1, Relaxed);
        drop(runtime.spawn(call));
    }
}

impl<S: Clone, F: Clone, K, V, C: Clone> Clone for Cache<S, F, K, V, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: Arc::clone(&self.shared),
            key: self.key.clone(),
            classify: self.classify.clone(),
        }
    }
}

impl<S: fmt::Debug, F, K, V, C> fmt::Debug for Cache<S, F, K, V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("inner", &self.inner)
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}
