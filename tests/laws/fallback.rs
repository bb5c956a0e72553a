use std::future::{Ready, ready};

use tower::{Service, service_fn};
use tower_ballast::prelude::*;
use tower_ballast_test::{ScriptError, laws};

laws! {
    mod made_of_the_outcome;
    layer: || FallbackLayer::outcome(|outcome: Result<u32, ScriptError>| outcome),
    readiness: pass_through,
}

laws! {
    mod made_of_the_request;
    layer: || FallbackLayer::request(
        |number: &u32| *number,
        |_, outcome: Result<u32, ScriptError>| outcome,
    ),
    readiness: pass_through,
}

laws! {
    mod a_value_in_shadow;
    layer: || FallbackLayer::value(7_u32).enforcement(Enforcement::Shadow),
    readiness: pass_through,
}

laws! {
    mod a_value_when_off;
    layer: || FallbackLayer::value(7_u32).enforcement(Enforcement::Off),
    readiness: pass_through,
}

laws! {
    mod through_a_service_that_fails;
    layer: || FallbackLayer::service(failing()),
    readiness: pass_through,
    counts: |layer: &FallbackLayer<_>| layer.handle().statistics().in_flight,
}

laws! {
    mod without_room;
    layer: || FallbackLayer::service(failing()).limit(0),
    readiness: pass_through,
    counts: |layer: &FallbackLayer<_>| layer.handle().statistics().in_flight,
}

/// Shows that what the inner service says comes through.
fn failing()
-> impl Service<u32, Response = u32, Error = (), Future = Ready<Result<u32, ()>>> + Clone + Send {
    service_fn(|_: u32| ready(Err(())))
}
