use std::time::Duration;

use tower_ballast_test::{
    laws,
    mock::{MockBreakerLayer, MockLimiterLayer},
};

laws! {
    mod breaker;
    layer: MockBreakerLayer::new,
    readiness: pass_through,
}

laws! {
    mod breaker_after_it_was_open;
    layer: || {
        let layer = MockBreakerLayer::new();
        layer.handle().open(Duration::from_secs(1));
        layer.handle().close();
        layer
    },
    readiness: pass_through,
}

laws! {
    mod limiter;
    layer: MockLimiterLayer::new,
    readiness: pass_through,
}
