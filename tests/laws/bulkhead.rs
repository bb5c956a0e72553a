use std::time::Duration;

use tower::Layer;
use tower_ballast::{
    bulkhead::{
        Bulkhead, ControlledDelay, Queue,
        adaptive::{Adaptive, AdaptiveLayer, BandwidthDelay, ClientWindow},
    },
    prelude::*,
};
use tower_ballast_test::{laws, laws::Trip};

laws! {
    mod refusing;
    layer: || BulkheadLayer::new(1000),
    readiness: pass_through,
    trip: Trip::InFlight(1000),
    counts: |layer: &BulkheadLayer| layer.handle().in_flight(),
}

laws! {
    mod queueing;
    layer: || BulkheadLayer::new(1000).queue(1000),
    readiness: optimistic,
    counts: |layer: &BulkheadLayer<_, _>| (layer.handle().in_flight(), layer.handle().waiting()),
}

laws! {
    mod one_at_a_time;
    layer: || BulkheadLayer::new(1).queue(10_000).longest_wait(Duration::MAX),
    readiness: optimistic,
    counts: |layer: &BulkheadLayer<_, _>| (layer.handle().in_flight(), layer.handle().waiting()),
}

laws! {
    mod controlling_the_delay;
    layer: || BulkheadLayer::new(1)
        .queue(10_000)
        .longest_wait(Duration::MAX)
        .newest_first(Priority::Medium, true)
        .controlled_delay(ControlledDelay::new().target(Duration::MAX)),
    readiness: optimistic,
    counts: |layer: &BulkheadLayer<_, _>| (layer.handle().in_flight(), layer.handle().waiting()),
}

laws! {
    mod queue_of_none;
    layer: || BulkheadLayer::new(1000).queue(0),
    readiness: optimistic,
    trip: Trip::InFlight(1000),
    counts: |layer: &BulkheadLayer<_, _>| (layer.handle().in_flight(), layer.handle().waiting()),
}

laws! {
    mod with_facts_and_patience;
    layer: || BulkheadLayer::new(1000)
        .queue(1000)
        .facts(idempotent())
        .not_ready_for(Duration::from_secs(100_000_000)),
    readiness: optimistic,
    counts: |layer: &BulkheadLayer<_, _>| (layer.handle().in_flight(), layer.handle().waiting()),
}

laws! {
    mod without_limit;
    layer: || BulkheadLayer::new(u32::MAX),
    readiness: pass_through,
    counts: |layer: &BulkheadLayer| layer.handle().in_flight(),
}

/// A queue before a limit that a window sets.
#[derive(Clone)]
struct Windowed(BulkheadLayer<(), Queue>, AdaptiveLayer);

impl Windowed {
    fn new() -> Self {
        let bulkhead = BulkheadLayer::new(0).queue(10_000).longest_wait(Duration::MAX);
        let window = ClientWindow::new(Duration::from_secs(1)).initial(1000);
        let window = AdaptiveLayer::new(&bulkhead, window);
        Self(bulkhead, window)
    }
}

impl<S: Clone> Layer<S> for Windowed {
    type Service = Bulkhead<Adaptive<S>, (), Queue>;

    fn layer(&self, inner: S) -> Self::Service {
        self.0.layer(self.1.layer(inner))
    }
}

laws! {
    mod windowed;
    layer: Windowed::new,
    readiness: optimistic,
    counts: |layer: &Windowed| (layer.0.handle().in_flight(), layer.0.handle().waiting()),
}

laws! {
    mod measuring;
    layer: || AdaptiveLayer::new(&BulkheadLayer::new(0), BandwidthDelay::new()),
    readiness: pass_through,
}

laws! {
    mod adapting;
    layer: || AdaptiveLayer::new(&BulkheadLayer::new(0), ClientWindow::new(Duration::ZERO)),
    readiness: pass_through,
}

laws! {
    mod off;
    layer: || BulkheadLayer::new(0).enforcement(Enforcement::Off),
    readiness: pass_through,
}

laws! {
    mod shadow;
    layer: || BulkheadLayer::new(1).enforcement(Enforcement::Shadow),
    readiness: pass_through,
    counts: |layer: &BulkheadLayer| layer.handle().in_flight(),
}

laws! {
    mod queueing_in_shadow;
    layer: || BulkheadLayer::new(1).queue(1).enforcement(Enforcement::Shadow),
    readiness: optimistic,
    counts: |layer: &BulkheadLayer<_, _>| (layer.handle().in_flight(), layer.handle().waiting()),
}

laws! {
    mod queueing_off;
    layer: || BulkheadLayer::new(0).queue(0).enforcement(Enforcement::Off),
    readiness: optimistic,
}

laws! {
    mod none_of_the_refusals;
    layer: || BulkheadLayer::new(1).enforcement(Enforcement::Percent(Ratio::ZERO)),
    readiness: pass_through,
    counts: |layer: &BulkheadLayer| layer.handle().in_flight(),
}
