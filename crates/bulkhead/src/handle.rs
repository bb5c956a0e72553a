use std::{sync::Arc, time::Duration};

use tower_ballast_core::{Enforcement, Event, Priority, ranks::Floors};

use crate::{controlled_delay::ControlledDelay, shared::Shared, statistics::Statistics};

/// Reads a bulkhead and changes it while requests run. Made by
/// [`BulkheadLayer::handle`](crate::BulkheadLayer::handle).
///
/// ```
/// use tower_ballast_bulkhead::BulkheadLayer;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let handle = BulkheadLayer::new(8).queue(64).handle();
/// handle.set_limit(4);
///
/// // On the way out: refuse newcomers, and wait for who is in.
/// handle.close();
/// handle.drained().await;
/// assert_eq!(handle.in_flight(), 0);
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct BulkheadHandle(Arc<Shared>);

impl BulkheadHandle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// How many may be in flight.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.0.gate.limit()
    }

    /// Changes how many may be in flight. Those that are go on; if it was raised, those that wait
    /// follow. The limit of a [partition](Self::partition) changes by itself, and not by this.
    pub fn set_limit(&self, limit: u32) {
        self.0.resize(limit);
        self.0.tell_settings("limit");
    }

    pub(crate) fn resize(&self, limit: u32) {
        self.0.resize(limit);
    }

    pub(crate) fn resize_from(&self, from: u32, limit: u32) -> bool {
        self.0.resize_from(from, limit)
    }

    pub(crate) fn tell<'a>(&'a self, event: impl FnOnce() -> Event<'a>) {
        self.0.reporter.tell(event);
    }

    pub(crate) fn tell_settings(&self, what: &'static str) {
        self.0.tell_settings(what);
    }

    pub(crate) fn is_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// How many are in flight, or get their service ready. After the limit was lowered that may
    /// be more than the limit.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.0.each().map(|shared| shared.gate.inside()).sum()
    }

    /// How many wait for their turn.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.0.each().map(|shared| shared.gate.waiting()).sum()
    }

    /// How many may wait.
    #[must_use]
    pub fn most_waiting(&self) -> u32 {
        self.0.most_waiting()
    }

    /// Changes how many may wait. Changes nothing for a layer without a queue.
    pub fn set_queue(&self, most: u32) {
        self.0.set(|shared| shared.set_most_waiting(most));
        self.0.tell_settings("queue");
    }

    /// How long those that come from now on may wait.
    pub fn set_longest_wait(&self, longest: Duration) {
        self.0.set(|shared| shared.set_longest_wait(longest));
        self.0.tell_settings("longest_wait");
    }

    /// Changes how the delay in the queue is controlled; `None` leaves it alone.
    pub fn set_controlled_delay(&self, control: Option<ControlledDelay>) {
        self.0.set(|shared| shared.control_delay(control));
        self.0.tell_settings("controlled_delay");
    }

    /// Changes whether of one client's requests in a class the newest is served first.
    pub fn set_newest_first(&self, class: Priority, newest_first: bool) {
        self.0.set(|shared| shared.set_newest_first(class, newest_first));
        self.0.tell_settings("newest_first");
    }

    /// What the lower classes get in any case.
    pub fn set_floors(&self, floors: Floors) {
        self.0.set(|shared| shared.set_floors(floors));
        self.0.tell_settings("floors");
    }

    /// How long the inner service may be not ready before callers of a layer with a queue are
    /// refused.
    pub fn set_not_ready_for(&self, longest: Duration) {
        self.0.set(|shared| shared.set_not_ready_for(longest));
        self.0.tell_settings("not_ready_for");
    }

    /// Whether refusals are carried out.
    #[must_use]
    pub fn enforcement(&self) -> Enforcement {
        self.0.enforcement.get()
    }

    /// Changes whether refusals are carried out.
    pub fn set_enforcement(&self, enforcement: Enforcement) {
        self.0.set(|shared| shared.enforcement.set(enforcement));
        self.0.tell_settings("enforcement");
    }

    /// Refuses every newcomer from now on, as [`BulkheadFull`]. Who waits is still served.
    ///
    /// [`BulkheadFull`]: tower_ballast_core::Reason::BulkheadFull
    pub fn close(&self) {
        self.0.set(|shared| shared.gate.close());
        self.0.tell_settings("closed");
    }

    /// Admits newcomers again.
    pub fn open(&self) {
        self.0.set(|shared| shared.gate.open());
        self.0.tell_settings("opened");
    }

    /// Whether newcomers are refused.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.gate.is_closed()
    }

    /// Waits until nobody is in flight or waiting. It has no end of its own: bound it by a
    /// timeout. Without [`close`](Self::close) newcomers can make it last.
    pub async fn drained(&self) {
        // Of several the first may have got some while another was waited for.
        while self.in_flight() + self.waiting() > 0 {
            for shared in self.0.each() {
                shared.gate.idle().await;
            }
        }
    }

    /// A handle of the [partition](crate::Partitions) with this name. Its limit is what it has at
    /// present, borrowed permits included.
    #[must_use]
    pub fn partition(&self, name: &str) -> Option<Self> {
        self.0.division()?.part(name).cloned().map(Self)
    }

    /// What it does, and what it has refused since it was made.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        Statistics {
            limit: self.limit(),
            in_flight: self.in_flight(),
            waiting: self.waiting(),
            ..self
                .0
                .each()
                .map(|shared| shared.refusals.read())
                .fold(Statistics::default(), Statistics::plus)
        }
    }
}
