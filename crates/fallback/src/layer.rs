use std::sync::Arc;

use tower_ballast_core::{ByClone, ByResult, Enforcement, Event, Name, Observer, Spread, Verdict};
use tower_layer::Layer;

use crate::{
    handle::FallbackHandle,
    service::Fallback,
    shared::{Shared, State},
    way::{Made, Outcome, Request, Through, Value},
};

/// Answers with something else when the service fails.
///
/// All services made by one layer, and by its clones, share its limit and its counts.
///
/// ```
/// use tower_ballast_core::BoxError;
/// use tower_ballast_fallback::FallbackLayer;
///
/// // A price without today's discount, named by what was asked for.
/// let layer = FallbackLayer::request(
///     |sku: &u32| *sku,
///     |sku, outcome: Result<String, BoxError>| match outcome {
///         Err(error) if error.to_string().contains("discounts") => Ok(format!("{sku}: 9.99")),
///         outcome => outcome,
///     },
/// );
/// # let _ = layer;
/// ```
#[derive(Debug)]
pub struct FallbackLayer<W, C = ByResult, F = ()> {
    shared: Spread<Shared<W>>,
    classify: C,
    facts: F,
}

impl<T> FallbackLayer<Made<Value<T>>> {
    /// Answers with a clone of `value`.
    #[must_use]
    pub fn value(value: T) -> Self {
        Self::with(Made(Value(value)))
    }
}

impl<M> FallbackLayer<Made<Outcome<M>>> {
    /// Answers with what the closure makes of the outcome, which may be an error again.
    #[must_use]
    pub fn outcome<Res, E>(make: M) -> Self
    where
        M: Fn(Result<Res, E>) -> Result<Res, E>,
    {
        Self::with(Made(Outcome(make)))
    }
}

impl<K, M> FallbackLayer<Made<Request<K, M>>> {
    /// Answers with what `make` makes of the outcome and of what `keep` has kept of the request.
    #[must_use]
    pub fn request<Req, Res, E, T>(keep: K, make: M) -> Self
    where
        K: Fn(&Req) -> T,
        M: Fn(T, Result<Res, E>) -> Result<Res, E>,
    {
        Self::with(Made(Request { keep, make }))
    }
}

impl<T> FallbackLayer<Through<T>> {
    /// Sends the same request to another service, of which each such request gets a clone.
    ///
    /// ```
    /// use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
    /// use tower_ballast_core::BoxError;
    /// use tower_ballast_fallback::FallbackLayer;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let replica = service_fn(|id: u32| async move { Ok::<_, BoxError>(format!("{id} of yesterday")) });
    /// let mut service = ServiceBuilder::new()
    ///     .layer(FallbackLayer::service(replica).limit(20))
    ///     .service_fn(|_: u32| async { Err::<String, _>(BoxError::from("down")) });
    ///
    /// assert_eq!(service.ready().await.unwrap().call(7).await.unwrap(), "7 of yesterday");
    /// # });
    /// ```
    #[must_use]
    pub fn service(service: T) -> Self {
        Self::with(Through::new(service, ByClone))
    }
}

impl<W> FallbackLayer<W> {
    fn with(way: W) -> Self {
        let (state, way) = (Arc::new(State::new()), Arc::new(way));
        Self { shared: Spread::new(Shared { state, way }), classify: ByResult, facts: () }
    }
}

impl<T: Clone, R, C, F> FallbackLayer<Through<T, R>, C, F> {
    /// How many requests may be with the other service at a time; for others the first outcome is
    /// handed on. Default: 100.
    #[must_use]
    pub fn limit(self, limit: u32) -> Self {
        self.shared.state.set_limit(limit);
        self
    }

    /// What may be known of a request: the deadline after which the other service is not asked.
    /// Default: nothing.
    #[must_use]
    pub fn facts<G>(self, facts: G) -> FallbackLayer<Through<T, R>, C, G> {
        FallbackLayer { shared: self.shared, classify: self.classify, facts }
    }

