use tower_ballast::{bulkhead::throttle::ThrottleLayer, core::count, prelude::*};
use tower_ballast_test::laws;

laws! {
    mod accepting;
    layer: ThrottleLayer::new,
    readiness: pass_through,
    counts: |layer: &ThrottleLayer| layer.handle().statistics().refused,
}

laws! {
    mod eager;
    layer: || ThrottleLayer::new()
        .fewest_requests(count::<1>())
        .window(std::time::Duration::from_nanos(1)),
    readiness: pass_through,
}

laws! {
    mod off;
    layer: || ThrottleLayer::new().enforcement(Enforcement::Off),
    readiness: pass_through,
}

laws! {
    mod shadow;
    layer: || ThrottleLayer::new().enforcement(Enforcement::Shadow),
    readiness: pass_through,
}
