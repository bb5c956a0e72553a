//! Layers that are in order, in every readiness mode, pass every law.

mod breaker;
mod waiting;

use std::time::Duration;

use tower::{BoxError, ServiceBuilder, layer::util::Identity, limit::GlobalConcurrencyLimitLayer};
use tower_ballast_test::{ScriptError, laws::Trip};

use self::{
    breaker::{Answered, Breaker},
    waiting::{Lazy, Waiting},
};

tower_ballast_test::laws! {
    mod identity;
    layer: Identity::new,
}

tower_ballast_test::laws! {
    mod mapped;
    layer: || ServiceBuilder::new()
        .map_request(|number: u32| number + 1)
        .map_response(|number: u32| number - 1)
        .map_err(|error: ScriptError| BoxError::from(error))
        .into_inner(),
}

tower_ballast_test::laws! {
    mod over_strings;
    layer: Identity::new,
    request: |number| format!("/{number}"),
    response: |path: &String| path.as_bytes().to_vec(),
    read: |path: &Vec<u8>| std::str::from_utf8(&path[1..]).ok()?.parse().ok(),
    error: || std::io::Error::other("broken"),
}

tower_ballast_test::laws! {
    mod optimistic;
    layer: || Waiting,
    readiness: optimistic,
}

tower_ballast_test::laws! {
    mod always_ready;
    layer: || Lazy,
    readiness: always,
}

tower_ballast_test::laws! {
    mod breaker_of_three;
    layer: || Breaker::new(3),
    readiness: pass_through,
    trip: Trip::Failing(3),
    rest: Duration::from_secs(60),
    counts: Breaker::in_flight,
}

tower_ballast_test::laws! {
    mod answering_errors;
    layer: || Answered,
}

// tower's limit reserves in `poll_ready`; far from its limit that is no breach.
tower_ballast_test::laws! {
    mod tower_limit;
    layer: || GlobalConcurrencyLimitLayer::new(1000),
    readiness: first_attempt,
    trip: Trip::InFlight(1000),
}
