use std::{fmt, sync::Arc, time::Duration};

use tower_layer::Layer;

use crate::{handle::CoalesceHandle, service::Coalesce, shared::Shared};

/// Lets equal requests share one call.
///
/// All services made by one layer, and by its clones, share their calls.
///
/// ```
/// use tower_ballast_coalesce::{Coalesce, CoalesceLayer};
/// use tower_layer::Layer;
///
/// // Reads by path; what writes goes alone.
/// let layer = CoalesceLayer::new(|(method, path): &(&str, String)| {
///     (*method == "GET").then(|| path.clone())
/// });
/// # fn of<S, K>(_: &Coalesce<S, K, String, String>) {}
/// # of(&layer.layer(()));
/// ```
pub struct CoalesceLayer<F, K, V> {
    shared: Arc<Shared<K, V>>,
    key: F,
}

impl<F, K, V> CoalesceLayer<F, K, V> {
    /// Requests with equal keys share a call; one without a key goes alone.
    #[must_use]
    pub fn new<R>(key: F) -> Self
    where
        F: Fn(&R) -> Option<K>,
    {
        Self { shared: Arc::new(Shared::new()), key }
    }

    /// How long one waits for the call of another before it makes the call anew. [`Duration::MAX`] is for
    /// ever. Default: 10 seconds.
    #[must_use]
    pub fn longest_wait(self, limit: Duration) -> Self {
        self.shared.longest_wait.set(limit);
        self
    }

    /// The same key and settings, sharing no calls with this one.
    #[must_use]
    pub fn separate(mut self) -> Self {
        self.shared = Arc::new(self.shared.separate());
        self
    }

    /// A handle that reads what is shared and changes settings while requests run.
    #[must_use]
    pub fn handle(&self) -> CoalesceHandle<K, V> {
        CoalesceHandle(Arc::clone(&self.shared))
    }
}

impl<F: Clone, K, V> Clone for CoalesceLayer<F, K, V> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), key: self.key.clone() }
    }
}

impl<S, F: Clone, K, V> Layer<S> for CoalesceLayer<F, K, V> {
    type Service = Coalesce<S, F, K, V>;

    fn layer(&self, inner: S) -> Self::Service {
        Coalesce { inner, shared: Arc::clone(&self.shared), key: self.key.clone() }
    }
}

impl<F, K, V> fmt::Debug for CoalesceLayer<F, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoalesceLayer").field("shared", &self.shared).finish_non_exhaustive()
    }
}
