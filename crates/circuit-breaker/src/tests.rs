//! The shell: services, futures, permits and the line, on paused time.

use std::{
    future::{Future, pending},
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_util::FutureExt;
use tower::{Layer, Service, ServiceExt, service_fn, util::BoxCloneService};
use tower_ballast_core::{
    BoxError, Deadline, Enforcement, Ratio, Reason, Rejected, clock, count, facts,
};

use crate::{CircuitBreakerLayer, Phase};

type Reply = Result<&'static str, BoxError>;

/// Opens at the first failure, and rests exactly five seconds.
fn touchy() -> CircuitBreakerLayer {
    CircuitBreakerLayer::new().consecutive_failures(count::<1>()).rest_spread(Ratio::ZERO)
}

async fn reply(request: &'static str) -> Reply {
    match request {
        "fail" => Err("it failed".into()),
        "hang" => pending().await,
        "panic" => panic!("the service panics"),
        request => Ok(request),
    }
}

fn over<L>(layer: &L) -> BoxCloneService<&'static str, &'static str, BoxError>
where
    L: Layer<Inner>,
    L::Service:
        Service<&'static str, Response = &'static str, Error = BoxError> + Clone + Send + 'static,
    <L::Service as Service<&'static str>>::Future: Send,
{
    BoxCloneService::new(layer.layer(Inner))
}

/// A named form of `reply`, so that `over` can name the layered service.
#[derive(Clone)]
struct Inner;

impl Service<&'static str> for Inner {
    type Response = &'static str;
    type Error = BoxError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Reply> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: &'static str) -> Self::Future {
        assert_ne!(request, "panic in call");
        Box::pin(reply(request))
    }
}

fn reason<T>(outcome: Result<T, BoxError>) -> Option<Reason> {
    outcome.err().as_ref().and_then(Rejected::find_in).map(Rejected::reason)
}

