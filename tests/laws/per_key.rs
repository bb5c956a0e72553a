use std::time::Duration;

use tower_ballast::{
    PerKeyLayer,
    core::Key,
    prelude::*,
    rate_limit::{KeyLimit, Tier},
};
use tower_ballast_test::{laws, laws::Trip};

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

laws! {
    mod shares_of_a_limit;
    layer: || PriorityRateLimitLayer::new(Quota::per_hour(count::<600>()).burst(count::<600>()))
        .per_key(
            KeyLimit::new(100, Quota::per_hour(count::<400>()).burst(count::<400>())).guaranteed(),
            |_: &u32| Some(Key::of("all")),
        ),
    readiness: pass_through,
    // Of its share all has passed by then, within the limit.
    trip: Trip::Answered(600),
    rest: Duration::from_secs(3600),
}

laws! {
    mod shares_beside_a_queue;
    layer: || PriorityRateLimitLayer::new(Quota::per_second(count::<1_000_000>()))
        .per_key(
            KeyLimit::new(1000, Quota::per_second(count::<10>())).guaranteed(),
            |number: &u32| Some((Key::of(number), Tier::of::<1>())),
        )
        .queue(1000),
    readiness: optimistic,
    counts: |layer: &PriorityRateLimitLayer<_, _, _, _>| layer.handle().waiting(),
}
