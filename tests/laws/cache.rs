use std::time::Duration;

use tower_ballast::prelude::*;
use tower_ballast_test::laws;

const LONG: Duration = Duration::from_secs(3600);

laws! {
    mod that_keeps_nothing;
    layer: || CacheLayer::new(LONG, |number: &u32| Some(*number)).lifetime_of(|_, _: &u32| None),
    readiness: always,
    counts: |layer: &CacheLayer<_, u32, u32>| layer.handle().statistics().in_flight,
}

laws! {
    mod without_keys;
    layer: || CacheLayer::<_, u32, u32>::new(LONG, |_: &u32| None),
    readiness: always,
}

laws! {
    mod whose_lifetime_is_over_at_once;
    layer: || CacheLayer::<_, u32, u32>::new(Duration::ZERO, |number: &u32| Some(*number)),
    readiness: always,
    counts: |layer: &CacheLayer<_, u32, u32>| layer.handle().statistics().in_flight,
}
