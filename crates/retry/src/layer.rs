use std::time::Duration;

use tower_ballast_core::{
    Backoff, Budget, ByClone, ByResult, Event, Name, Observer, Spread, Verdict,
};
use tower_layer::Layer;

use crate::{
    handle::RetryHandle, plan::Settings, service::Retry, shared::Shared, worst_case::WorstCase,
};

/// Sends failed requests again, as often as it may and no more than does good.
///
/// All services made by one layer, and by its clones, share one budget and one set of settings,
/// which its [`handle`](RetryLayer::handle) changes while they run. The crate's page shows it at
/// work.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::{Backoff, idempotent};
/// use tower_ballast_retry::RetryLayer;
///
/// let layer = RetryLayer::new(idempotent())
///     .name("inventory")
///     .retries(3)
///     .backoff(Backoff::exponential(Duration::from_millis(20)).cap(Duration::from_secs(1)));
/// assert_eq!(layer.worst_case().attempts, 4);
/// ```
#[derive(Debug, Clone)]
pub struct RetryLayer<F, R = ByClone, C = ByResult, D = ()> {
    shared: Spread<Shared>,
    facts: F,
    replay: R,
    classify: C,
    discard: D,
}

impl<F> RetryLayer<F> {
    /// Three attempts in all. `facts` say which requests may be sent twice: there is no default
    /// answer, because a wrong one charges a customer twice.
    ///
    /// [`idempotent()`] is your word that all of them may; `tower-ballast-http` has facts that go
    /// by method and `Idempotency-Key`.
    ///
    /// ```
    /// use tower_ballast_core::facts;
    /// use tower_ballast_retry::RetryLayer;
    ///
    /// #[derive(Clone)]
    /// enum Command {
    ///     Read,
    ///     Append,
    /// }
    ///
    /// let layer = RetryLayer::new(facts().repeatable_if(|c: &Command| matches!(c, Command::Read)));
    /// # let _ = (layer, Command::Append);
    /// ```
    ///
    /// [`idempotent()`]: tower_ballast_core::idempotent
    #[must_use]
    pub fn new(facts: F) -> Self {
        Self {
            shared: Spread::new(Shared::new(Settings::default())),
            facts,
            replay: ByClone,
            classify: ByResult,
            discard: (),
        }
    }
}

impl<F, R, C, D> RetryLayer<F, R, C, D> {
    /// How often a request may be sent again. Default: 2, which makes three attempts. 0 is never.
    #[must_use]
    pub fn retries(self, retries: u32) -> Self {
        self.set(|settings| settings.retries = retries)
    }

    /// How long to wait between attempts. Default: exponential from 100 ms by doubling, at most
    /// 5 s, full jitter. Where the sequence ends, so do the attempts.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_ballast_core::{Backoff, idempotent};
    /// use tower_ballast_retry::RetryLayer;
    ///
    /// // Twice at once, and then with growing patience, for ten seconds in all.
    /// let backoff = Backoff::none().take(2).then(Backoff::fibonacci(Duration::from_millis(50)));
    /// let layer = RetryLayer::new(idempotent())
    ///     .retries(10)
    ///     .backoff(backoff)
    ///     .total(Duration::from_secs(10));
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn backoff(self, backoff: Backoff) -> Self {
        self.set(|settings| settings.backoff = backoff)
    }

    /// The longest time from the call to the start of its last attempt. Default:
    /// [`Duration::MAX`], which is none. Each call then reads the clock once more.
    #[must_use]
    pub fn total(self, total: Duration) -> Self {
        self.set(|settings| settings.total = total)
    }

    /// The longest wait that it makes because a service asks for it, by `Retry-After` for
    /// instance. Default: 30 seconds. The answer of a service that asks for more is handed on.
    #[must_use]
    pub fn longest_hint(self, longest: Duration) -> Self {
        self.set(|settings| settings.longest_hint = longest)
    }

    /// How long an attempt needs at the least. Default: none. An attempt that could not finish
    /// before the request's deadline is not begun.
    #[must_use]
    pub fn needs(self, needs: Duration) -> Self {
        self.set(|settings| settings.needs = needs)
    }

    /// Whether it also retries inside of another retrying layer. Default: no, because attempts
    /// multiply: three layers of three make twenty-seven.
    ///
    /// It knows of the other layer by the [`attempt`](tower_ballast_core::Facts::attempt) that its
    /// facts read from the request.
    #[must_use]
    pub fn nested(self, nested: bool) -> Self {
        self.set(|settings| settings.nested = nested)
    }

    /// How many retries are allowed beside ordinary traffic. Default: a budget of its own, earned
    /// by successes. The first budget given stays.
    ///
    /// Give clones of one budget to all layers that call the same dependency.
    ///
    /// ```
    /// use tower_ballast_core::{Budget, Ratio, idempotent};
    /// use tower_ballast_retry::RetryLayer;
    ///
    /// let budget = Budget::new().funding(Ratio::percent::<5>());
    /// let reads = RetryLayer::new(idempotent()).budget(budget.clone());
    /// let writes = RetryLayer::new(idempotent()).retries(1).budget(budget);
    /// # let _ = (reads, writes);
    /// ```
    #[must_use]
    pub fn budget(self, budget: Budget) -> Self {
        self.shared.give_budget(budget);
        self
    }

