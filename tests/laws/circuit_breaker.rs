use std::time::Duration;

use tower_ballast::{
    circuit_breaker::{CircuitBreakerLayer, WindowOf},
    prelude::*,
};
use tower_ballast_test::{laws, laws::Trip};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The same draws in every run.
fn breaker() -> CircuitBreakerLayer {
    CircuitBreakerLayer::new().seed(7)
}

fn waiting(layer: &CircuitBreakerLayer<impl Sized, impl Sized, impl Sized>) -> u32 {
    layer.handle().standing().waiting
}

laws! {
    mod time_window;
    layer: breaker,
    readiness: pass_through,
    trip: Trip::Failing(20),
    rest: HOUR,
}

laws! {
    mod count_window;
    layer: || breaker().window(WindowOf::Calls(count::<10>())),
    readiness: pass_through,
    trip: Trip::Failing(10),
    rest: HOUR,
}

laws! {
    mod consecutive;
    layer: || breaker().consecutive_failures(count::<3>()),
    readiness: pass_through,
    trip: Trip::Failing(3),
    rest: HOUR,
}

laws! {
    mod some_of_the_last;
    layer: || breaker()
        .window(WindowOf::Calls(count::<100>()))
        .failures(count::<5>()),
    readiness: pass_through,
    trip: Trip::Failing(5),
    rest: HOUR,
}

laws! {
    mod slow_calls;
    layer: || breaker()
        .slow_calls(Duration::from_secs(1), Ratio::percent::<80>()),
    readiness: pass_through,
    trip: Trip::Failing(20),
    rest: HOUR,
}

laws! {
    mod all_at_once_after_one_trial;
    layer: || breaker().trials(count::<1>()).recovery(false),
    readiness: pass_through,
    trip: Trip::Failing(20),
    rest: HOUR,
}

laws! {
    mod waiting_for_less_than_the_rest;
    layer: || breaker()
        .rest(DAY)
        .longest_rest(DAY)
        .wait(Duration::from_secs(30), 100),
    readiness: optimistic,
    trip: Trip::Failing(20),
    counts: waiting,
    rest: DAY * 4,
}

laws! {
    mod waiting_for_the_rest;
    layer: || breaker()
        .rest(Duration::from_millis(100))
        .longest_rest(Duration::from_secs(1))
        .wait(HOUR, 100),
    readiness: optimistic,
    counts: waiting,
    rest: HOUR,
}

laws! {
    mod waiting_by_nobody;
    layer: || breaker().wait(HOUR, 0),
    readiness: optimistic,
    trip: Trip::Failing(20),
    counts: waiting,
    rest: HOUR,
}

laws! {
    mod with_facts;
    layer: || breaker().facts(idempotent()),
    readiness: pass_through,
    trip: Trip::Failing(20),
    rest: HOUR,
}

laws! {
    mod off;
    layer: || breaker().enforcement(Enforcement::Off),
    readiness: pass_through,
}

laws! {
    mod shadow;
    layer: || breaker().enforcement(Enforcement::Shadow),
    readiness: pass_through,
}

laws! {
    mod half;
    layer: || breaker()
        .enforcement(Enforcement::Percent(Ratio::percent::<50>())),
    readiness: pass_through,
    rest: HOUR,
}

laws! {
    mod waiting_in_shadow;
    layer: || breaker()
        .wait(HOUR, 100)
        .enforcement(Enforcement::Shadow),
    readiness: optimistic,
    counts: waiting,
}
