use std::sync::Arc;

use tower_ballast_core::{Enforcement, Event, Name, Observer, Ratio};
use tower_layer::Layer;

use super::{handle::ShedHandle, level::Thresholds, service::Shed, shared::Shared};
use crate::system::SystemLoad;

/// Refuses what matters least while the machine is overloaded.
///
/// All services made by one layer, and by its clones, refuse the same classes. See
/// [the module](crate::shed) for what it does, and an example.
#[derive(Debug, Clone)]
pub struct ShedLayer<F = ()> {
    shared: Arc<Shared>,
    facts: F,
}

impl ShedLayer {
    /// Goes by this load.
    #[must_use]
    pub fn new(load: &SystemLoad) -> Self {
        Self { shared: Arc::new(Shared::new(load.clone())), facts: () }
    }
}

impl<F> ShedLayer<F> {
    /// From which load on each class is refused. Default: 80, 87 and 94 %, and `High` never.
    #[must_use]
    pub fn thresholds(self, thresholds: Thresholds) -> Self {
        self.shared.configure(|settings| settings.thresholds = thresholds);
        self
    }

    /// How far below its threshold the load must be before a class comes back. Default: 5 %.
    #[must_use]
    pub fn hysteresis(self, hysteresis: Ratio) -> Self {
        self.shared.configure(|settings| settings.hysteresis = hysteresis);
        self
    }

    /// What may be known of a request: its priority. Default: nothing, and all are `Medium`.
    #[must_use]
    pub fn facts<G>(self, facts: G) -> ShedLayer<G> {
        ShedLayer { shared: self.shared, facts }
    }

    /// What it is called in errors and events. Default: `shed`. The first name stays.
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

    /// Makes every draw repeatable: which refusals are carried out under
    /// [`Enforcement::Percent`].
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.shared.random.reseed(seed);
        self
    }

    /// Tells a closure about each refusal, and each class that is refused from now on or no more.
    /// The first observer stays.
    #[must_use]
    pub fn on_event<O>(self, on_event: O) -> Self
    where
        O: Fn(&Event<'_>) + Send + Sync + 'static,
    {
        self.observer(on_event)
    }

    /// Tells an observer what [`on_event`](Self::on_event) tells. The first observer stays.
    #[must_use]
    pub fn observer<O: Observer + Send + Sync + 'static>(self, observer: O) -> Self {
        self.shared.reporter.observe_with(observer);
        self
    }

    /// The same settings and load with a state of its own, named and watched by nobody yet.
    #[must_use]
    pub fn separate(mut self) -> Self {
        self.shared = Arc::new(self.shared.separate());
        self
    }

    /// The same settings, load, name and observer with a state of its own.
    #[must_use]
    pub fn fork(mut self) -> Self {
        let mut fork = self.shared.separate();
        fork.reporter = self.shared.reporter.fork();
        self.shared = Arc::new(fork);
        self
    }

    /// A handle that reads what is refused and changes the settings while requests run.
    #[must_use]
    pub fn handle(&self) -> ShedHandle {
        ShedHandle::new(Arc::clone(&self.shared))
    }
}

impl<S, F: Clone> Layer<S> for ShedLayer<F> {
    type Service = Shed<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        Shed::new(inner, Arc::clone(&self.shared), self.facts.clone())
    }
}