    /// What it is called in events. Default: `retry`. The first name stays.
    #[must_use]
    pub fn name(self, name: impl Into<Name>) -> Self {
        self.shared.reporter.rename(name);
        self
    }

    /// Makes every delay repeatable.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.shared.random.reseed(seed);
        self
    }

    /// Tells a closure about each retry, and each that is not made. The first observer stays.
    ///
    /// ```
    /// use tower_ballast_core::idempotent;
    /// use tower_ballast_retry::RetryLayer;
    ///
    /// let layer = RetryLayer::new(idempotent()).on_event(|event| println!("{event}"));
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn on_event<O>(self, on_event: O) -> Self
    where
        O: Fn(&Event<'_>) + Send + Sync + 'static,
    {
        self.observer(on_event)
    }

    /// Tells an observer about each retry, and each that is not made. The first observer stays.
    #[must_use]
    pub fn observer<O: Observer + Send + Sync + 'static>(self, observer: O) -> Self {
        self.shared.reporter.observe_with(observer);
        self
    }

    /// What counts as a failure, and whether and when another attempt makes sense. Default: every
    /// `Err` is worth one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_ballast_core::{RetryAfter, Retryable, Verdict, idempotent};
    /// use tower_ballast_retry::RetryLayer;
    ///
    /// enum Reply {
    ///     Done,
    ///     Busy { seconds: u64 },
    ///     Broken,
    /// }
    ///
    /// let layer = RetryLayer::new(idempotent()).classify(
    ///     |outcome: Result<&Reply, &std::io::Error>| match outcome {
    ///         Ok(Reply::Done) => Verdict::Success,
    ///         Ok(Reply::Busy { seconds }) => Verdict::throttled()
    ///             .retry_after(RetryAfter::hint(Duration::from_secs(*seconds))),
    ///         Ok(Reply::Broken) => Verdict::fault(), // never repeated
    ///         Err(_) => Verdict::transient(),
    ///     },
    /// );
    /// # let _ = (layer, Reply::Done, Reply::Broken, Reply::Busy { seconds: 1 }, Retryable::Never);
    /// ```
    #[must_use]
    pub fn classify<Res, E, K>(self, classify: K) -> RetryLayer<F, R, K, D>
    where
        K: Fn(Result<&Res, &E>) -> Verdict,
    {
        self.classify_with(classify)
    }

    /// What counts as a failure, by a type of its own, which may look at the request too.
    #[must_use]
    pub fn classify_with<K>(self, classify: K) -> RetryLayer<F, R, K, D> {
        let Self { shared, facts, replay, discard, .. } = self;
        RetryLayer { shared, facts, replay, classify, discard }
    }

    /// How a request is kept for another attempt. Default: by [`ByClone`]. HTTP requests with
    /// bodies have their own in `tower-ballast-http`.
    #[must_use]
    pub fn replay<P>(self, replay: P) -> RetryLayer<F, P, C, D> {
        let Self { shared, facts, classify, discard, .. } = self;
        RetryLayer { shared, facts, replay, classify, discard }
    }

    /// How a response is let go of once another attempt has begun. Default: it is dropped. HTTP
    /// responses have `HttpDrain` in `tower-ballast-http`, which reads the rest of the body, so
    /// that the connection can be used again.
    ///
    /// Whatever is not done at once goes on beside the next attempt, in one box, and ends with it.
    #[must_use]
    pub fn discard<K>(self, discard: K) -> RetryLayer<F, R, C, K> {
        let Self { shared, facts, replay, classify, .. } = self;
        RetryLayer { shared, facts, replay, classify, discard }
    }

    /// The same settings with a state of its own, named and watched by nobody yet. Its budget has the settings
    /// of this one's, and is as full as that was at first.
    #[must_use]
    pub fn separate(mut self) -> Self {
        self.shared = Spread::new(self.shared.separate());
        self
    }

    /// A handle that reads and changes the layer while requests run.
    #[must_use]
    pub fn handle(&self) -> RetryHandle {
        RetryHandle(self.shared.clone())
    }

    /// The most that the present settings can do to one request and to the service.
    #[must_use]
    pub fn worst_case(&self) -> WorstCase {
        self.handle().worst_case()
    }

    fn set(self, set: impl FnOnce(&mut Settings)) -> Self {
        self.shared.configure(set);
        self
    }
}

impl<S, F: Clone, R: Clone, C: Clone, D: Clone> Layer<S> for RetryLayer<F, R, C, D> {
    type Service = Retry<S, F, R, C, D>;

    fn layer(&self, inner: S) -> Self::Service {
        Retry {
            inner,
            shared: self.shared.clone(),
            facts: self.facts.clone(),
            replay: self.replay.clone(),
            classify: self.classify.clone(),
            discard: self.discard.clone(),
        }
    }
}
