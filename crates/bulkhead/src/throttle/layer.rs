use std::{num::NonZeroU32, sync::Arc, time::Duration};

use tower_ballast_core::{
    ByResult, Enforcement, Event, Multiplier, Name, Observer, Ratio, Verdict,
};
use tower_layer::Layer;

use super::{handle::ThrottleHandle, ledger::Settings, service::Throttle, shared::Shared};

/// Refuses by itself, by chance, when a server refuses most of what it is sent.
///
/// All services made by one layer, and by its clones, count together. See
/// [the module](crate::throttle) for what it does, and an example.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_bulkhead::throttle::ThrottleLayer;
/// use tower_ballast_core::Multiplier;
///
/// let layer = ThrottleLayer::new()
///     .multiplier(Multiplier::of::<11, 10>())
///     .window(Duration::from_secs(30));
/// assert_eq!(layer.handle().chance(), 0.0);
/// ```
#[derive(Debug, Clone)]
pub struct ThrottleLayer<C = ByResult> {
    shared: Arc<Shared>,
    classify: C,
}

impl ThrottleLayer {
    /// Refuses nothing while at least half of the last two minutes' requests were accepted.
    #[must_use]
    pub fn new() -> Self {
        Self { shared: Arc::new(Shared::new(Settings::default())), classify: ByResult }
    }
}

impl Default for ThrottleLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> ThrottleLayer<C> {
    /// How many requests are sent for each that is accepted. Default: 2. Less spares the server more
    /// and finds out later that it accepts more.
    #[must_use]
    pub fn multiplier(self, multiplier: Multiplier) -> Self {
        self.configure(|settings| settings.multiplier = multiplier)
    }

    /// How long a request is counted. Default: 2 minutes.
    #[must_use]
    pub fn window(self, window: Duration) -> Self {
        self.configure(|settings| settings.window = window)
    }

    /// With fewer requests in the window nothing is refused. Default: 20.
    #[must_use]
    pub fn fewest_requests(self, fewest: NonZeroU32) -> Self {
        self.configure(|settings| settings.fewest = fewest)
    }

    /// The share of requests that is refused at the most. Default: 90 %.
    #[must_use]
    pub fn most_refused(self, share: Ratio) -> Self {
        self.configure(|settings| settings.most_refused = share)
    }

    /// What the server does not accept: a verdict of [`Verdict::throttled`]. Default: every `Err` is a
    /// failure of a request that was accepted.
    #[must_use]
    pub fn classify<Res, E, D>(self, classify: D) -> ThrottleLayer<D>
    where
        D: Fn(Result<&Res, &E>) -> Verdict,
    {
        self.classify_with(classify)
    }

    /// What the server does not accept, by a type of its own, which may look at the request too.
    #[must_use]
    pub fn classify_with<D>(self, classify: D) -> ThrottleLayer<D> {
        ThrottleLayer { shared: self.shared, classify }
    }

    /// What it is called in errors and events. Default: `throttle`. The first name stays.
    #[must_use]
    pub fn name(self, name: impl Into<Name>) -> Self {
        self.shared.reporter.rename(name);
        self
    }

    /// Whether refusals are carried out. Default: [`Enforcement::On`].
    #[must_use]
    pub fn enforcement(self, enforcement: Enforcement) -> Self {
        self.shared.enforcement.set(enforcement);
        self
    }

    /// Makes every draw repeatable.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.shared.random.reseed(seed);
        self
    }

    /// Tells a closure about each refusal. The first observer stays.
    #[must_use]
    pub fn on_event<O>(self, on_event: O) -> Self
    where
        O: Fn(&Event<'_>) + Send + Sync + 'static,
    {
        self.observer(on_event)
    }

    /// Tells an observer about each refusal. The first observer stays.
    #[must_use]
    pub fn observer<O: Observer + Send + Sync + 'static>(self, observer: O) -> Self {
        self.shared.reporter.observe_with(observer);
        self
    }

    /// The same settings with counts of its own, named and watched by nobody yet.
    #[must_use]
    pub fn separate(mut self) -> Self {
        self.shared = Arc::new(self.shared.separate());
        self
    }

    /// The same settings, name and observer with counts of its own: for one layer of many that are
    /// alike, as for each of several servers.
    #[must_use]
    pub fn fork(mut self) -> Self {
        let mut fork = self.shared.separate();
        fork.reporter = self.shared.reporter.fork();
        self.shared = Arc::new(fork);
        self
    }

    /// A handle that reads the counts and changes the settings while requests run.
    #[must_use]
    pub fn handle(&self) -> ThrottleHandle {
        ThrottleHandle::new(Arc::clone(&self.shared))
    }

    fn configure(self, configure: impl FnOnce(&mut Settings)) -> Self {
        self.shared.configure(configure);
        self
    }
}

impl<S, C: Clone> Layer<S> for ThrottleLayer<C> {
    type Service = Throttle<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        Throttle::new(inner, Arc::clone(&self.shared), self.classify.clone())
    }
}
