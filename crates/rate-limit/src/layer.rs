mod measured;
mod queue;

use std::{marker::PhantomData, sync::Arc};

use tower_ballast_core::{Enforcement, Event, Name, Observer};
use tower_layer::Layer;

use crate::{
    Quota,
    adjust::Schedule,
    gate::Algorithm,
    handle::PriorityRateLimitHandle,
    key_limit::KeyLimit,
    levels::PerKey,
    modes::{Queue, Refuse},
    service::PriorityRateLimit,
    settle::Settlement,
    shared::Shared,
    standings::RateLimitStandings,
    tier::Whose,
};

/// Limits how many requests pass in a time, and lets those that matter most pass first.
///
/// All services made by one layer, and by its clones, share its limit and its queue.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::count;
/// use tower_ballast_rate_limit::{PriorityRateLimitLayer, Quota};
///
/// let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<100>()))
///     .name("search")
///     .queue(256)
///     .longest_wait(Duration::from_millis(250));
/// layer.handle().set_quota(Quota::per_second(count::<150>()));
/// assert_eq!(layer.handle().quota().count(), 150);
/// ```
#[derive(Debug)]
pub struct PriorityRateLimitLayer<F = (), C = (), M = Refuse, L = (), A = ()> {
    shared: Arc<Shared>,
    facts: F,
    settle: C,
    keys: L,
    measure: A,
    mode: PhantomData<fn() -> M>,
}

impl PriorityRateLimitLayer {
    /// As many requests as the quota allows; others are refused. A [closed](Quota::CLOSED) quota
    /// admits nobody.
    #[must_use]
    pub fn new(quota: Quota) -> Self {
        Self::with_algorithm(Algorithm::default(), quota)
    }

    /// The same, with the quota kept in another way than by GCRA.
    ///
    /// ```
    /// use tower_ballast_core::count;
    /// use tower_ballast_rate_limit::{PriorityRateLimitLayer, Quota, gate::Algorithm};
    ///
    /// // One after the other, 20 ms apart, and never two at once.
    /// let even = PriorityRateLimitLayer::with_algorithm(
    ///     Algorithm::Pacing,
    ///     Quota::per_second(count::<50>()),
    /// );
    /// # let _ = even;
    /// ```
    #[must_use]
    pub fn with_algorithm(algorithm: Algorithm, quota: Quota) -> Self {
        Self {
            shared: Arc::new(Shared::new(algorithm, quota)),
            facts: (),
            settle: (),
            keys: (),
            measure: (),
            mode: PhantomData,
        }
    }
}

impl<F, C, M, L, A> PriorityRateLimitLayer<F, C, M, L, A> {
    /// How much may pass, in place of what it was made with. What is left stays left.
    #[must_use]
    pub fn quota(self, quota: Quota) -> Self {
        self.shared.set_quota(quota);
        self
    }

    /// Lets up to `most` callers of each class wait for their turn, of the highest also in the places of the lowest.
    /// The inner service must then be `Clone`.
    ///
    /// A call that waits does so in a box of its own. One that passes at once allocates nothing.
    #[must_use]
    pub fn queue(self, most: u32) -> PriorityRateLimitLayer<F, C, Queue, L, A> {
        self.shared.set_most_waiting(most);
        let Self { shared, facts, settle, keys, measure, .. } = self;
        PriorityRateLimitLayer { shared, facts, settle, keys, measure, mode: PhantomData }
    }

    /// What may be known of a request: its priority, the client that it comes from, what it costs
    /// and when it has to be answered. Default: nothing, so all are [`Medium`](tower_ballast_core::Priority::Medium), of one
    /// client, and cost 1.
    #[must_use]
    pub fn facts<G>(self, facts: G) -> PriorityRateLimitLayer<G, C, M, L, A> {
        let Self { shared, settle, keys, measure, .. } = self;
        PriorityRateLimitLayer { shared, facts, settle, keys, measure, mode: PhantomData }
    }

    /// What a request has cost after all, by its outcome. Default: what its facts said before, and so it
    /// stays if the caller goes away before there is an outcome.
    ///
    /// ```
    /// use tower_ballast_core::{count, facts};
    /// use tower_ballast_rate_limit::{PriorityRateLimitLayer, Quota, Settlement};
    ///
    /// struct Prompt {
    ///     longest_answer: std::num::NonZeroU32,
    /// }
    /// struct Answer {
    ///     tokens: u32,
    /// }
    ///
    /// // 40 000 tokens a minute: the estimate is taken before, the rest is given back after.
    /// let layer = PriorityRateLimitLayer::new(
    ///     Quota::per_minute(count::<40_000>()).burst(count::<40_000>()),
    /// )
    /// .facts(facts().cost_from(|prompt: &Prompt| prompt.longest_answer))
    /// .settle(|outcome: Result<&Answer, &std::io::Error>| match outcome {
    ///     Ok(answer) => Settlement::Cost(answer.tokens),
    ///     Err(_) => Settlement::Refund,
    /// });
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn settle<Res, E, D>(self, settle: D) -> PriorityRateLimitLayer<F, D, M, L, A>
    where
        D: Fn(Result<&Res, &E>) -> Settlement,
    {
        self.settle_with(settle)
    }

