use std::{marker::PhantomData, num::NonZeroU32, time::Duration};

use tower_ballast_core::{ByResult, Enforcement, Event, Name, Observer, Ratio, Spread, Verdict};
use tower_layer::Layer;

use crate::{
    handle::CircuitBreakerHandle,
    service::CircuitBreaker,
    settings::{Settings, Slow, WindowOf},
    shared::Shared,
    waits::{Refuse, Wait},
};

/// Stops calling a service that keeps failing, and lets it recover gently.
///
/// All services made by one layer, and by its clones, share one circuit.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_circuit_breaker::{CircuitBreakerLayer, Phase};
/// use tower_ballast_core::Ratio;
///
/// let layer = CircuitBreakerLayer::new()
///     .name("payments")
///     .failure_rate(Ratio::percent::<25>())
///     .rest(Duration::from_secs(2));
/// assert_eq!(layer.handle().phase(), Phase::Closed);
/// ```
#[derive(Debug)]
pub struct CircuitBreakerLayer<C = ByResult, F = (), W = Refuse> {
    shared: Spread<Shared>,
    classify: C,
    facts: F,
    waits: PhantomData<fn() -> W>,
}

impl CircuitBreakerLayer {
    /// Opens when half of at least 20 calls within 30 seconds have failed.
    #[must_use]
    pub fn new() -> Self {
        Self::of(Spread::new(Shared::new(Settings::default())), ByResult, ())
    }
}

impl Default for CircuitBreakerLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<C, F, W> CircuitBreakerLayer<C, F, W> {
    /// Over which calls it judges. Default: the calls of the last 30 seconds.
    #[must_use]
    pub fn window(self, window: WindowOf) -> Self {
        self.set(|settings| settings.window = window)
    }

    /// The share of failures at which it opens. Default: 50 %.
    #[must_use]
    pub fn failure_rate(self, rate: Ratio) -> Self {
        self.set(|settings| settings.failure_rate = rate)
    }

    /// How many calls a rate needs before it says anything. Default: 20, and never more than a
    /// window of calls holds.
    #[must_use]
    pub fn minimum_calls(self, calls: NonZeroU32) -> Self {
        self.set(|settings| settings.minimum_calls = calls)
    }

    /// Opens also when this many of the calls in the window have failed: with a window of `n`
    /// calls, `failures` of the last `n`. Default: off.
    #[must_use]
    pub fn failures(self, failures: NonZeroU32) -> Self {
        self.set(|settings| settings.failures = Some(failures))
    }

    /// Opens also when this many calls in a row have failed. Default: off.
    #[must_use]
    pub fn consecutive_failures(self, failures: NonZeroU32) -> Self {
        self.set(|settings| settings.consecutive = Some(failures))
    }

    /// Opens also when this share of the calls took longer than `above`. Default: off. Each call
    /// then reads the clock once more.
    #[must_use]
    pub fn slow_calls(self, above: Duration, rate: Ratio) -> Self {
        self.set(|settings| settings.slow = Some(Slow { above, rate }))
    }

    /// How long it stays open before the first trial. Default: 5 seconds; each rest is drawn from
    /// half to one and a half of it, and it doubles from the third opening in a row.
    #[must_use]
    pub fn rest(self, rest: Duration) -> Self {
        self.set(|settings| {
            settings.rest.nominal = rest;
            settings.rest.schedule = None;
        })
    }

    /// How long it stays open after its first, second, .. opening in a row, as a closure from that
    /// number. It is asked at once for the first sixteen; later openings rest like the sixteenth.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_ballast_circuit_breaker::CircuitBreakerLayer;
    ///
    /// let layer = CircuitBreakerLayer::new()
    ///     .rest_from(|opening| Duration::from_secs(u64::from(opening)));
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn rest_from(self, rest: impl Fn(u32) -> Duration) -> Self {
        let schedule: Vec<_> = (1..=16).map(rest).collect();
        self.set(|settings| settings.rest.schedule = Some(schedule.into()))
    }

    /// The longest rest, however often it opens and whatever a `Retry-After` asks. Default: 60 s.
    #[must_use]
    pub fn longest_rest(self, rest: Duration) -> Self {
        self.set(|settings| settings.rest.longest = rest)
    }

    /// How far around its nominal length a rest is drawn. Default: 50 %. Zero makes every rest
    /// the same, and a fleet come back in one moment.
    #[must_use]
    pub fn rest_spread(self, spread: Ratio) -> Self {
        self.set(|settings| settings.rest.spread = spread)
    }

    /// How many trials may run at once when the rest is over. Default: 3.
    #[must_use]
    pub fn trials(self, trials: NonZeroU32) -> Self {
        self.set(|settings| settings.trials = trials)
    }

    /// How many trials must succeed. Default: as many as may run at once.
    #[must_use]
    pub fn trial_successes(self, successes: NonZeroU32) -> Self {
        self.set(|settings| settings.successes = Some(successes))
    }

