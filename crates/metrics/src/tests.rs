//! The layer, over scripted services and on paused time.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use tokio::time::advance;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_ballast_core::{BoxError, Random, Reason, Rejected, Verdict};
use tower_ballast_test::Probe;

use crate::{Figures, MetricsHandle, MetricsLayer};

/// Times a request that takes so long.
async fn take(metrics: &MetricsHandle, operation: &str, time: Duration) {
    let tracked = metrics.track(operation);
    advance(time).await;
    tracked.end(&Ok::<(), ()>(()));
}

fn whole(metrics: &MetricsHandle, operation: &str) -> Figures {
    metrics.of(operation).map_or_else(Figures::default, |operation| operation.whole)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[track_caller]
fn assert_near(found: Duration, exact: Duration) {
    assert!(found.abs_diff(exact) <= exact * 16 / 1000, "{found:?} instead of {exact:?}");
}

#[tokio::test(start_paused = true)]
async fn outcomes_are_counted_by_their_verdict() {
    let layer = MetricsLayer::new().classify(|outcome: Result<&u32, &BoxError>| match outcome {
        Ok(0) => Verdict::transient(),
        Ok(1) => Verdict::ignore(),
        Ok(_) => Verdict::Success,
        Err(_) => Verdict::fault(),
    });
    let metrics = layer.handle();
    let mut service = layer.layer(service_fn(|answer: u32| async move {
        match answer {
            7 => Err(BoxError::from("seven")),
            8 => Err(Rejected::new(Reason::BulkheadFull).into()),
            9 => Err(Rejected::new(Reason::Timeout).into()),
            answer => Ok(answer),
        }
    }));
    for request in [0, 1, 2, 3, 4, 7, 8, 9] {
        let _ = service.ready().await.unwrap().call(request).await;
    }
    let figures = whole(&metrics, "requests");
    // Our own refusals are ignored, except for the timeout of an attempt.
    assert_eq!((figures.count, figures.errors, figures.ignored), (8, 3, 2));
    assert!((figures.error_rate() - 0.5).abs() < f64::EPSILON);
}

#[tokio::test(start_paused = true)]
async fn times_are_those_from_call_to_answer() {
    let metrics = MetricsLayer::new().handle();
    for time in [10, 20, 30, 40] {
        take(&metrics, "import", millis(time)).await;
    }
    let import = whole(&metrics, "import");
    assert_eq!((import.total, import.mean), (millis(100), millis(25)));
    assert_eq!((import.min, import.max), (millis(10), millis(40)));
    assert_near(import.p50, millis(20));
    assert_near(import.p95, millis(40));
    assert_near(import.p99, millis(40));
}

#[tokio::test(start_paused = true)]
async fn a_waiting_request_is_in_flight_and_a_dropped_one_cancelled() {
    let layer = MetricsLayer::new();
    let metrics = layer.handle();
    let mut service = layer.layer(service_fn(|()| std::future::pending::<Result<(), ()>>()));
    let mut response = Box::pin(service.ready().await.unwrap().call(()));
    assert!(Probe::new().poll(response.as_mut()).is_pending());
    assert_eq!(metrics.of("requests").unwrap().in_flight, 1);
    drop(response);
    let requests = metrics.of("requests").unwrap();
    assert_eq!((requests.in_flight, requests.whole.count, requests.whole.cancelled), (0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn an_answered_request_is_not_in_flight_though_its_future_lives() {
    let layer = MetricsLayer::new();
    let metrics = layer.handle();
    let mut service = layer.layer(service_fn(|()| async { Ok::<_, ()>(()) }));
    let mut response = Box::pin(service.ready().await.unwrap().call(()));
    assert!(Probe::new().poll(response.as_mut()).is_ready());
    assert_eq!(metrics.of("requests").unwrap().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_error_wherever_it_happens() {
    let layer = MetricsLayer::new();
    let metrics = layer.handle();
    let mut service = layer.layer(service_fn(|early: bool| {
        assert!(!early, "while it is called");
        async { if true { panic!("while it runs") } else { Ok::<(), ()>(()) } }
    }));
    service.ready().await.unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| service.call(true))).is_err());
    service.ready().await.unwrap();
    let mut response = Box::pin(service.call(false));
    let polled = AssertUnwindSafe(|| Probe::new().poll(response.as_mut()));
    assert!(catch_unwind(polled).is_err());
    drop(response);
    let plain = AssertUnwindSafe(|| {
        let _tracked = metrics.track("requests");
        panic!("in plain code");
    });
    assert!(catch_unwind(plain).is_err());
    assert_eq!(whole(&metrics, "requests").errors, 3);
    assert_eq!(metrics.statistics().operations.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn requests_are_told_apart_by_their_operation() {
    let layer = MetricsLayer::new().operation(|request: &String| request.as_str());
    let metrics = layer.handle();
    let mut service = layer.layer(service_fn(|_: String| async { Ok::<_, ()>(()) }));
    for request in ["read", "write", "read"] {
        service.ready().await.unwrap().call(request.to_owned()).await.unwrap();
    }
    let counts: Vec<_> = metrics
        .statistics()
        .operations
        .into_iter()
        .map(|operation| (operation.name.to_string(), operation.whole.count))
        .collect();
    assert_eq!(counts, [("read".to_owned(), 2), ("write".to_owned(), 1)]);
    assert!(metrics.of("delete").is_none());
}

#[test]
fn a_million_names_get_no_more_series_than_stated() {
    let metrics = MetricsLayer::new().handle();
    assert_eq!(metrics.most_operations(), 1000);
    for number in 0..1_000_000_u32 {
        metrics.track(&format!("/item/{number}")).end(&Ok::<(), ()>(()));
    }
    let statistics = metrics.statistics();
    assert_eq!(statistics.operations.len(), 1001);
    assert_eq!(statistics.operations.iter().map(|of| of.whole.count).sum::<u64>(), 1_000_000);
    assert_eq!(whole(&metrics, "other").count, 999_000);
    assert_eq!(whole(&metrics, "/item/999").count, 1);
}

#[tokio::test(start_paused = true)]
async fn percentiles_of_a_wandering_latency_follow_within_a_minute() {
    let metrics = MetricsLayer::new().handle();
    for level in [10, 200, 3_000, 50] {
        // A minute and a slice of it, so that nothing of the level before is left.
        for _ in 0..65_000 / level {
            take(&metrics, "search", millis(level)).await;
        }
        let minute = metrics.of("search").unwrap().minute;
        for time in [minute.p50, minute.p95, minute.p99, minute.mean, minute.max] {
            assert_near(time, millis(level));
        }
    }
    assert_near(whole(&metrics, "search").max, millis(3_000));
}

#[tokio::test(start_paused = true)]
async fn the_minute_holds_what_came_in_it_and_the_whole_all() {
    let metrics = MetricsLayer::new().handle();
    let random = Random::seeded(11);
    let (mut moments, mut now) = (Vec::new(), 0);
    for _ in 0..3_000 {
        let time = random.below(900);
        take(&metrics, "search", millis(time)).await;
        now += time;
        moments.push((now, time));
    }
    let search = metrics.of("search").unwrap();
    let last: Vec<_> =
        moments.iter().filter(|(at, _)| now - at < 55_000).map(|(_, time)| time).collect();
    let most = moments.iter().filter(|(at, _)| now - at <= 60_000).count() as u64;
    assert!((last.len() as u64..=most).contains(&search.minute.count));
    assert_eq!(search.whole.count, 3_000);
    assert_eq!(search.whole.total, millis(moments.iter().map(|(_, time)| time).sum()));
    advance(Duration::from_secs(60)).await;
    assert_eq!(metrics.of("search").unwrap().minute, Figures::default());
}

#[tokio::test(start_paused = true)]
async fn clones_share_their_figures_and_a_separate_layer_has_its_own() {
    let layer = MetricsLayer::new().name("one").most_operations(3);
    let (clone, separate) = (layer.clone(), layer.clone().separate());
    clone.handle().track("import").end(&Ok::<(), ()>(()));
    assert_eq!(whole(&layer.handle(), "import").count, 1);
    assert_eq!(whole(&separate.handle(), "import").count, 0);
    assert_eq!(separate.handle().most_operations(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_inner_error_arrives_unchanged() {
    let mut service =
        MetricsLayer::new().layer(service_fn(|request: u32| async move { Err::<(), _>(request) }));
    assert_eq!(service.ready().await.unwrap().call(7).await, Err(7));
}

#[tokio::test(start_paused = true)]
async fn the_table_reads_well() {
    let metrics = MetricsLayer::new().name("shop").handle();
    for time in [8, 10, 12] {
        take(&metrics, "browse", millis(time)).await;
    }
    let buy = metrics.track("buy");
    advance(Duration::from_millis(1500)).await;
    buy.end(&Err::<(), ()>(()));
    let expected = "\
shop, all             count   errors    rate  ignored  cancelled  in flight      mean       p50       p95       p99       max
browse                    3        0   0.0 %        0          0          0    10.0ms    10.1ms    11.9ms    11.9ms    12.0ms
buy                       1        1 100.0 %        0          0          0      1.5s      1.5s      1.5s      1.5s      1.5s
shop, last minute     count   errors    rate  ignored  cancelled  in flight      mean       p50       p95       p99       max
browse                    3        0   0.0 %        0          0          0    10.0ms    10.1ms    11.9ms    11.9ms    11.9ms
buy                       1        1 100.0 %        0          0          0      1.5s      1.5s      1.5s      1.5s      1.5s
";
    assert_eq!(metrics.statistics().to_string(), expected, "\n{}", metrics.statistics());
}
