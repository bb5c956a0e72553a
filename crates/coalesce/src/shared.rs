//! What all services of one layer share.

use std::{
    fmt,
    hash::Hash,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tower_ballast_core::{
    Oneshot,
    clock::Span,
    flights::{Callee, Calls, Carrier, Own, Role, Turn},
};

use crate::handle::Statistics;

const LONGEST_WAIT: Duration = Duration::from_secs(10);

pub(crate) struct Shared<K, V> {
    calls: Calls<K, V>,
    pub(crate) longest_wait: Span,
    led: AtomicU64,
    joined: AtomicU64,
    alone: AtomicU64,
    failed: AtomicU64,
}

/// A request, and an instance of the service for it.
pub(crate) struct Errand<S, R> {
    pub(crate) service: S,
    pub(crate) request: R,
}

impl<K, V> Shared<K, V> {
    pub(crate) fn new() -> Self {
        let count = AtomicU64::default;
        Self {
            calls: Calls::new(),
            longest_wait: Span::new(LONGEST_WAIT),
            led: count(),
            joined: count(),
            alone: count(),
            failed: count(),
        }
    }

    pub(crate) fn separate(&self) -> Self {
        let separate = Self::new();
        separate.longest_wait.set(self.longest_wait.get());
        separate
    }

    pub(crate) fn counts(&self, role: Role) {
        let count = match role {
            Role::Led => &self.led,
            Role::Joined => &self.joined,
            Role::Alone => &self.alone,
            Role::Failed => &self.failed,
        };
        count.fetch_add(1, Relaxed);
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let read = |count: &AtomicU64| count.load(Relaxed);
        Statistics {
            led: read(&self.led),
            joined: read(&self.joined),
            alone: read(&self.alone),
            failed: read(&self.failed),
            in_flight: u32::try_from(self.calls.len()).unwrap_or(u32::MAX),
        }
    }
}

impl<S, R, K> Carrier<Errand<S, R>> for Shared<K, S::Response>
where
    S: Callee<R>,
    R: Send + 'static,
    K: Clone + Eq + Hash,
{
    type Key = K;
    type Value = S::Response;

    fn calls(&self) -> &Calls<K, S::Response> {
        &self.calls
    }

    fn longest_wait(&self) -> Duration {
        self.longest_wait.get()
    }

    fn call(
        self: Arc<Self>,
        _: K,
        Errand { service, request }: Errand<S, R>,
        _: Turn,
    ) -> impl Future<Output = Own<S::Response>> + Send + 'static {
        let call = Oneshot::new(service, request);
        async { Own::for_all(call.await.map_err(Into::into)) }
    }

    fn count(&self, role: Role) {
        self.counts(role);
    }
}

impl<K, V> fmt::Debug for Shared<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.statistics().fmt(f)
    }
}
