use std::time::Duration;

use tower_ballast::{core::Idempotent, prelude::*};
use tower_ballast_test::{laws, laws::Trip};

/// The same draws in every run.
fn retry() -> RetryLayer<Idempotent> {
    RetryLayer::new(idempotent()).seed(7)
}

laws! {
    mod with_its_own_budget;
    layer: retry,
    readiness: first_attempt,
    trip: Trip::Failing(20),
}

laws! {
    mod without_a_budget;
    layer: || retry().budget(Budget::unlimited()),
    readiness: first_attempt,
}

laws! {
    mod a_share_of_what_runs;
    layer: || retry()
        .budget(Budget::in_flight(Ratio::percent::<20>()).floor(3)),
    readiness: first_attempt,
    counts: |layer| layer.handle().budget().balance(),
}

laws! {
    mod without_waits;
    layer: || retry()
        .retries(5)
        .backoff(Backoff::none())
        .budget(Budget::unlimited()),
    readiness: first_attempt,
}

laws! {
    mod of_what_may_not_be_repeated;
    layer: || RetryLayer::new(()),
    readiness: first_attempt,
}

laws! {
    mod never;
    layer: || retry().retries(0),
    readiness: first_attempt,
}

laws! {
    mod within_a_total;
    layer: || retry()
        .retries(20)
        .backoff(Backoff::constant(Duration::from_millis(30)))
        .total(Duration::from_secs(1))
        .budget(Budget::unlimited()),
    readiness: first_attempt,
}

laws! {
    mod a_stack_of_all;
    layer: || tower::ServiceBuilder::new()
        .layer(TimeoutLayer::total(Duration::from_secs(30)))
        .layer(retry())
        .layer(CircuitBreakerLayer::new().seed(7))
        .layer(TimeoutLayer::new(Duration::from_secs(10)))
        .into_inner(),
    readiness: first_attempt,
    trip: Trip::Failing(30),
    rest: Duration::from_secs(3600),
}
