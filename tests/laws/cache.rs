use std::time::Duration;

use tower::{BoxError, Layer, ServiceExt, service_fn};
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

/// Hits and all else: what is there is served whatever becomes of the service.
#[tokio::test(start_paused = true)]
async fn hits_are_served_while_the_service_fails_and_behind_an_open_circuit() {
    let circuit = CircuitBreakerLayer::new();
    let handle = circuit.handle();
    let cache = CacheLayer::new(LONG, |number: &u32| Some(*number));
    let service = (cache, circuit).layer(service_fn(|number: u32| async move {
        if number == 7 { Ok(number) } else { Err(BoxError::from("down")) }
    }));
    assert_eq!(service.clone().oneshot(7).await.unwrap(), 7);
    for _ in 0..100 {
        service.clone().oneshot(8).await.unwrap_err();
    }
    handle.force_open();
    let refused = service.clone().oneshot(9).await.unwrap_err();
    assert!(Rejected::find(&*refused).is_some(), "{refused}");
    assert_eq!(service.oneshot(7).await.unwrap(), 7);
}
