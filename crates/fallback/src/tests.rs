//! The layer, over scripted services and on paused time.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::advance;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_ballast_core::{
    BoxError, ByClone, Deadline, Enforcement, Ratio, Reason, Rejected, Replay, Verdict, clock,
    facts,
};
use tower_ballast_test::{Probe, Readiness, ScriptError, Scripted, Step};

use crate::FallbackLayer;

/// A service that answers with its request.
fn echo() -> Scripted<u32, u32, ScriptError> {
    Scripted::echo()
}

/// An inner service that gives this error.
fn failing(
    error: &'static str,
) -> impl Service<u32, Response = u32, Error = BoxError, Future = impl Future> + Clone {
    service_fn(move |_: u32| async move { Err::<u32, _>(BoxError::from(error)) })
}

/// The outcome of one call, with an error as its text.
async fn ask<S>(service: &mut S, request: u32) -> Result<u32, String>
where
    S: Service<u32, Response = u32>,
    S::Error: ToString,
{
    let ready = service.ready().await.map_err(|error| error.to_string())?;
    ready.call(request).await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_value_takes_the_place_of_an_error() {
    let layer = FallbackLayer::value(7);
    assert_eq!(ask(&mut layer.layer(failing("down")), 1).await, Ok(7));
    assert_eq!(layer.handle().statistics().fell_back, 1);
}

#[tokio::test]
async fn a_good_answer_is_left_alone() {
    let layer = FallbackLayer::value(7);
    assert_eq!(ask(&mut layer.layer(echo()), 1).await, Ok(1));
    assert_eq!(layer.handle().statistics().fell_back, 0);
}

#[tokio::test]
async fn a_closure_sees_what_was_kept_of_the_request_and_the_outcome() {
    let layer = FallbackLayer::request(
        |request: &u32| request * 10,
        |kept, outcome: Result<u32, BoxError>| match outcome {
            Err(error) if error.to_string() == "down" => Ok(kept),
            outcome => outcome,
        },
    );
    assert_eq!(ask(&mut layer.layer(failing("down")), 4).await, Ok(40));
    assert_eq!(ask(&mut layer.layer(failing("lost")), 4).await, Err("lost".to_owned()));
}

#[tokio::test]
async fn a_closure_that_has_no_better_answer_is_missed() {
    let layer = FallbackLayer::outcome(|outcome: Result<u32, BoxError>| outcome);
    assert!(ask(&mut layer.layer(failing("down")), 7).await.is_err());
    let statistics = layer.handle().statistics();
    assert_eq!((statistics.fell_back, statistics.missed), (0, 1));
}

#[tokio::test]
async fn a_response_that_is_a_failure_is_replaced() {
    let layer = FallbackLayer::outcome(|_: Result<u32, ScriptError>| Ok(0)).classify(
        |outcome: Result<&u32, &ScriptError>| match outcome {
            Ok(500..) | Err(_) => Verdict::fault(),
            Ok(400..500) => Verdict::ignore(),
            Ok(_) => Verdict::Success,
        },
    );
    let mut service = layer.layer(echo());
    let outcomes =
        [ask(&mut service, 200).await, ask(&mut service, 404).await, ask(&mut service, 503).await];
    assert_eq!(outcomes, [Ok(200), Ok(404), Ok(0)]);
}

#[tokio::test]
async fn a_rejection_is_replaced_though_it_is_no_failure() {
    let layer = FallbackLayer::value(7);
    let mut service = layer.layer(service_fn(|_: u32| async {
        Err::<u32, BoxError>(Rejected::new(Reason::CircuitOpen).into())
    }));
    assert_eq!(ask(&mut service, 1).await, Ok(7));
}

#[tokio::test]
async fn another_service_answers_the_same_request() {
    let other = echo();
    let layer = FallbackLayer::service(other.clone());
    assert_eq!(ask(&mut layer.layer(failing("down")), 5).await, Ok(5));
    assert_eq!(other.take_requests(), [5]);
    assert_eq!(ask(&mut layer.layer(echo()), 6).await, Ok(6));
    assert_eq!(other.script().tally().calls, 1);
}

#[tokio::test]
async fn if_the_other_service_fails_too_the_first_outcome_arrives() {
    let layer = FallbackLayer::service(failing("down as well"));
    assert_eq!(ask(&mut layer.layer(failing("down")), 1).await, Err("down".to_owned()));
    let statistics = layer.handle().statistics();
    assert_eq!((statistics.fell_back, statistics.missed, statistics.in_flight), (0, 1, 0));
}

#[tokio::test]
async fn a_response_of_the_other_service_must_not_be_a_failure_either() {
    let classify = |outcome: Result<&u32, &ScriptError>| match outcome {
        Ok(500..) | Err(_) => Verdict::fault(),
        Ok(_) => Verdict::Success,
    };
    let other = service_fn(|request: u32| async move { Ok::<_, ScriptError>(request - 1) });
    let mut service = FallbackLayer::service(other).classify(classify).layer(echo());
    assert_eq!(ask(&mut service, 500).await, Ok(499));
    assert_eq!(ask(&mut service, 502).await, Ok(502));
}

#[tokio::test]
async fn no_more_requests_are_with_the_other_service_than_may_be() {
    let other = echo();
    other.script().always(Step::answer().held());
    let layer = FallbackLayer::service(other.clone()).limit(2);
    let mut service = layer.layer(failing("down"));
    let (probe, mut running) = (Probe::new(), Vec::new());
    for request in 0..2 {
        let mut response = Box::pin(service.ready().await.unwrap().call(request));
        assert!(probe.poll(response.as_mut()).is_pending());
        running.push(response);
    }
    assert_eq!(ask(&mut service, 2).await, Err("down".to_owned()));
    assert_eq!(layer.handle().statistics().in_flight, 2);
    running.pop();
    other.script().always(Step::answer());
    assert_eq!(ask(&mut service, 3).await, Ok(3));
    other.script().release();
    assert_eq!(running.pop().unwrap().await.unwrap(), 0);
    assert_eq!(layer.handle().statistics().in_flight, 0);
    assert_eq!(layer.handle().statistics().missed, 1);
}

#[tokio::test(start_paused = true)]
async fn the_other_service_is_not_asked_past_the_deadline() {
    let other = echo();
    let deadline = Deadline::at(clock::now() + Duration::from_secs(5));
    let known = facts().deadline_from(move |_: &u32| Some(deadline));
    let mut service = FallbackLayer::service(other.clone()).facts(known).layer(failing("down"));
    assert_eq!(ask(&mut service, 1).await, Ok(1));
    other.script().always_ready(Readiness::held());
    let waited = clock::now();
    assert_eq!(ask(&mut service, 2).await, Err("down".to_owned()));
    assert!(
        clock::now().since(waited).abs_diff(Duration::from_secs(5)) <= Duration::from_millis(1)
    );
    other.script().always_ready(Readiness::now());
    advance(Duration::from_secs(1)).await;
    assert_eq!(ask(&mut service, 3).await, Err("down".to_owned()));
    assert_eq!(other.script().tally().calls, 1);
}

#[tokio::test]
async fn a_service_that_will_not_be_ready_is_missed() {
    let other = echo();
    other.script().always_ready(Readiness::fail());
    let layer = FallbackLayer::service(other.clone());
    assert_eq!(ask(&mut layer.layer(failing("down")), 1).await, Err("down".to_owned()));
    assert_eq!(layer.handle().statistics().missed, 1);
    assert!(other.script().violations().is_empty());
}

#[tokio::test]
async fn a_request_that_cannot_be_kept_keeps_its_outcome() {
    /// Keeps nothing that could be sent again.
    #[derive(Clone)]
    struct Once;
    impl Replay<u32> for Once {
        type Sent = u32;
        type Spare = u32;
        fn first(&self, request: u32, keep: bool) -> (u32, Option<u32>) {
            ByClone.first(request, keep)
        }
        fn again(&self, _: u32, _: bool) -> Option<(u32, Option<u32>)> {
            None
        }
    }
    let layer = FallbackLayer::service(echo()).replay(Once);
    assert_eq!(ask(&mut layer.layer(failing("down")), 1).await, Err("down".to_owned()));
    assert_eq!(layer.handle().statistics().missed, 1);
}

#[tokio::test]
async fn what_happens_is_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let layer = FallbackLayer::service(echo())
        .name("replica")
        .on_event(move |event| log.lock().unwrap().push(event.to_string()));
    let mut service = layer.layer(failing("down"));
    ask(&mut service, 1).await.unwrap();
    layer.handle().set_enforcement(Enforcement::Shadow);
    ask(&mut service, 1).await.unwrap_err();
    layer.handle().set_enforcement(Enforcement::On);
    layer.handle().set_limit(0);
    ask(&mut service, 1).await.unwrap_err();
    let expected = [
        "replica fell_back reason=transient",
        "replica settings_changed reason=enforcement",
        "replica fell_back reason=transient shadow",
        "replica settings_changed reason=enforcement",
        "replica settings_changed reason=limit",
        "replica fallback_missed reason=limit",
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[tokio::test]
async fn enforcement_says_how_many_outcomes_are_replaced() {
    let layer = FallbackLayer::value(7).seed(1);
    let mut service = layer.layer(failing("down"));
    for (enforcement, expected) in [
        (Enforcement::Off, 0..=0),
        (Enforcement::Shadow, 0..=0),
        (Enforcement::Percent(Ratio::percent::<50>()), 400..=600),
        (Enforcement::On, 1000..=1000),
    ] {
        layer.handle().set_enforcement(enforcement);
        let mut replaced = 0;
        for _ in 0..1000 {
            replaced += u32::from(ask(&mut service, 1).await.is_ok());
        }
        assert!(expected.contains(&replaced), "{enforcement:?}: {replaced}");
    }
}

#[tokio::test]
async fn a_separate_layer_has_the_same_way_and_its_own_counts() {
    let layer = FallbackLayer::service(echo()).limit(3);
    let separate = layer.clone().separate();
    assert_eq!(ask(&mut separate.layer(failing("down")), 1).await, Ok(1));
    assert_eq!(separate.handle().statistics().fell_back, 1);
    assert_eq!(separate.handle().statistics().limit, 3);
    assert_eq!(layer.handle().statistics().fell_back, 0);
}

#[tokio::test]
async fn a_fork_has_its_own_counts_and_the_same_name_and_observer() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let layer = FallbackLayer::value(7)
        .name("stock")
        .on_event(move |event| log.lock().unwrap().push(event.to_string()));
    let fork = layer.clone().fork();
    assert_eq!(ask(&mut fork.layer(failing("down")), 1).await, Ok(7));
    assert_eq!(*told.lock().unwrap(), ["stock fell_back reason=transient"]);
    let fell_back = [&layer, &fork].map(|layer| layer.handle().statistics().fell_back);
    assert_eq!(fell_back, [0, 1]);
}

#[tokio::test]
async fn a_dropped_answer_gives_its_place_back() {
    let other = echo();
    other.script().always(Step::hang());
    let layer = FallbackLayer::service(other).limit(1);
    let mut service = layer.layer(failing("down"));
    for _ in 0..3 {
        let mut response = Box::pin(service.ready().await.unwrap().call(1));
        assert!(Probe::new().poll(response.as_mut()).is_pending());
        assert_eq!(layer.handle().statistics().in_flight, 1);
    }
    assert_eq!(layer.handle().statistics().missed, 0);
    assert_eq!(layer.handle().statistics().in_flight, 0);
}