    /// What a request has cost after all, by a type of its own.
    #[must_use]
    pub fn settle_with<D>(self, settle: D) -> PriorityRateLimitLayer<F, D, M, L, A> {
        let Self { shared, facts, keys, measure, .. } = self;
        PriorityRateLimitLayer { shared, facts, settle, keys, measure, mode: PhantomData }
    }

    /// Another limit, for each of many keys, that a request is held to as well. All are taken together
    /// or none is. A request without a key is not held to it. The closure returns an `Option<Key>`, or an
    /// `Option<(Key, Tier)>` where there are [tiers](KeyLimit#tiers).
    ///
    /// A [guaranteed](KeyLimit#guaranteed-shares) one refuses nobody, and lets a key pass within it when the common limit
    /// has nothing left.
    ///
    /// Whose own limit is reached is refused at once, also by a layer with a queue: the queue is for
    /// the limit that all share, and nobody waits in it for a limit that holds for itself alone.
    ///
    /// # Panics
    ///
    /// If the layer has four such limits. Clones share them, so each one that is added to any of them counts.
    #[must_use]
    pub fn per_key<R, K, W>(
        self,
        limit: KeyLimit,
        key: K,
    ) -> PriorityRateLimitLayer<F, C, M, PerKey<L, K>, A>
    where
        K: Fn(&R) -> W,
        W: Into<Whose>,
    {
        let level = self.shared.levels.add(limit);
        let Self { shared, facts, settle, keys: others, measure, .. } = self;
        let keys = PerKey { others, key, level };
        PriorityRateLimitLayer { shared, facts, settle, keys, measure, mode: PhantomData }
    }

    /// When in the day, by UTC, the rate is raised. Default: never. Whoever comes first after a change of it puts it
    /// into effect, which is told as an event. If the time of day is set, that is seen within a minute.
    #[must_use]
    pub fn schedule(self, schedule: Schedule) -> Self {
        self.shared.set_schedule(Some(schedule));
        self
    }

    /// What it is called in errors and events. Default: `rate_limit`. The first name stays.
    #[must_use]
    pub fn name(self, name: impl Into<Name>) -> Self {
        self.shared.reporter.rename(name);
        self
    }

    /// Whether refusals are carried out. Default: [`Enforcement::On`]. Nobody waits otherwise.
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

    /// The same settings with a limit and a queue of its own, named and watched by nobody yet.
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

    /// A handle that reads the limit and changes it while requests run.
    #[must_use]
    pub fn handle(&self) -> PriorityRateLimitHandle {
        PriorityRateLimitHandle::new(Arc::clone(&self.shared))
    }

    /// Tells what is left of each of its limits for a request, by the keys that its own closures give: for
    /// `RateLimitFieldsLayer` of `tower-ballast-http`.
    ///
    /// ```
    /// use tower_ballast_core::{Key, Standings, count};
    /// use tower_ballast_rate_limit::{KeyLimit, PriorityRateLimitLayer, Quota};
    ///
    /// let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1000>())).per_key(
    ///     KeyLimit::new(10_000, Quota::per_second(count::<10>())).name("tenant"),
    ///     |tenant: &u32| Some(Key::of(tenant)),
    /// );
    /// let standings = layer.standings();
    /// let mut told = Vec::new();
    /// standings.each(&standings.keep(&7), &mut |left| told.push((left.policy.to_owned(), left.remaining)));
    /// assert_eq!(told, [("tenant".to_owned(), 10), ("rate_limit".to_owned(), 1000)]);
    /// ```
    #[must_use]
    pub fn standings(&self) -> RateLimitStandings<L>
    where
        L: Clone,
    {
        RateLimitStandings::new(Arc::clone(&self.shared), self.keys.clone())
    }
}

impl<F: Clone, C: Clone, M, L: Clone, A: Clone> Clone for PriorityRateLimitLayer<F, C, M, L, A> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            facts: self.facts.clone(),
            settle: self.settle.clone(),
            keys: self.keys.clone(),
            measure: self.measure.clone(),
            mode: PhantomData,
        }
    }
}

impl<S, F: Clone, C: Clone, M, L: Clone, A: Clone> Layer<S>
    for PriorityRateLimitLayer<F, C, M, L, A>
{
    type Service = PriorityRateLimit<S, F, C, M, L, A>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { shared, facts, settle, keys, measure, .. } = self.clone();
        PriorityRateLimit::new(inner, shared, facts, settle, keys, measure)
    }
}
