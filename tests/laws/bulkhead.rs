use std::time::Duration;

use tower::Layer;
use tower_ballast::{
    bulkhead::{
        Bulkhead, ControlledDelay, Partitions, Queue,
        adaptive::{
            Adaptive, AdaptiveLayer, Aimd, BandwidthDelay, ClientWindow, Gradient2, Limiter, Vegas,
        },
    },
    core::{ByResult, Idempotent},
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

fn parity() -> Partitions<fn(&u32) -> &str> {
    let parity: fn(&u32) -> &str = |number| if number % 2 == 0 { "even" } else { "odd" };
    Partitions::new(parity).share("even", Ratio::percent::<70>())
}

laws! {
    mod partitioned;
    layer: || BulkheadLayer::new(1000).partitions(parity()),
    readiness: pass_through,
    trip: Trip::InFlight(1000),
    counts: |layer: &BulkheadLayer<_, _, _, _>| layer.handle().in_flight(),
}

laws! {
    mod partitioned_queues;
    layer: || BulkheadLayer::new(1)
        .queue(10_000)
        .longest_wait(Duration::MAX)
        .partitions(parity()),
    readiness: optimistic,
    counts: |layer: &BulkheadLayer<_, _, _, _>| (layer.handle().in_flight(), layer.handle().waiting()),
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

/// A queue before a limit that finds itself.
#[derive(Clone)]
struct Found(BulkheadLayer<(), Queue>, AdaptiveLayer<ByResult, Idempotent>);

impl Found {
    fn by(limiter: impl Limiter + 'static) -> Self {
        let bulkhead = BulkheadLayer::new(0).queue(10_000).longest_wait(Duration::MAX);
        let found = AdaptiveLayer::new(&bulkhead, limiter).facts(idempotent());
        Self(bulkhead, found)
    }
}

impl<S: Clone> Layer<S> for Found {
    type Service = Bulkhead<Adaptive<S, ByResult, Idempotent>, (), Queue>;

    fn layer(&self, inner: S) -> Self::Service {
        self.0.layer(self.1.layer(inner))
    }
}

fn found(layer: &Found) -> (u32, u32) {
    (layer.0.handle().in_flight(), layer.0.handle().waiting())
}

laws! {
    mod found_by_window;
    layer: || Found::by(ClientWindow::new(Duration::from_secs(1)).initial(1000)),
    readiness: optimistic,
    counts: found,
}

laws! {
    mod window_alone;
    layer: || AdaptiveLayer::new(&BulkheadLayer::new(0), ClientWindow::new(Duration::from_secs(1))),
    readiness: pass_through,
}

laws! {
    mod found_by_aimd;
    layer: || Found::by(Aimd::new(Duration::from_secs(1)).initial(1000)),
    readiness: optimistic,
    counts: found,
}

laws! {
    mod aimd_alone;
    layer: || AdaptiveLayer::new(&BulkheadLayer::new(0), Aimd::new(Duration::from_secs(1))),
    readiness: pass_through,
}

laws! {
    mod found_by_vegas;
    layer: || Found::by(Vegas::new().initial(1000)),
    readiness: optimistic,
    counts: found,
}

laws! {
    mod vegas_alone;
    layer: || AdaptiveLayer::new(&BulkheadLayer::new(0), Vegas::new()),
    readiness: pass_through,
}

laws! {
    mod found_by_gradient2;
    layer: || Found::by(Gradient2::new().initial(1000)),
    readiness: optimistic,
    counts: found,
}

laws! {
    mod gradient2_alone;
    layer: || AdaptiveLayer::new(&BulkheadLayer::new(0), Gradient2::new()),
    readiness: pass_through,
}

laws! {
    mod found_by_bandwidth_delay;
    layer: || Found::by(BandwidthDelay::new().initial(1000)),
    readiness: optimistic,
    counts: found,
}

laws! {
    mod bandwidth_delay_alone;
    layer: || AdaptiveLayer::new(&BulkheadLayer::new(0), BandwidthDelay::new()),
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