    /// How a request is kept for the other service. Default: as a clone.
    #[must_use]
    pub fn replay<P>(self, replay: P) -> FallbackLayer<Through<T, P>, C, F> {
        let state = Arc::clone(&self.shared.state);
        let way = Arc::new(Through::new(self.shared.way.instance(), replay));
        let shared = Spread::new(Shared { state, way });
        FallbackLayer { shared, classify: self.classify, facts: self.facts }
    }
}

impl<W, C, F> FallbackLayer<W, C, F> {
    /// Which outcomes are replaced: failures. Default: every `Err`.
    #[must_use]
    pub fn classify<Res, E, D>(self, classify: D) -> FallbackLayer<W, D, F>
    where
        D: Fn(Result<&Res, &E>) -> Verdict,
    {
        self.classify_with(classify)
    }

    /// The same by a type of one's own, a [`Classify`](tower_ballast_core::Classify).
    #[must_use]
    pub fn classify_with<D>(self, classify: D) -> FallbackLayer<W, D, F> {
        FallbackLayer { shared: self.shared, classify, facts: self.facts }
    }

    /// What it is called in events. Default: `fallback`. The first name stays.
    #[must_use]
    pub fn name(self, name: impl Into<Name>) -> Self {
        self.shared.state.reporter.rename(name);
        self
    }

    /// Whether outcomes are replaced. Default: [`Enforcement::On`].
    #[must_use]
    pub fn enforcement(self, enforcement: Enforcement) -> Self {
        self.shared.state.enforcement.set(enforcement);
        self
    }

    /// Makes every draw repeatable: which outcomes are replaced under [`Enforcement::Percent`].
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.shared.state.random.reseed(seed);
        self
    }

    /// Tells a closure about each outcome that is replaced, or could not be. The first observer
    /// stays.
    #[must_use]
    pub fn on_event<O>(self, on_event: O) -> Self
    where
        O: Fn(&Event<'_>) + Send + Sync + 'static,
    {
        self.observer(on_event)
    }

    /// Tells an observer about each outcome that is replaced, or could not be. The first observer
    /// stays.
    #[must_use]
    pub fn observer<O: Observer + Send + Sync + 'static>(self, observer: O) -> Self {
        self.shared.state.reporter.observe_with(observer);
        self
    }

    /// The same way and settings with a limit and counts of its own, named and watched by nobody
    /// yet.
    #[must_use]
    pub fn separate(mut self) -> Self {
        let state = Arc::new(self.shared.state.separate());
        let way = Arc::clone(&self.shared.way);
        self.shared = Spread::new(Shared { state, way });
        self
    }

    /// The same way, settings, name and observer with a limit and counts of its own: for one layer
    /// of many that are alike.
    #[must_use]
    pub fn fork(mut self) -> Self {
        let mut fork = self.shared.state.separate();
        fork.reporter = self.shared.state.reporter.fork();
        let (state, way) = (Arc::new(fork), Arc::clone(&self.shared.way));
        self.shared = Spread::new(Shared { state, way });
        self
    }

    /// A handle that reads the counts and changes the settings while requests run.
    #[must_use]
    pub fn handle(&self) -> FallbackHandle {
        FallbackHandle::new(Arc::clone(&self.shared.state))
    }
}

impl<W, C: Clone, F: Clone> Clone for FallbackLayer<W, C, F> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            classify: self.classify.clone(),
            facts: self.facts.clone(),
        }
    }
}

impl<S, W, C: Clone, F: Clone> Layer<S> for FallbackLayer<W, C, F> {
    type Service = Fallback<S, W, C, F>;

    fn layer(&self, inner: S) -> Self::Service {
        let (classify, facts) = (self.classify.clone(), self.facts.clone());
        Fallback { inner, shared: self.shared.clone(), classify, facts }
    }
}
