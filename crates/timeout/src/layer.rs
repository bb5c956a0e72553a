use std::{sync::Arc, time::Duration};

use tower_ballast_core::{Enforcement, Event, Name, Observer};
use tower_layer::Layer;

use crate::{TimeoutHandle, bound::Scope, handle::Shared, limits::LimitFrom, service::Timeout};

/// Bounds how long an attempt, or a whole request, may take.
///
/// All services made by one layer share its limit, which its [`handle`](TimeoutLayer::handle)
/// changes while they run.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_timeout::TimeoutLayer;
///
/// let layer = TimeoutLayer::new(Duration::from_millis(250)).name("inventory");
/// layer.handle().set_limit(Duration::from_millis(400));
/// assert_eq!(layer.handle().limit(), Duration::from_millis(400));
/// ```
#[derive(Debug, Clone)]
pub struct TimeoutLayer<F = (), L = ()> {
    shared: Arc<Shared>,
    facts: Option<F>,
    limits: L,
}

impl TimeoutLayer {
    /// Bounds each attempt. A timeout is a failure of the service: breakers count it, and a
    /// retrying layer outside may try again.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        Self::scoped(Scope::Attempt, limit)
    }

    /// Bounds a request with all its attempts and waits. Put it outside of retries.
    #[must_use]
    pub fn total(limit: Duration) -> Self {
        Self::scoped(Scope::Total, limit)
    }

    fn scoped(scope: Scope, limit: Duration) -> Self {
        Self { shared: Arc::new(Shared::new(scope, limit)), facts: None, limits: () }
    }
}

impl<F, L> TimeoutLayer<F, L> {
    /// The limit, in place of the one it was made with. [`Duration::MAX`] is none.
    #[must_use]
    pub fn limit(self, limit: Duration) -> Self {
        self.shared.set_limit(limit);
        self
    }

    /// What may be known of a request: its deadline and attempt, and how to write the deadline on
    /// it. Default: nothing is known or written.
    #[must_use]
    pub fn facts<G>(self, facts: G) -> TimeoutLayer<G, L> {
        TimeoutLayer { shared: self.shared, facts: Some(facts), limits: self.limits }
    }

    /// A limit of its own for each request; `None` leaves it to the layer's.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_ballast_timeout::TimeoutLayer;
    ///
    /// struct Query {
    ///     report: bool,
    /// }
    ///
    /// let layer = TimeoutLayer::new(Duration::from_secs(1))
    ///     .limit_from(|query: &Query| query.report.then_some(Duration::from_secs(30)));
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn limit_from<R, P>(self, limit: P) -> TimeoutLayer<F, LimitFrom<P>>
    where
        P: Fn(&R) -> Option<Duration>,
    {
        TimeoutLayer { shared: self.shared, facts: self.facts, limits: LimitFrom(limit) }
    }

    /// What it is called in errors and events. Default: `timeout`. The first name stays.
    #[must_use]
    pub fn name(self, name: impl Into<Name>) -> Self {
        self.shared.reporter.rename(name);
        self
    }

    /// Whether a timeout is carried out. Default: [`Enforcement::On`].
    #[must_use]
    pub fn enforcement(self, enforcement: Enforcement) -> Self {
        self.shared.enforcement.set(enforcement);
        self
    }

    /// Tells a closure about each timeout. The first observer stays.
    #[must_use]
    pub fn on_event<O>(self, on_event: O) -> Self
    where
        O: Fn(&Event<'_>) + Send + Sync + 'static,
    {
        self.observer(on_event)
    }

    /// Tells an observer about each timeout. The first observer stays.
    #[must_use]
    pub fn observer<O: Observer + Send + Sync + 'static>(self, observer: O) -> Self {
        self.shared.reporter.observe_with(observer);
        self
    }

    /// The same settings with a state of its own, named and watched by nobody yet.
    #[must_use]
    pub fn separate(mut self) -> Self {
        self.shared = Arc::new(self.shared.separate());
        self
    }

    /// The same settings, name and observer with a state of its own: for one layer of many that
    /// are alike.
    #[must_use]
    pub fn fork(mut self) -> Self {
        let mut fork = self.shared.separate();
        fork.reporter = self.shared.reporter.fork();
        self.shared = Arc::new(fork);
        self
    }

    /// A handle that reads and changes the limit while requests run.
    #[must_use]
    pub fn handle(&self) -> TimeoutHandle {
        TimeoutHandle(Arc::clone(&self.shared))
    }
}

impl<S, F: Clone, L: Clone> Layer<S> for TimeoutLayer<F, L> {
    type Service = Timeout<S, F, L>;

    fn layer(&self, inner: S) -> Self::Service {
        Timeout {
            inner,
            shared: Arc::clone(&self.shared),
            facts: self.facts.clone(),
            limits: self.limits.clone(),
        }
    }
}
