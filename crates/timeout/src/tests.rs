//! The shell: services and futures on paused time.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tower::{Layer, Service, ServiceExt, service_fn};
use tower_ballast_core::{
    Attempt, BoxError, Deadline, Enforcement, Facts, Mark, Reason, Rejected, clock, facts,
};

use tower_ballast_test::{Readiness, ScriptError, Scripted, Step};

use crate::TimeoutLayer;

const SECOND: Duration = Duration::from_secs(1);

/// What the inner service is asked: to take so long, in a request that carries facts.
#[derive(Debug, Clone, Copy, Default)]
struct Request {
    takes: Duration,
    deadline: Option<Deadline>,
    attempt: Option<Attempt>,
}

impl Request {
    fn taking(seconds: u64) -> Self {
        Self { takes: Duration::from_secs(seconds), ..Self::default() }
    }
}

async fn reply(request: Request) -> Result<Request, BoxError> {
    tokio::time::sleep(request.takes).await;
    Ok(request)
}

fn known() -> impl Facts<Request> + Clone {
    facts()
        .deadline_from(|request: &Request| request.deadline)
        .attempt_from(|request: &Request| request.attempt)
        .mark_with(|request: &mut Request, mark| {
            if let Mark::Deadline(deadline) = mark {
                request.deadline = Some(deadline);
            }
        })
}

fn reason<T>(outcome: Result<T, BoxError>) -> Option<Reason> {
    outcome.err().as_ref().and_then(Rejected::find_in).map(Rejected::reason)
}