async fn advance(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[test]
fn those_who_may_wait_have_no_larger_calls() {
    let layer = touchy();
    let mut one = layer.layer(service_fn(reply));
    let mut other = layer.wait(Duration::from_secs(1), 10).layer(service_fn(reply));
    assert_eq!(size_of_val(&one.call("ok")), size_of_val(&other.call("ok")));
}

#[tokio::test(start_paused = true)]
async fn services_made_by_one_layer_and_by_its_clones_share_one_circuit() {
    let layer = touchy();
    let mut services = [over(&layer), over(&layer), over(&layer.clone())];
    services[0].ready().await.unwrap().call("fail").await.unwrap_err();
    for service in &mut services {
        let outcome = service.ready().await.unwrap().call("ok").await;
        assert_eq!(reason(outcome), Some(Reason::CircuitOpen));
    }
    let separate = over(&layer.separate());
    assert_eq!(separate.oneshot("ok").await.unwrap(), "ok");
}

#[tokio::test(start_paused = true)]
async fn it_comes_back_after_the_rest() {
    let layer = touchy().trials(count::<1>());
    let service = over(&layer);
    service.clone().oneshot("fail").await.unwrap_err();
    advance(4).await;
    assert_eq!(reason(service.clone().oneshot("ok").await), Some(Reason::CircuitOpen));
    advance(1).await;
    assert_eq!(service.clone().oneshot("ok").await.unwrap(), "ok");
    assert_eq!(layer.handle().phase(), Phase::Recovering);
    advance(1).await;
    assert_eq!(service.oneshot("ok").await.unwrap(), "ok");
    assert_eq!(layer.handle().phase(), Phase::Closed);
}

#[tokio::test(start_paused = true)]
async fn gives_the_trial_back_when_the_caller_goes_away() {
    let layer = touchy().trials(count::<1>());
    let mut service = over(&layer);
    service.clone().oneshot("fail").await.unwrap_err();
    advance(5).await;
    let mut trial = Box::pin(service.call("hang"));
    assert!(poll_once(trial.as_mut()).is_pending());
    assert_eq!(reason(service.clone().oneshot("ok").await), Some(Reason::CircuitHalfOpen));
    drop(trial);
    assert_eq!(service.oneshot("ok").await.unwrap(), "ok");
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_inner_service_is_a_failure() {
    for request in ["panic", "panic in call"] {
        let layer = touchy();
        let service = over(&layer);
        let task = tokio::spawn(service.oneshot(request));
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(layer.handle().phase(), Phase::Open, "{request}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_early_is_ignored_and_one_dropped_late_is_a_timeout() {
    for (seconds, phase) in [(9, Phase::Closed), (10, Phase::Open)] {
        let layer = touchy();
        let mut call = Box::pin(over(&layer).oneshot("hang"));
        assert!(poll_once(call.as_mut()).is_pending());
        advance(seconds).await;
        drop(call);
        assert_eq!(layer.handle().phase(), phase, "after {seconds} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_dropped_past_its_deadline_is_a_timeout() {
    let deadline = Deadline::after(Duration::from_secs(1));
    let layer = touchy().facts(facts().deadline_from(move |_: &&str| Some(deadline)));
    let mut call = Box::pin(over(&layer).oneshot("hang"));
    assert!(poll_once(call.as_mut()).is_pending());
    advance(1).await;
    drop(call);
    assert_eq!(layer.handle().phase(), Phase::Open);
}

#[tokio::test(start_paused = true)]
async fn shadow_reports_and_refuses_nothing() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let layer = touchy()
        .name("shadowed")
        .enforcement(Enforcement::Shadow)
        .on_event(move |event| log.lock().unwrap().push(event.to_string()));
    let service = over(&layer);
    service.clone().oneshot("fail").await.unwrap_err();
    assert_eq!(service.oneshot("ok").await.unwrap(), "ok");
    assert_eq!(
        *told.lock().unwrap(),
        [
            "shadowed state_changed reason=consecutive_failures from=closed to=open delay=5s",
            "shadowed refused reason=circuit_open delay=5s shadow",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn changes_are_told_in_order_and_can_be_watched() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let layer = touchy()
        .trials(count::<1>())
        .recovery(false)
        .on_event(move |event| log.lock().unwrap().push((event.sequence, event.to)));
    let (service, mut phases) = (over(&layer), layer.handle().watch());
    assert_eq!(*phases.borrow_and_update(), Phase::Closed);

    service.clone().oneshot("fail").await.unwrap_err();
    phases.changed().await.unwrap();
    assert_eq!(*phases.borrow_and_update(), Phase::Open);

    advance(5).await;
    service.oneshot("ok").await.unwrap();
    phases.changed().await.unwrap();
    assert_eq!(*phases.borrow_and_update(), Phase::Closed);
    assert_eq!(*told.lock().unwrap(), [(1, "open"), (2, "half_open"), (3, "closed")]);
}

#[tokio::test(start_paused = true)]
async fn a_circuit_that_is_gone_leaves_no_state_behind() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&events);
    let layer = touchy().on_event(move |event| log.lock().unwrap().push((event.from, event.to)));
    let (service, fork) = (over(&layer), layer.clone().fork());
    assert!(service.oneshot("fail").await.is_err());
    drop(fork);
    assert_eq!(*events.lock().unwrap(), [("closed", "open")], "the fork was closed");
    drop(layer);
    assert_eq!(*events.lock().unwrap(), [("closed", "open"), ("open", "closed")]);
}

#[tokio::test(start_paused = true)]
async fn forks_of_a_seeded_circuit_draw_the_same_each_time_and_not_as_each_other() {
    let rests = || async {
        let layer = touchy().rest_spread(Ratio::percent::<50>()).seed(7);
        let mut rests = Vec::new();
        for fork in [layer.clone().fork(), layer.clone().separate(), layer] {
            assert!(over(&fork).oneshot("fail").await.is_err());
            rests.push(fork.handle().standing().rest);
        }
        rests
    };
    let first = rests().await;
    assert_eq!(first, rests().await);
    assert!(first[0] != first[1] && first[1] != first[2], "{first:?}");
}

#[tokio::test(start_paused = true)]
async fn off_counts_nothing_and_can_be_switched_on() {
    let layer = touchy().enforcement(Enforcement::Off);
    let service = over(&layer);
    service.clone().oneshot("fail").await.unwrap_err();
    assert_eq!(layer.handle().phase(), Phase::Closed);
    layer.handle().set_enforcement(Enforcement::On);
    service.clone().oneshot("fail").await.unwrap_err();
    assert_eq!(reason(service.oneshot("ok").await), Some(Reason::CircuitOpen));
}

#[tokio::test(start_paused = true)]
async fn a_trial_whose_service_fails_to_get_ready_is_given_back_at_once() {
    #[derive(Clone)]
    struct Unready;
    impl Service<&'static str> for Unready {
        type Response = &'static str;
        type Error = BoxError;
        type Future = std::future::Pending<Reply>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Err("broken".into()))
        }

        fn call(&mut self, _: &'static str) -> Self::Future {
            unreachable!("it is never ready")
        }
    }
    let layer = touchy().trials(count::<1>()).wait(Duration::from_secs(60), 1);
    over(&layer).oneshot("fail").await.unwrap_err();
    tokio::time::advance(Duration::from_secs(5)).await;
    let mut trial = pin!(layer.layer(Unready).call("ok"));
    assert!(trial.as_mut().now_or_never().unwrap().is_err());
    assert_eq!(over(&layer).oneshot("ok").now_or_never().unwrap().unwrap(), "ok");
}

#[tokio::test(start_paused = true)]
async fn slow_calls_open_it() {
    let slow = service_fn(|request: &'static str| async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok::<_, BoxError>(request)
    });
    let layer = CircuitBreakerLayer::new()
        .slow_calls(Duration::from_secs(1), Ratio::percent::<50>())
        .minimum_calls(count::<2>());
    for _ in 0..2 {
        layer.layer(slow).oneshot("ok").await.unwrap();
    }
    assert_eq!(layer.handle().phase(), Phase::Open);
    assert_eq!(layer.handle().standing().openings, 1);
}

#[tokio::test(start_paused = true)]
async fn successes_counted_aside_are_all_counted() {
    let layer = CircuitBreakerLayer::new();
    let handle = layer.handle();
    let mut service = layer.layer(service_fn(reply));
    for _ in 0..10 {
        for _ in 0..100 {
            service.ready().await.unwrap().call("ok").await.unwrap();
        }
        advance(2).await;
    }
    assert_eq!(handle.standing().calls, 1000);
    advance(20).await;
    assert!(handle.standing().calls < 1000);
    advance(31).await;
    assert_eq!(handle.standing().calls, 0);
}

#[tokio::test(start_paused = true)]
async fn callers_in_line_are_served_first_come_first_served_after_the_rest() {
    let layer = touchy().trials(count::<1>()).wait(Duration::from_secs(10), 100);
    let handle = layer.handle();
    let service = over(&layer);
    service.clone().oneshot("fail").await.unwrap_err();

    let served = Arc::new(Mutex::new(Vec::new()));
    let calls: Vec<_> = (0..20)
        .map(|n| {
            let (service, served) = (service.clone(), Arc::clone(&served));
            tokio::spawn(service.oneshot("ok").inspect(move |_| served.lock().unwrap().push(n)))
        })
        .collect();
    tokio::task::yield_now().await;
    assert_eq!(handle.standing().waiting, 20);
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), "ok");
    }
    assert_eq!(*served.lock().unwrap(), (0..20).collect::<Vec<_>>());
    assert_eq!(handle.standing().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_at_its_limit_and_at_the_deadline() {
    let deadline = Deadline::after(Duration::from_secs(2));
    let known = facts().deadline_from(move |r: &&str| (*r == "urgent").then_some(deadline));
    let layer = touchy().facts(known).wait(Duration::from_secs(3), 2);
    let service = over(&layer);
    service.clone().oneshot("fail").await.unwrap_err();

    let began = clock::now();
    let patient = tokio::spawn(service.clone().oneshot("ok"));
    let urgent = tokio::spawn(service.clone().oneshot("urgent"));
    tokio::task::yield_now().await;
    let third = service.clone().oneshot("ok").await;
    assert_eq!(reason(third), Some(Reason::CircuitOpen), "the line is full");
    assert_eq!(reason(urgent.await.unwrap()), Some(Reason::CircuitOpen));
    assert_eq!(clock::now().since(began), Duration::from_secs(2));
    assert_eq!(reason(patient.await.unwrap()), Some(Reason::CircuitOpen));
    assert_eq!(clock::now().since(began), Duration::from_secs(3));
    assert_eq!(layer.handle().standing().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn the_first_in_line_going_away_hands_on_to_the_next() {
    let layer = touchy().wait(Duration::from_secs(60), 10);
    let handle = layer.handle();
    let service = over(&layer);
    service.clone().oneshot("fail").await.unwrap_err();
    let mut first = Box::pin(service.clone().oneshot("ok"));
    assert!(poll_once(first.as_mut()).is_pending());
    let second = tokio::spawn(service.oneshot("ok"));
    tokio::task::yield_now().await;
    drop(first);
    assert_eq!(handle.standing().waiting, 1);
    assert_eq!(second.await.unwrap().unwrap(), "ok");
}

#[tokio::test(start_paused = true)]
async fn resetting_the_circuit_serves_everybody_in_line_at_once() {
    let layer = touchy().wait(Duration::from_secs(60), 10);
    let service = over(&layer);
    layer.handle().force_open();
    let began = clock::now();
    let calls: Vec<_> = (0..10).map(|_| tokio::spawn(service.clone().oneshot("ok"))).collect();
    tokio::task::yield_now().await;
    layer.handle().reset();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(clock::now().since(began), Duration::ZERO);
}

#[test]
fn absurd_settings_are_legal_or_do_not_compile() {
    let layer = CircuitBreakerLayer::new()
        .rest(Duration::MAX)
        .longest_rest(Duration::MAX)
        .slow_calls(Duration::MAX, Ratio::ZERO)
        .abandoned_after(Duration::MAX)
        .longest_trial(Duration::MAX)
        .trials(count::<{ u32::MAX }>())
        .wait(Duration::MAX, u32::MAX);
    let outcome = poll_once(pin!(over(&layer).oneshot("ok")));
    assert!(matches!(outcome, Poll::Ready(Ok("ok"))));
}

fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
