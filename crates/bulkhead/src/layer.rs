use std::{marker::PhantomData, sync::Arc, time::Duration};

use tower_ballast_core::{
    Enforcement, Event, Name, Observer, Priority, UntilResponse, ranks::Floors,
};
use tower_layer::Layer;

use crate::{
    controlled_delay::ControlledDelay,
    handle::BulkheadHandle,
    modes::{Queue, Refuse},
    partitions::{Partitions, Undivided},
    service::Bulkhead,
    shared::Shared,
};

/// Bounds how many requests run at once, and how many may wait.
///
/// All services made by one layer, and by its clones, share its permits and its queue.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_bulkhead::BulkheadLayer;
///
/// let layer = BulkheadLayer::new(20)
///     .name("search")
///     .queue(100)
///     .longest_wait(Duration::from_millis(250));
/// layer.handle().set_limit(30);
/// assert_eq!(layer.handle().limit(), 30);
/// ```
#[derive(Debug)]
pub struct BulkheadLayer<F = (), M = Refuse, H = UntilResponse, P = Undivided> {
    shared: Arc<Shared>,
    facts: F,
    hold: H,
    parts: P,
    mode: PhantomData<fn() -> M>,
}

impl BulkheadLayer {
    /// At most `limit` requests at once; others are refused. Zero admits nobody.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        let shared = Arc::new(Shared::new(limit));
        Self { shared, facts: (), hold: UntilResponse, parts: Undivided, mode: PhantomData }
    }
}

impl<F, M, H, P> BulkheadLayer<F, M, H, P> {
    /// How many may run at once, in place of the number it was made with.
    #[must_use]
    pub fn limit(self, limit: u32) -> Self {
        self.shared.resize(limit);
        self
    }

    /// Lets up to `most` callers wait for their turn, each at most
    /// [`longest_wait`](BulkheadLayer::longest_wait). The inner service must then be `Clone`.
    ///
    /// A call that waits does so in a box of its own. One that is let in at once allocates nothing, and
    /// costs hardly more than it does without a queue.
    #[must_use]
    pub fn queue(self, most: u32) -> BulkheadLayer<F, Queue, H, P> {
        self.shared.set(|shared| shared.set_most_waiting(most));
        let Self { shared, facts, hold, parts, .. } = self;
        BulkheadLayer { shared, facts, hold, parts, mode: PhantomData }
    }

    /// What may be known of a request. Default: nothing.
    ///
    /// | known | used for |
    /// |---|---|
    /// | priority | who goes first, and who gives up its place in a full queue; without it `Medium` |
    /// | key | turns between the clients of a class, and the places that one may take; without it all are one client, which may take all |
    /// | deadline | the end of a wait, and of the patience with a service that is not ready |
    ///
    /// Without a [queue](Self::queue) nobody waits, and nothing is asked.
    #[must_use]
    pub fn facts<G>(self, facts: G) -> BulkheadLayer<G, M, H, P> {
        let Self { shared, hold, parts, .. } = self;
        BulkheadLayer { shared, facts, hold, parts, mode: PhantomData }
    }

    /// How long a response holds its permit. Default: [`UntilResponse`], that is, it goes back when
    /// the response is there. `UntilBodyEnds` of `tower-ballast-http` holds it for as long as
    /// an HTTP body is sent.
    #[must_use]
    pub fn hold<I>(self, hold: I) -> BulkheadLayer<F, M, I, P> {
        let Self { shared, facts, parts, .. } = self;
        BulkheadLayer { shared, facts, hold, parts, mode: PhantomData }
    }

    /// Divides the limit, so that each kind of request has a share of its own. Default: the limit is for
    /// all. The first division stays.
    #[must_use]
    pub fn partitions<C>(self, partitions: Partitions<C>) -> BulkheadLayer<F, M, H, Partitions<C>> {
        self.shared.divide(partitions.shares());
        let Self { shared, facts, hold, .. } = self;
        BulkheadLayer { shared, facts, hold, parts: partitions, mode: PhantomData }
    }

