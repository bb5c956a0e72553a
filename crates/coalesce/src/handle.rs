use std::{fmt, sync::Arc, time::Duration};

use crate::shared::Shared;

/// Reads what is shared and changes it while requests run. Made by
/// [`CoalesceLayer::handle`](crate::CoalesceLayer::handle).
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_coalesce::{CoalesceHandle, CoalesceLayer};
///
/// let layer = CoalesceLayer::new(|id: &u64| Some(*id));
/// let handle: CoalesceHandle<u64, String> = layer.handle();
/// handle.set_longest_wait(Duration::from_secs(1));
/// assert_eq!(handle.statistics().in_flight, 0);
/// ```
pub struct CoalesceHandle<K, V>(pub(crate) Arc<Shared<K, V>>);

impl<K, V> CoalesceHandle<K, V> {
    /// How long one waits for the call of another.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        self.0.longest_wait.get()
    }

    /// Changes how long one waits for the call of another, for those that come from now on.
    pub fn set_longest_wait(&self, limit: Duration) {
        self.0.longest_wait.set(limit);
    }

    /// What has been shared since the layer was made.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.0.statistics()
    }
}

impl<K, V> Clone for CoalesceHandle<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> fmt::Debug for CoalesceHandle<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CoalesceHandle").field(&self.0).finish()
    }
}

/// What has been shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Calls that were made and could be joined.
    pub led: u64,
    /// Requests that joined the call of another.
    pub joined: u64,
    /// Requests without a key.
    pub alone: u64,
    /// Requests that were told the failure of another.
    pub failed: u64,
    /// Calls that run now.
    pub in_flight: u32,
}