    /// How long trials may hang before the circuit opens again. Default: 10 seconds.
    #[must_use]
    pub fn longest_trial(self, longest: Duration) -> Self {
        self.set(|settings| settings.longest_trial = longest)
    }

    /// Whether calls come back in growing numbers after the trials, or all at once. Default: in
    /// growing numbers.
    #[must_use]
    pub fn recovery(self, gentle: bool) -> Self {
        self.set(|settings| settings.recovery = gentle)
    }

    /// A call that its caller drops counts as a timeout when it is older than this, or past its
    /// deadline. Default: 10 seconds.
    #[must_use]
    pub fn abandoned_after(self, age: Duration) -> Self {
        self.set(|settings| settings.abandoned_after = age)
    }

    /// What it is called in errors and events. Default: `circuit_breaker`. The first name stays.
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

    /// Makes every draw repeatable, also those of circuits that are later made
    /// [separate](Self::separate) or [forked](Self::fork).
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.shared.seed(seed);
        self
    }

    /// Tells a closure about each refusal and change of state. The first observer stays.
    #[must_use]
    pub fn on_event<O>(self, on_event: O) -> Self
    where
        O: Fn(&Event<'_>) + Send + Sync + 'static,
    {
        self.observer(on_event)
    }

    /// Tells an observer about each refusal and change of state. The first observer stays.
    #[must_use]
    pub fn observer<O: Observer + Send + Sync + 'static>(self, observer: O) -> Self {
        self.shared.reporter.observe_with(observer);
        self
    }

    /// What counts as a failure. Default: every `Err`.
    ///
    /// ```
    /// use tower_ballast_circuit_breaker::CircuitBreakerLayer;
    /// use tower_ballast_core::Verdict;
    ///
    /// let layer = CircuitBreakerLayer::new().classify(
    ///     |outcome: Result<&u16, &std::io::Error>| match outcome {
    ///         Ok(status) if *status >= 500 => Verdict::transient(),
    ///         Ok(_) => Verdict::Success,
    ///         Err(_) => Verdict::transient(),
    ///     },
    /// );
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn classify<Res, E, D>(self, classify: D) -> CircuitBreakerLayer<D, F, W>
    where
        D: Fn(Result<&Res, &E>) -> Verdict,
    {
        self.classify_with(classify)
    }

    /// What counts as a failure, by a type of its own.
    #[must_use]
    pub fn classify_with<D>(self, classify: D) -> CircuitBreakerLayer<D, F, W> {
        CircuitBreakerLayer::of(self.shared, classify, self.facts)
    }

    /// What may be known of a request; the deadline is used. Default: nothing.
    #[must_use]
    pub fn facts<G>(self, facts: G) -> CircuitBreakerLayer<C, G, W> {
        CircuitBreakerLayer::of(self.shared, self.classify, facts)
    }

    /// Lets up to `most` callers wait up to `longest`, and never past their deadlines, for the
    /// circuit to let them in, first come, first served. Default: nobody waits.
    ///
    /// Needs an inner service that is `Clone`. Zero callers, or no time, refuse as before. A call that
    /// waits does so in a box of its own; one that is let in at once allocates nothing.
    #[must_use]
    pub fn wait(self, longest: Duration, most: u32) -> CircuitBreakerLayer<C, F, Wait> {
        let layer = self.set(|settings| {
            settings.longest_wait = longest;
            settings.most_waiting = most;
        });
        CircuitBreakerLayer::of(layer.shared, layer.classify, layer.facts)
    }

    /// The same settings with a circuit of its own, named and watched by nobody yet.
    #[must_use]
    pub fn separate(mut self) -> Self {
        self.shared = Spread::new(self.shared.separate());
        self
    }

    /// The same settings, name and observer with a state of its own: for one layer of many that
    /// are alike.
    #[must_use]
    pub fn fork(mut self) -> Self {
        let mut fork = self.shared.separate();
        fork.reporter = self.shared.reporter.fork();
        self.shared = Spread::new(fork);
        self
    }

    /// A handle that reads the circuit and changes it while traffic flows.
    #[must_use]
    pub fn handle(&self) -> CircuitBreakerHandle {
        CircuitBreakerHandle(self.shared.clone())
    }

    const fn of(shared: Spread<Shared>, classify: C, facts: F) -> Self {
        Self { shared, classify, facts, waits: PhantomData }
    }

    fn set(self, set: impl FnOnce(&mut Settings)) -> Self {
        self.shared.configure(set);
        self
    }
}

impl<C: Clone, F: Clone, W> Clone for CircuitBreakerLayer<C, F, W> {
    fn clone(&self) -> Self {
        Self::of(self.shared.clone(), self.classify.clone(), self.facts.clone())
    }
}

impl<S, C: Clone, F: Clone, W> Layer<S> for CircuitBreakerLayer<C, F, W> {
    type Service = CircuitBreaker<S, C, F, W>;

    fn layer(&self, inner: S) -> Self::Service {
        CircuitBreaker::new(inner, self.shared.clone(), self.classify.clone(), self.facts.clone())
    }
}