    /// What it is called in errors and events. Default: `bulkhead`. The first name stays.
    #[must_use]
    pub fn name(self, name: impl Into<Name>) -> Self {
        self.shared.reporter.rename(name);
        self
    }

    /// Whether refusals are carried out. Default: [`Enforcement::On`]. A request that is let
    /// through instead is not counted among those in flight.
    #[must_use]
    pub fn enforcement(self, enforcement: Enforcement) -> Self {
        self.shared.set(|shared| shared.enforcement.set(enforcement));
        self
    }

    /// Makes every draw repeatable: which refusals are carried out under
    /// [`Enforcement::Percent`].
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        self.shared.set(|shared| shared.random.reseed(seed));
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

    /// The same settings with permits and a queue of its own, named and watched by nobody yet.
    #[must_use]
    pub fn separate(mut self) -> Self {
        self.shared = Arc::new(self.shared.separate());
        self
    }

    /// The same settings, name and observer with a state of its own: for one layer of many that
    /// are alike.
    #[must_use]
    pub fn fork(mut self) -> Self {
        self.shared = Arc::new(self.shared.fork());
        self
    }

    /// A handle that reads the counts and changes the settings while requests run.
    #[must_use]
    pub fn handle(&self) -> BulkheadHandle {
        BulkheadHandle::new(Arc::clone(&self.shared))
    }
}

impl<F, H, P> BulkheadLayer<F, Queue, H, P> {
    /// How long a caller may wait for its turn. Default: 1 second. [`Duration::MAX`] waits until
    /// the deadline, or for ever.
    #[must_use]
    pub fn longest_wait(self, longest: Duration) -> Self {
        self.shared.set(|shared| shared.set_longest_wait(longest));
        self
    }

    /// Whether of one client's requests in a class the newest is served first. Default: no.
    ///
    /// Under overload the newest is the one whose caller is the least likely to have given up. A wait
    /// is foreseen as if the oldest were the first.
    #[must_use]
    pub fn newest_first(self, class: Priority, newest_first: bool) -> Self {
        self.shared.set(|shared| shared.set_newest_first(class, newest_first));
        self
    }

    /// What the lower classes get in any case. Default: see [`Floors`].
    ///
    /// ```
    /// use tower_ballast_bulkhead::BulkheadLayer;
    /// use tower_ballast_core::{Ratio, ranks::Floors};
    ///
    /// let floors = Floors::none().medium(Ratio::percent::<20>()); // low and batch may starve
    /// let layer = BulkheadLayer::new(20).queue(200).floors(floors);
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn floors(self, floors: Floors) -> Self {
        self.shared.set(|shared| shared.set_floors(floors));
        self
    }

    /// Lets nobody wait for long once the queue no longer drains. Default: not.
    #[must_use]
    pub fn controlled_delay(self, control: ControlledDelay) -> Self {
        self.shared.set(|shared| shared.control_delay(Some(control)));
        self
    }

    /// How long the inner service may be not ready before callers are refused instead of waiting
    /// for it. Default: [`Duration::MAX`], any time.
    #[must_use]
    pub fn not_ready_for(self, longest: Duration) -> Self {
        self.shared.set(|shared| shared.set_not_ready_for(longest));
        self
    }
}

impl<F: Clone, M, H: Clone, P: Clone> Clone for BulkheadLayer<F, M, H, P> {
    fn clone(&self) -> Self {
        let (facts, hold, parts) = (self.facts.clone(), self.hold.clone(), self.parts.clone());
        Self { shared: Arc::clone(&self.shared), facts, hold, parts, mode: PhantomData }
    }
}

impl<S, F: Clone, M, H: Clone, P: Clone> Layer<S> for BulkheadLayer<F, M, H, P> {
    type Service = Bulkhead<S, F, M, H, P>;

    fn layer(&self, inner: S) -> Self::Service {
        let (facts, hold, parts) = (self.facts.clone(), self.hold.clone(), self.parts.clone());
        Bulkhead::new(inner, Arc::clone(&self.shared), facts, hold, parts)
    }
}
