use std::time::Duration;

use tower_ballast::{PerKeyLayer, core::Key, prelude::*};
use tower_ballast_test::laws;

laws! {
    mod circuits;
    layer: || PerKeyLayer::new(
        100,
        |number: &u32| Key::of(&(number % 3)),
        |_: &u32| CircuitBreakerLayer::new(),
    ),
    readiness: always,
    rest: Duration::from_secs(3600),
}

laws! {
    mod queues;
    layer: || PerKeyLayer::new(
        2,
        |number: &u32| Key::of(&(number % 3)),
        |_: &u32| BulkheadLayer::new(1).queue(10_000).longest_wait(Duration::MAX),
    )
    .keep_if(|_| true),
    readiness: always,
    counts: |layer: &PerKeyLayer<_, _, BulkheadLayer<_, _>>| {
        layer.handle().all().iter().map(|queue| queue.handle().in_flight()).sum::<u32>()
    },
}

laws! {
    mod one_for_all;
    layer: || PerKeyLayer::new(0, |_: &u32| Key::of("any"), |_: &u32| TimeoutLayer::new(Duration::MAX)),
    readiness: always,
}
