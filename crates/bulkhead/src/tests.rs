use std::{
    collections::VecDeque,
    future::ready,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tower::{Layer, Service, ServiceExt, service_fn};
use tower_ballast_core::{
    BoxError, Deadline, Enforcement, Facts, Priority, Random, Ratio, Reason, Rejected, clock,
    facts, ranks::Floors,
};
use tower_ballast_test::{Readiness, Scripted};

use super::*;

type Response = Pin<Box<dyn Future<Output = Result<u32, BoxError>>>>;

#[tokio::test(start_paused = true)]
async fn a_bulkhead_of_one_never_runs_two() {
    let layer = BulkheadLayer::new(1);
    let (one, other) = (hanging(&layer), hanging(&layer));
    let running = start(one);
    assert_eq!(reason(other.clone().oneshot(2).await), Reason::BulkheadFull);
    drop(running);
    assert!(start(other).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_waits_for_no_timer() {
    let began = clock::now();
    let refused = hanging(&BulkheadLayer::new(0)).oneshot(1).await;
    assert_eq!((reason(refused), clock::now()), (Reason::BulkheadFull, began));
    let queue = BulkheadLayer::new(0).queue(0);
    let refused = over(&queue, Scripted::echo()).oneshot(1).await;
    assert_eq!((reason(refused), clock::now()), (Reason::QueueFull, began));
}

#[test]
fn a_queue_makes_no_call_larger() {
    let echo = service_fn(|number: u32| ready(Ok::<_, BoxError>(number)));
    let mut one = BulkheadLayer::new(1).layer(echo);
    let mut other = BulkheadLayer::new(1).queue(10).layer(echo);
    assert_eq!(size_of_val(&one.call(1)), size_of_val(&other.call(1)));
}

#[test]
fn those_who_wait_are_served_in_their_order() {
    let layer = BulkheadLayer::new(2).queue(10);
    let order = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&order);
    let service = layer.layer(service_fn(move |number: u32| {
        log.lock().unwrap().push(number);
        std::future::pending::<Result<u32, BoxError>>()
    }));
    paused(async {
        let mut calls: VecDeque<Response> =
            (0..6).map(|number| Box::pin(service.clone().oneshot(number)) as Response).collect();
        for _ in 0..6 {
            for call in &mut calls {
                assert!(poll(call).is_pending());
            }
            calls.pop_front();
        }
    });
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn who_matters_more_goes_first_and_takes_the_place_of_who_matters_least() {
    let known = facts().priority_from(|number: &u32| {
        Some(if *number < 10 { Priority::Batch } else { Priority::High })
    });
    let layer = BulkheadLayer::new(1).queue(3).facts(known);
    let service = layer.layer(service_fn(|number: u32| async move {
        std::future::pending::<()>().await;
        Ok::<_, BoxError>(number)
    }));
    let call = |number| Box::pin(service.clone().oneshot(number)) as Response;
    paused(async {
        let mut running = call(0);
        let (mut first, mut second, mut high) = (call(1), call(2), call(10));
        assert!(poll(&mut running).is_pending());
        for waiting in [&mut first, &mut second, &mut high] {
            assert!(poll(waiting).is_pending());
        }
        let mut other = call(11);
        assert!(poll(&mut other).is_pending());
        let Poll::Ready(put_out) = poll(&mut second) else { panic!("it is still there") };
        assert_eq!(reason(put_out), Reason::QueueFull);
        assert_eq!((layer.handle().waiting(), layer.handle().statistics().queue_full), (3, 1));
        drop(running);
        for waiting in [&mut first, &mut other, &mut high] {
            assert!(poll(waiting).is_pending());
        }
        drop(first);
        assert_eq!((layer.handle().in_flight(), layer.handle().waiting()), (1, 1));
    });
}

#[test]
fn the_newest_goes_first_where_it_is_asked_for_also_in_a_separate_layer() {
    let known = facts().priority_from(|_: &u32| Some(Priority::Low));
    let layer = BulkheadLayer::new(1).queue(9).facts(known).newest_first(Priority::Low, true);
    for layer in [layer.clone(), layer.fork()] {
        let order = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&order);
        let service = layer.layer(service_fn(move |number: u32| {
            log.lock().unwrap().push(number);
            ready(Ok::<_, BoxError>(number))
        }));
        paused(async {
            let running = start(hanging(&layer));
            let mut calls: Vec<Response> =
                (0..3).map(|n| Box::pin(service.clone().oneshot(n)) as Response).collect();
            assert!(calls.iter_mut().all(|call| poll(call).is_pending()));
            drop(running);
            for _ in 0..3 {
                calls.retain_mut(|call| poll(call).is_pending());
            }
        });
        assert_eq!(*order.lock().unwrap(), [2, 1, 0]);
    }
}

/// Of ten turns of callers of the highest class and of batch in equal numbers, how many go to batch.
fn turns_of_batch(layer: &BulkheadLayer<impl Facts<u32> + Clone + 'static, Queue>) -> usize {
    let (handle, order) = (layer.handle(), Arc::new(Mutex::new(Vec::new())));
    let log = Arc::clone(&order);
    let service = layer.layer(service_fn(move |number: u32| {
        log.lock().unwrap().push(number);
        ready(Ok::<_, BoxError>(number))
    }));
    paused(async {
        let running = start(hanging(layer));
        let mut calls: Vec<Response> =
            (0..20).map(|n| Box::pin(service.clone().oneshot(n)) as Response).collect();
        assert!(calls.iter_mut().all(|call| poll(call).is_pending()));
        drop(running);
        while handle.waiting() > 0 {
            calls.retain_mut(|call| poll(call).is_pending());
        }
    });
    let order = order.lock().unwrap();
    order[..10].iter().filter(|number| *number % 2 == 1).count()
}

#[test]
fn a_lower_class_gets_the_floor_that_is_set() {
    let known = facts().priority_from(|number: &u32| {
        Some(if number % 2 == 1 { Priority::Batch } else { Priority::High })
    });
    let layer = BulkheadLayer::new(1).queue(50).facts(known);
    assert_eq!(turns_of_batch(&layer), 0, "one in a hundred");
    let layer = layer.separate().floors(Floors::none().batch(Ratio::percent::<50>()));
    let fork = layer.clone().fork();
    assert!(turns_of_batch(&layer) >= 4);
    assert!(turns_of_batch(&fork) >= 4);
    fork.handle().set_floors(Floors::none());
    assert_eq!(turns_of_batch(&fork), 0);
}

#[test]
fn the_lowest_class_has_its_turn_in_a_flood_of_the_highest_however_few_places_there_are() {
    const HIGH: u32 = 1;
    const BATCH: u32 = 0;
    let class = |call: &u32| Some(if *call == BATCH { Priority::Batch } else { Priority::High });
    let bound = Floors::default().longest_wait(Priority::Batch).unwrap();
    for limit in 1..=100 {
        let layer =
            BulkheadLayer::new(limit).queue(1 + limit % 8).facts(facts().priority_from(class));
        let begun = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&begun);
        let service = layer.layer(service_fn(move |call: u32| {
            log.lock().unwrap().push(call);
            std::future::pending::<Result<u32, BoxError>>()
        }));
        paused(async {
            let (mut running, mut waiting) = (VecDeque::<Response>::new(), Vec::<Response>::new());
            for _ in 0..=bound {
                for call in [HIGH, BATCH] {
                    loop {
                        let mut call: Response = Box::pin(service.clone().oneshot(call));
                        let before = begun.lock().unwrap().len();
                        let answer = poll(&mut call);
                        match answer {
                            Poll::Ready(_) => break,
                            Poll::Pending if begun.lock().unwrap().len() > before => {
                                running.push_back(call);
                            }
                            Poll::Pending => waiting.push(call),
                        }
                        waiting.retain_mut(|call| poll(call).is_pending());
                    }
                }
                running.pop_front();
                let before = begun.lock().unwrap().len();
                let next = waiting.iter_mut().position(|call| {
                    assert!(poll(call).is_pending());
                    begun.lock().unwrap().len() > before
                });
                running.push_back(waiting.swap_remove(next.expect("somebody has its turn")));
            }
        });
        let begun = begun.lock().unwrap();
        assert!(begun[limit as usize..].contains(&BATCH), "{limit} places: {} turns", begun.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_never_ready_is_waited_for_without_end_where_there_is_no_deadline() {
    #[derive(Clone)]
    struct Never;
    impl Service<u32> for Never {
        type Response = u32;
        type Error = BoxError;
        type Future = std::future::Ready<Result<u32, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Pending
        }

        fn call(&mut self, _: u32) -> Self::Future {
            unreachable!("it was never ready")
        }
    }
    let layer = BulkheadLayer::new(1).queue(1).longest_wait(Duration::MAX);
    let (mut first, mut second) = (start(over(&layer, Never)), start(over(&layer, Never)));
    for _ in 0..3 {
        tokio::time::advance(Duration::from_secs(1_000_000)).await;
        assert!(poll(first.as_mut().unwrap()).is_pending());
        assert!(poll(second.as_mut().unwrap()).is_pending());
    }
    assert_eq!((layer.handle().in_flight(), layer.handle().waiting()), (1, 1));
    drop(first);
    assert!(poll(second.as_mut().unwrap()).is_pending());
    assert_eq!((layer.handle().in_flight(), layer.handle().waiting()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_after_the_longest_wait_or_at_the_deadline() {
    for (deadline, wanted, after) in [
        (Duration::MAX, Reason::QueueTimeout, 500),
        (Duration::from_millis(200), Reason::DeadlinePassed, 200),
        (Duration::ZERO, Reason::DeadlinePassed, 0),
    ] {
        let began = clock::now();
        let due = Deadline::at(began + deadline);
        let layer = BulkheadLayer::new(0)
            .queue(1)
            .longest_wait(Duration::from_millis(500))
            .facts(facts().deadline_from(move |_: &u32| Some(due)));
        let refused = over(&layer, Scripted::echo()).oneshot(1).await;
        assert_eq!(reason(refused), wanted);
        let waited = clock::now().since(began).as_millis();
        // A timer of tokio may fire a millisecond late.
        assert!((after..=after + 1).contains(&waited), "{waited} ms instead of {after}");
        assert_eq!(layer.handle().waiting(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_in_after_its_deadline() {
    let known = facts().deadline_from(|_: &u32| Some(Deadline::after(Duration::from_secs(1))));
    let layer = BulkheadLayer::new(1).queue(9).longest_wait(Duration::MAX).facts(known);
    let running = start(hanging(&layer));
    let mut late = Box::pin(hanging(&layer).oneshot(2));
    assert!(poll(&mut late).is_pending());
    // The thread was busy: room and the deadline are seen at one time.
    drop(running);
    tokio::time::advance(Duration::from_secs(2)).await;
    let Poll::Ready(outcome) = poll(&mut late) else { panic!("it went in") };
    assert_eq!(reason(outcome), Reason::DeadlinePassed);
}

#[tokio::test(start_paused = true)]
async fn after_a_slow_time_callers_wait_again() {
    let layer = BulkheadLayer::new(1).queue(9).longest_wait(Duration::from_secs(100));
    let service = layer.layer(service_fn(|millis: u32| async move {
        tokio::time::sleep(Duration::from_millis(millis.into())).await;
        Ok::<_, BoxError>(millis)
    }));
    let two = async |millis| {
        tokio::join!(service.clone().oneshot(millis), service.clone().oneshot(millis))
    };
    assert!(two(10_000).await.1.is_ok());
    layer.handle().set_longest_wait(Duration::from_secs(1));
    assert!(two(10).await.1.is_ok());
}

#[tokio::test(start_paused = true)]
async fn one_raise_wakes_all_who_may_go() {
    let layer = BulkheadLayer::new(0).queue(10).longest_wait(Duration::MAX);
    for number in 0..5 {
        tokio::spawn(hanging(&layer).oneshot(number));
    }
    tokio::task::yield_now().await;
    assert_eq!(layer.handle().waiting(), 5);
    layer.handle().set_limit(5);
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
    assert_eq!((layer.handle().in_flight(), layer.handle().waiting()), (5, 0));
}

#[tokio::test(start_paused = true)]
async fn a_raised_limit_admits_those_who_wait_and_a_lowered_one_waits() {
    let layer = BulkheadLayer::new(0).queue(10).longest_wait(Duration::MAX);
    let handle = layer.handle();
    let service = hanging(&layer);
    let mut calls: Vec<_> =
        (0..5).map(|number| Box::pin(service.clone().oneshot(number))).collect();
    let mut settle = || {
        for _ in 0..5 {
            for call in &mut calls {
                assert!(poll(call).is_pending());
            }
        }
        (handle.in_flight(), handle.waiting())
    };
    assert_eq!(settle(), (0, 5));
    handle.set_limit(2);
    assert_eq!(settle(), (2, 3));
    handle.set_limit(1);
    assert_eq!(settle(), (2, 3));
    handle.set_limit(u32::MAX);
    assert_eq!(settle(), (5, 0));
    drop(calls);
    assert_eq!(handle.in_flight(), 0);
}

#[test]
fn a_hundred_thousand_random_cancels_and_limits_leave_nothing() {
    let layer = BulkheadLayer::new(3).queue(20).longest_wait(Duration::MAX);
    let (handle, service) = (layer.handle(), hanging(&layer));
    let random = Random::seeded(11);
    paused(async {
        let mut calls: Vec<Response> = Vec::new();
        for step in 0..100_000_u32 {
            match random.below(8) {
                0 => handle.set_limit([0, 1, 3, u32::MAX][step as usize % 4]),
                1..4 if !calls.is_empty() => {
                    let index = usize::try_from(random.below(calls.len() as u64)).unwrap();
                    drop(calls.swap_remove(index));
                }
                4 if !calls.is_empty() => {
                    let index = usize::try_from(random.below(calls.len() as u64)).unwrap();
                    let _ = poll(&mut calls[index]);
                }
                _ if calls.len() < 40 => {
                    let mut call: Response = Box::pin(service.clone().oneshot(step));
                    if poll(&mut call).is_pending() {
                        calls.push(call);
                    }
                }
                _ => {}
            }
            assert_eq!((handle.in_flight() + handle.waiting()) as usize, calls.len());
        }
        drop(calls);
        handle.set_limit(1);
        assert_eq!((handle.in_flight(), handle.waiting()), (0, 0));
        assert!(start(service).is_some());
    });
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_ready_for_too_long_is_refused_at_once_until_it_is() {
    let inner = Scripted::echo();
    let script = inner.script().clone();
    let patience = Duration::from_secs(3);
    let layer = BulkheadLayer::new(5).queue(5).not_ready_for(patience);
    let mut service = over(&layer, inner);
    script.always_ready(Readiness::held());
    let began = clock::now();
    assert_eq!(reason(call(&mut service).await), Reason::NotReady);
    assert_eq!(clock::now().since(began), patience);
    assert_eq!(reason(call(&mut service).await), Reason::NotReady);
    assert_eq!(clock::now().since(began), patience);
    script.always_ready(Readiness::now());
    assert_eq!(call(&mut service).await.unwrap(), 7);
    script.always_ready(Readiness::held());
    let again = clock::now();
    assert_eq!(reason(call(&mut service).await), Reason::NotReady);
    assert_eq!(clock::now().since(again), patience);
    assert_eq!((layer.handle().in_flight(), layer.handle().statistics().not_ready), (0, 3));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_has_looked_at_is_not_called_unready() {
    let inner = Scripted::echo();
    let script = inner.script().clone();
    let layer = BulkheadLayer::new(5).queue(5).not_ready_for(Duration::from_secs(3));
    let mut service = over(&layer, inner);
    script.always_ready(Readiness::held());
    drop(start(service.clone()).expect("it waits for the service"));
    tokio::time::advance(Duration::from_secs(100)).await;
    let again = clock::now();
    assert_eq!(reason(call(&mut service).await), Reason::NotReady);
    assert_eq!(clock::now().since(again), Duration::from_secs(3));
    tokio::time::advance(Duration::from_secs(2)).await;
    let soon = clock::now();
    assert_eq!(reason(call(&mut service).await), Reason::NotReady);
    assert_eq!(clock::now(), soon);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_while_it_gets_ready_gives_the_permit_back_at_once() {
    #[derive(Clone)]
    struct Fails;
    impl Service<u32> for Fails {
        type Response = u32;
        type Error = BoxError;
        type Future = std::future::Pending<Result<u32, BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Err("broken".into()))
        }

        fn call(&mut self, _: u32) -> Self::Future {
            unreachable!("it is never ready")
        }
    }
    let layer = BulkheadLayer::new(1).queue(1);
    let mut call = Box::pin(layer.layer(Fails).call(1));
    assert_eq!(layer.handle().in_flight(), 1);
    assert!(poll(&mut call).is_ready());
    assert_eq!(layer.handle().in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_readiness_goes_at_its_deadline() {
    let inner = Scripted::echo();
    inner.script().always_ready(Readiness::held());
    let until = clock::now() + Duration::from_secs(2);
    let layer = BulkheadLayer::new(5)
        .queue(5)
        .facts(facts().deadline_from(move |_: &u32| Some(Deadline::at(until))));
    assert_eq!(reason(call(&mut over(&layer, inner)).await), Reason::DeadlinePassed);
    assert_eq!(clock::now(), until);
}

#[tokio::test(start_paused = true)]
async fn shadow_refuses_nobody_that_waits_for_readiness() {
    let (inner, second) = (Scripted::echo(), Duration::from_secs(1));
    inner.script().always_ready(Readiness::held());
    let known = facts().deadline_from(move |_: &u32| Some(Deadline::after(second)));
    let layer = BulkheadLayer::new(5).queue(5).facts(known).enforcement(Enforcement::Shadow);
    let mut call = Box::pin(over(&layer, inner).oneshot(7));
    assert!(poll(&mut call).is_pending());
    tokio::time::advance(second * 2).await;
    assert!(poll(&mut call).is_pending());
    let statistics = layer.handle().statistics();
    assert_eq!((statistics.deadline_passed, statistics.in_flight), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_let_go_when_refusals_are_carried_out_no_more() {
    let layer = BulkheadLayer::new(0).queue(5);
    let waits = tokio::spawn(over(&layer, Scripted::echo()).oneshot(7));
    tokio::task::yield_now().await;
    layer.handle().set_enforcement(Enforcement::Shadow);
    assert_eq!(waits.await.unwrap().unwrap(), 7);
    assert_eq!(layer.handle().statistics().queue_timeout, 1);
}

#[tokio::test(start_paused = true)]
async fn a_closed_bulkhead_drains() {
    let layer = BulkheadLayer::new(1).queue(5);
    let (handle, service) = (layer.handle(), hanging(&layer));
    let running = start(service.clone());
    let mut waits: Response = Box::pin(service.clone().oneshot(2));
    assert!(poll(&mut waits).is_pending());
    handle.close();
    assert_eq!(reason(service.oneshot(3).await), Reason::BulkheadFull);
    let mut drained = Box::pin(handle.drained());
    assert!(poll(&mut drained).is_pending());
    drop(running);
    assert!(poll(&mut waits).is_pending() && poll(&mut drained).is_pending());
    drop(waits);
    assert!(poll(&mut drained).is_ready());
}

#[tokio::test(start_paused = true)]
async fn shadow_lets_through_and_reports_and_a_share_is_a_share() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let layer = BulkheadLayer::new(0)
        .enforcement(Enforcement::Shadow)
        .on_event(move |event| log.lock().unwrap().push((event.reason, event.shadow)));
    let mut service = over(&layer, Scripted::echo());
    assert_eq!(call(&mut service).await.unwrap(), 7);
    assert_eq!(call(&mut over(&layer.clone().queue(3), Scripted::echo())).await.unwrap(), 7);
    assert_eq!(*seen.lock().unwrap(), [("bulkhead_full", true), ("queue_full", true)]);

    layer.handle().set_enforcement(Enforcement::Percent(Ratio::percent::<50>()));
    let mut refused = 0;
    for _ in 0..1000 {
        refused += i32::from(call(&mut service).await.is_err());
    }
    assert!((400..600).contains(&refused), "{refused}");
    layer.handle().set_enforcement(Enforcement::Off);
    assert_eq!(call(&mut service).await.unwrap(), 7);
}

#[test]
fn a_separate_layer_keeps_the_settings_and_not_the_state() {
    let layer = BulkheadLayer::new(7)
        .queue(3)
        .longest_wait(Duration::from_secs(9))
        .newest_first(Priority::Low, true)
        .controlled_delay(ControlledDelay::new());
    let _running = start(hanging(&layer));
    let separate = layer.clone().separate();
    assert_eq!((separate.handle().limit(), separate.handle().in_flight()), (7, 0));
    assert_eq!(layer.handle().in_flight(), 1);
    layer.handle().set_limit(1);
    assert_eq!(separate.handle().limit(), 7);
}

/// A service under `layer` whose calls never end.
fn hanging<L>(layer: &L) -> L::Service
where
    L: Layer<Hang>,
{
    layer.layer(Hang)
}

#[derive(Debug, Clone)]
struct Hang;

impl Service<u32> for Hang {
    type Response = u32;
    type Error = BoxError;
    type Future = std::future::Pending<Result<u32, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: u32) -> Self::Future {
        std::future::pending()
    }
}

fn over<L: Layer<S>, S>(layer: &L, inner: S) -> L::Service {
    layer.layer(inner)
}

async fn call<S: Service<u32, Response = u32, Error = BoxError>>(
    service: &mut S,
) -> Result<u32, BoxError> {
    service.ready().await?.call(7).await
}

/// A call that has begun, unless it was refused.
fn start<S>(service: S) -> Option<Response>
where
    S: Service<u32, Response = u32, Error = BoxError> + 'static,
{
    let mut call: Response = Box::pin(service.oneshot(1));
    poll(&mut call).is_pending().then_some(call)
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn paused(future: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(future);
}

fn reason<T: std::fmt::Debug>(outcome: Result<T, BoxError>) -> Reason {
    Rejected::find(&*outcome.unwrap_err()).unwrap().reason()
}
