use std::time::Duration;

use tower_ballast::{prelude::*, timeout::TimeoutLayer};
use tower_ballast_test::laws;

laws! {
    mod attempt;
    layer: || TimeoutLayer::new(Duration::from_secs(10)),
    readiness: pass_through,
}

laws! {
    mod total;
    layer: || TimeoutLayer::total(Duration::from_secs(30)),
    readiness: pass_through,
}

laws! {
    mod attempt_with_facts;
    layer: || TimeoutLayer::new(Duration::from_secs(10)).facts(idempotent()),
    readiness: pass_through,
}

laws! {
    mod total_with_facts;
    layer: || TimeoutLayer::total(Duration::from_secs(30)).facts(idempotent()),
    readiness: pass_through,
}

laws! {
    mod by_request;
    layer: || TimeoutLayer::new(Duration::from_secs(1))
        .limit_from(|number: &u32| number.is_multiple_of(2).then_some(Duration::from_secs(20))),
    readiness: pass_through,
}

laws! {
    mod without_end;
    layer: || TimeoutLayer::new(Duration::MAX),
    readiness: pass_through,
}

laws! {
    mod off;
    layer: || TimeoutLayer::new(Duration::from_millis(1)).enforcement(Enforcement::Off),
    readiness: pass_through,
}

laws! {
    mod shadow;
    layer: || TimeoutLayer::new(Duration::from_millis(1)).enforcement(Enforcement::Shadow),
    readiness: pass_through,
}

laws! {
    mod half;
    layer: || TimeoutLayer::new(Duration::from_secs(10))
        .enforcement(Enforcement::Percent(Ratio::percent::<50>())),
    readiness: pass_through,
}

laws! {
    mod covering_readiness;
    layer: || TimeoutLayer::new(Duration::from_secs(100_000_000)).cover_readiness(),
    readiness: optimistic,
}

laws! {
    mod total_covering_readiness;
    layer: || TimeoutLayer::total(Duration::MAX).cover_readiness().facts(idempotent()),
    readiness: optimistic,
}

laws! {
    mod covering_readiness_when_off;
    layer: || TimeoutLayer::new(Duration::ZERO).cover_readiness().enforcement(Enforcement::Off),
    readiness: optimistic,
}
