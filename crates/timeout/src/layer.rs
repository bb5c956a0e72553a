use std::{marker::PhantomData, sync::Arc, time::Duration};

use tower_ballast_core::{Enforcement, Event, Name, Observer};
use tower_layer::Layer;

use crate::{
    TimeoutHandle,
    bound::Scope,
    handle::Shared,
    limits::LimitFrom,
    modes::{Covers, Passes},
    service::Timeout,
};

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
#[derive(Debug)]
pub struct TimeoutLayer<F = (), L = (), M = Passes> {
    shared: Arc<Shared>,
    facts: Option<F>,
    limits: L,
    mode: PhantomData<fn() -> M>,
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
        Self::of(Arc::new(Shared::new(scope, limit)), None, ())
    }
}

impl<F, L, M> TimeoutLayer<F, L, M> {
    /// The limit, in place of the one it was made with. [`Duration::MAX`] is none.
    #[must_use]
    pub fn limit(self, limit: Duration) -> Self {
        self.shared.set_limit(limit);
        self
    }

    /// What may be known of a request: its deadline and attempt, and how to write the deadline on
    /// it. Default: nothing is known or written.
    #[must_use]
    pub fn facts<G>(self, facts: G) -> TimeoutLayer<G, L, M> {
        TimeoutLayer::of(self.shared, Some(facts), self.limits)
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
    pub fn limit_from<R, P>(self, limit: P) -> TimeoutLayer<F, LimitFrom<P>, M>
    where
        P: Fn(&R) -> Option<Duration>,
    {
        TimeoutLayer::of(self.shared, self.facts, LimitFrom(limit))
    }

    /// Bounds the time in which the inner service gets ready as well. The inner service must then be
    /// `Clone`; this one always says that it is ready, and waits in the response.
    ///
    /// A request whose time is up before the service was ready counts as any other that took too
    /// long.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
    /// use tower_ballast_core::{BoxError, Reason, Rejected};
    /// use tower_ballast_timeout::TimeoutLayer;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
    /// let mut service = ServiceBuilder::new()
    ///     .layer(TimeoutLayer::new(Duration::from_secs(1)).cover_readiness())
    ///     .concurrency_limit(0) // It will never be ready.
    ///     .service(service_fn(|n: u32| async move { Ok::<_, BoxError>(n) }));
    ///
    /// let late = service.ready().await.unwrap().call(1).await.unwrap_err();
    /// assert_eq!(Rejected::find(&*late).unwrap().reason(), Reason::Timeout);
    /// # });
    /// ```
    #[must_use]
    pub fn cover_readiness(self) -> TimeoutLayer<F, L, Covers> {
        TimeoutLayer::of(self.shared, self.facts, self.limits)
    }

    const fn of(shared: Arc<Shared>, facts: Option<F>, limits: L) -> Self {
        Self { shared, facts, limits, mode: PhantomData }
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

impl<F: Clone, L: Clone, M> Clone for TimeoutLayer<F, L, M> {
    fn clone(&self) -> Self {
        Self::of(Arc::clone(&self.shared), self.facts.clone(), self.limits.clone())
    }
}

impl<S, F: Clone, L: Clone, M> Layer<S> for TimeoutLayer<F, L, M> {
    type Service = Timeout<S, F, L, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Timeout::new(inner, Arc::clone(&self.shared), self.facts.clone(), self.limits.clone())
    }
}