#[tokio::test(start_paused = true)]
async fn an_attempt_ends_at_its_limit_and_not_a_moment_earlier() {
    let service = TimeoutLayer::new(2 * SECOND).layer(service_fn(reply));
    let began = clock::now();
    assert_eq!(service.clone().oneshot(Request::taking(1)).await.unwrap().takes, SECOND);
    assert_eq!(reason(service.oneshot(Request::taking(9)).await), Some(Reason::Timeout));
    assert_eq!(clock::now().since(began), 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_there_at_the_limit_is_given() {
    let service = TimeoutLayer::new(2 * SECOND).layer(service_fn(reply));
    assert!(service.oneshot(Request::taking(2)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_inner_call_is_dropped_with_the_timeout() {
    let alive = Arc::new(());
    let held = Arc::clone(&alive);
    let inner = service_fn(move |_: Request| {
        let held = Arc::clone(&held);
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok::<_, BoxError>(())
        }
    });
    let mut call = Box::pin(TimeoutLayer::new(SECOND).layer(inner).oneshot(Request::default()));
    call.as_mut().await.unwrap_err();
    assert_eq!(Arc::strong_count(&alive), 1, "only the test holds it");
}

#[tokio::test(start_paused = true)]
async fn a_total_limit_is_written_on_the_request() {
    let layer = TimeoutLayer::total(3 * SECOND).facts(known());
    let answer = layer.layer(service_fn(reply)).oneshot(Request::taking(0)).await.unwrap();
    assert_eq!(answer.deadline.unwrap().remaining(clock::now()), 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_earlier_deadline_on_the_request_is_kept() {
    let layer = TimeoutLayer::total(3 * SECOND).facts(known());
    let deadline = Some(Deadline::after(SECOND));
    let request = Request { deadline, ..Request::taking(2) };
    let began = clock::now();
    let outcome = layer.layer(service_fn(reply)).oneshot(request).await;
    assert_eq!(reason(outcome), Some(Reason::DeadlinePassed));
    assert_eq!(clock::now().since(began), SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_deadline_has_passed_is_never_sent() {
    for layer in [TimeoutLayer::new(SECOND), TimeoutLayer::total(SECOND)] {
        let request = Request { deadline: Some(Deadline::at(clock::now())), ..Request::default() };
        let inner =
            service_fn(|_: Request| async { panic!("it was sent") as Result<(), BoxError> });
        let error = layer.facts(known()).layer(inner).oneshot(request).await.unwrap_err();
        let rejected = Rejected::find_in(&error).unwrap();
        assert_eq!(rejected.reason(), Reason::DeadlinePassed);
        assert!(rejected.is_unsent());
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_attempt_may_use_what_is_left() {
    let layer = TimeoutLayer::new(SECOND).facts(known());
    for (last, reached) in [(false, Some(Reason::Timeout)), (true, None)] {
        let request = Request {
            deadline: Some(Deadline::after(9 * SECOND)),
            attempt: Some(Attempt { number: 3, last }),
            ..Request::taking(5)
        };
        let outcome = layer.layer(service_fn(reply)).oneshot(request).await;
        assert_eq!(reason(outcome), reached);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_may_have_a_limit_of_its_own() {
    let layer = TimeoutLayer::new(SECOND)
        .limit_from(|request: &Request| (request.takes > 3 * SECOND).then_some(10 * SECOND));
    assert!(layer.layer(service_fn(reply)).oneshot(Request::taking(5)).await.is_ok());
    assert!(layer.layer(service_fn(reply)).oneshot(Request::taking(2)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn all_services_of_a_layer_follow_its_handle() {
    let layer = TimeoutLayer::new(SECOND);
    let (early, copy) = (layer.layer(service_fn(reply)), layer.clone());
    layer.handle().set_limit(4 * SECOND);
    for service in [early, copy.layer(service_fn(reply))] {
        assert!(service.oneshot(Request::taking(3)).await.is_ok());
    }
    let separate = copy.clone().separate();
    copy.handle().set_limit(SECOND);
    assert_eq!(separate.handle().limit(), 4 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn shadow_reports_and_goes_on_waiting() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let layer = TimeoutLayer::new(SECOND)
        .enforcement(Enforcement::Shadow)
        .on_event(move |event| log.lock().unwrap().push(event.to_string()));
    assert!(layer.layer(service_fn(reply)).oneshot(Request::taking(5)).await.is_ok());
    layer.handle().set_enforcement(Enforcement::On);
    assert!(layer.layer(service_fn(reply)).oneshot(Request::taking(5)).await.is_err());
    layer.handle().set_enforcement(Enforcement::Off);
    assert!(layer.layer(service_fn(reply)).oneshot(Request::taking(5)).await.is_ok());
    assert_eq!(
        *told.lock().unwrap(),
        [
            "timeout timed_out reason=timeout delay=1s shadow",
            "timeout settings_changed reason=enforcement",
            "timeout timed_out reason=timeout delay=1s",
            "timeout settings_changed reason=enforcement",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_callers_own_cancel_is_no_timeout() {
    let layer = TimeoutLayer::new(SECOND).on_event(|event| panic!("told {event}"));
    let mut service = layer.layer(service_fn(reply));
    let call = service.ready().await.unwrap().call(Request::taking(9));
    assert!(tokio::time::timeout(SECOND / 2, call).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn extreme_limits_are_legal() {
    for limit in [Duration::ZERO, Duration::from_nanos(1)] {
        let layer = TimeoutLayer::new(limit);
        assert!(layer.layer(service_fn(reply)).oneshot(Request::taking(1)).await.is_err());
    }
    let layer = TimeoutLayer::total(Duration::MAX).facts(known());
    let year = Request::taking(365 * 24 * 3600);
    assert!(layer.layer(service_fn(reply)).oneshot(year).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_covered_wait_for_readiness_and_the_answer_share_one_limit() {
    let inner = Scripted::<u32, u32, ScriptError>::echo();
    let script = inner.script().clone();
    script.always(Step::answer().after(2 * SECOND));
    let mut service = TimeoutLayer::new(3 * SECOND).cover_readiness().layer(inner);

    script.always_ready(Readiness::held());
    let began = clock::now();
    let waiting = tokio::spawn(service.ready().await.unwrap().call(1));
    tokio::time::sleep(SECOND / 2).await;
    script.release_ready();
    assert_eq!(waiting.await.unwrap().unwrap(), 1);
    assert!(clock::now().since(began).abs_diff(5 * SECOND / 2) <= Duration::from_millis(2));

    let late = tokio::spawn(service.ready().await.unwrap().call(2));
    tokio::time::sleep(2 * SECOND).await;
    script.release_ready();
    assert_eq!(reason(late.await.unwrap()), Some(Reason::Timeout));

    let began = clock::now();
    assert_eq!(reason(service.ready().await.unwrap().call(3).await), Some(Reason::Timeout));
    assert!(clock::now().since(began).abs_diff(3 * SECOND) <= Duration::from_millis(1));
    assert_eq!(script.tally().calls, 2, "the third was never sent");
    assert!(script.violations().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_readied_for_a_refused_call_is_let_go() {
    let inner = Scripted::<u32, u32, ScriptError>::echo();
    inner.script().slots(1);
    let passed = facts().deadline_from(|_: &u32| Some(Deadline::at(clock::now())));
    let mut service =
        TimeoutLayer::new(SECOND).facts(passed).cover_readiness().layer(inner.clone());
    assert_eq!(reason(service.ready().await.unwrap().call(1).await), Some(Reason::DeadlinePassed));
    assert_eq!(TimeoutLayer::new(SECOND).layer(inner).oneshot(7).await.unwrap(), 7);
}
