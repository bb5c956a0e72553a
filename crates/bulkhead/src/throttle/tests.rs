use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use tower::{Layer, Service, ServiceExt, service_fn};
use tower_ballast_core::{
    BoxError, Enforcement, Multiplier, Ratio, Reason, Rejected, Verdict, count,
};

use super::*;
use crate::BulkheadLayer;

/// A server that refuses while it is told to.
fn server(
    layer: &ThrottleLayer,
    busy: &Arc<AtomicBool>,
) -> impl Service<u32, Error = BoxError> + use<> {
    let busy = Arc::clone(busy);
    let classify = |outcome: Result<&bool, &BoxError>| match outcome {
        Ok(true) => Verdict::Success,
        Ok(false) => Verdict::throttled(),
        Err(_) => Verdict::transient(),
    };
    let answer = move |_: u32| {
        let accepted = !busy.load(SeqCst);
        async move { Ok::<_, BoxError>(accepted) }
    };
    layer.clone().classify(classify).layer(service_fn(answer))
}

async fn refused(service: &mut impl Service<u32, Error = BoxError>, calls: u32) -> u32 {
    let mut refused = 0;
    for number in 0..calls {
        let Err(error) = service.ready().await.unwrap().call(number).await else { continue };
        assert_eq!(Rejected::find(&*error).unwrap().reason(), Reason::Throttled);
        refused += 1;
    }
    refused
}

#[tokio::test(start_paused = true)]
async fn a_server_that_accepts_half_is_left_alone() {
    let (layer, busy) = (ThrottleLayer::new().seed(1), Arc::default());
    let mut service = server(&layer, &busy);
    for round in 0..1000 {
        busy.store(round % 2 == 1, SeqCst);
        assert_eq!(refused(&mut service, 1).await, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_all_is_still_sent_a_tenth() {
    let (layer, busy) = (ThrottleLayer::new().seed(1), Arc::new(AtomicBool::new(true)));
    let mut service = server(&layer, &busy);
    assert_eq!(refused(&mut service, 20).await, 0, "they are too few to judge by");
    let refused = refused(&mut service, 10_000).await;
    assert!((8_900..9_100).contains(&refused), "{refused}");
    let statistics = layer.handle().statistics();
    assert_eq!((statistics.requests, statistics.accepted), (10_020, 0));
    assert_eq!(statistics.refused, u64::from(refused));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_accepts_again_gets_all_again_after_two_windows() {
    let (layer, busy) = (ThrottleLayer::new().seed(1), Arc::new(AtomicBool::new(true)));
    let mut service = server(&layer, &busy);
    refused(&mut service, 1000).await;
    busy.store(false, SeqCst);
    for _ in 0..48 {
        tokio::time::advance(Duration::from_secs(5)).await;
        refused(&mut service, 100).await;
    }
    assert_eq!(refused(&mut service, 1000).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_bulkhead_inside_is_a_server_that_does_not_accept() {
    let layer = ThrottleLayer::new().seed(1);
    let inner = BulkheadLayer::new(0).layer(service_fn(async |_: u32| Ok::<_, BoxError>(())));
    let mut service = layer.layer(inner);
    let mut refused = 0;
    for number in 0..100 {
        let error = service.ready().await.unwrap().call(number).await.unwrap_err();
        refused += u32::from(Rejected::find(&*error).unwrap().reason() == Reason::Throttled);
    }
    assert!(refused > 60, "{refused}");
}

#[tokio::test(start_paused = true)]
async fn what_says_nothing_of_the_server_is_not_counted() {
    let layer = ThrottleLayer::new();
    let hang = service_fn(|_: u32| std::future::pending::<Result<(), BoxError>>());
    let mut service = layer.layer(hang);
    for number in 0..50 {
        drop(service.ready().await.unwrap().call(number));
    }
    let open = async |_: u32| Err::<(), _>(BoxError::from(Rejected::new(Reason::CircuitOpen)));
    let mut service = layer.layer(service_fn(open));
    for number in 0..50 {
        assert!(service.ready().await.unwrap().call(number).await.is_err());
    }
    assert_eq!(layer.handle().statistics(), Statistics::default());
}

#[tokio::test(start_paused = true)]
async fn in_shadow_it_tells_and_refuses_nothing() {
    let told = Arc::new(Mutex::new(0));
    let log = Arc::clone(&told);
    let layer = ThrottleLayer::new().enforcement(Enforcement::Shadow).on_event(move |event| {
        assert!(event.shadow && event.reason == "throttled");
        *log.lock().unwrap() += 1;
    });
    let mut service = server(&layer, &Arc::new(AtomicBool::new(true)));
    assert_eq!(refused(&mut service, 200).await, 0);
    assert!(*told.lock().unwrap() > 100);
    assert_eq!(layer.handle().statistics().requests, 200);
}

#[tokio::test(start_paused = true)]
async fn settings_change_while_it_runs_and_counts_stay() {
    let layer = ThrottleLayer::new().fewest_requests(count::<1>()).most_refused(Ratio::ONE);
    let (handle, busy) = (layer.handle(), Arc::new(AtomicBool::new(false)));
    let mut service = server(&layer, &busy);
    refused(&mut service, 60).await;
    busy.store(true, SeqCst);
    refused(&mut service, 39).await;
    assert!(handle.chance() <= 0.0);
    handle.set_multiplier(Multiplier::of::<1, 1>());
    assert!((handle.chance() - 0.39).abs() < 1e-9);
    handle.set_most_refused(Ratio::percent::<25>());
    assert!((handle.chance() - 0.25).abs() < 1e-9);
    handle.set_fewest_requests(count::<100>());
    assert!(handle.chance() <= 0.0);
    assert_eq!(layer.separate().handle().statistics(), Statistics::default());
}
