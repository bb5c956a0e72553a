#![allow(clippy::float_cmp, reason = "budgets count exactly, in billionths")]

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tower::{Layer, Service, ServiceExt, service_fn};
use tower_ballast_core::{
    Attempt, Backoff, BoxError, Budget, Classify, Deadline, Event, EventKind, FailureKind, Jitter,
    Mark, Ratio, Reason, Rejected, Replay, RetryAfter, Verdict, clock, facts, idempotent,
};
use tower_ballast_test::{Probe, Readiness, ScriptError, Scripted, Step, laws::Trip, time};

use crate::{RetryLayer, Stop};

tower_ballast_test::laws! {
    mod over_repeatable_requests;
    layer: || RetryLayer::new(idempotent()),
    readiness: first_attempt,
    trip: Trip::Failing(20),
    rest: Duration::from_secs(60),
}

tower_ballast_test::laws! {
    mod over_others;
    layer: || RetryLayer::new(()),
    readiness: first_attempt,
}

tower_ballast_test::laws! {
    mod turned_off;
    layer: || RetryLayer::new(idempotent()).retries(0),
    readiness: first_attempt,
}

tower_ballast_test::laws! {
    mod in_flight_and_total;
    layer: || RetryLayer::new(idempotent())
        .budget(Budget::in_flight(Ratio::percent::<50>()))
        .total(Duration::from_secs(5)),
    readiness: first_attempt,
    counts: |layer: &RetryLayer<_>| layer.handle().budget().balance(),
}

#[tokio::test(start_paused = true)]
async fn waits_as_the_backoff_says() {
    let (backend, layer) = (failing(), exact().retries(3));
    let start = clock::now();

    assert_eq!(ask(&layer, &backend, 7).await, Err(ScriptError));

    assert_eq!(clock::now().since(start), ms(100 + 200 + 400));
    assert_eq!(backend.script().tally().calls, 4);
}

#[tokio::test(start_paused = true)]
async fn hands_on_the_first_success() {
    let backend = Scripted::echo();
    backend.script().then(Step::fail());
    backend.script().then(Step::fail());
    assert_eq!(ask(&exact(), &backend, 7).await, Ok(7));
    assert_eq!(backend.script().tally().calls, 3);
}

#[tokio::test(start_paused = true)]
async fn counts_what_became_of_requests_that_failed_at_first() {
    let (backend, layer) = (Scripted::echo(), exact().budget(Budget::unlimited()));
    for failures in [0, 1, 2, 3, 1] {
        (0..failures).for_each(|_| backend.script().then(Step::fail()));
        let _ = ask(&layer, &backend, 7).await;
    }
    let statistics = layer.handle().statistics();
    assert_eq!(statistics.retries, 1 + 2 + 2 + 1);
    assert_eq!(statistics.attempts, [0, 2, 2, 0, 0, 0, 0, 0]);
    assert_eq!(statistics.successes, [0, 2, 1, 0, 0, 0, 0, 0]);
    assert_eq!(statistics.stops(Stop::Attempts), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_dropped_in_its_wait_is_counted_and_pays_nothing() {
    let (backend, layer) = (failing(), exact());
    {
        let mut response = pin!(layer.layer(backend.clone()).oneshot(7));
        assert!(time::poll_once(response.as_mut()).is_pending());
        assert_eq!(layer.handle().statistics().budget, 4.0);
    }
    let statistics = layer.handle().statistics();
    assert_eq!((statistics.dropped, statistics.budget), (1, 5.0));
    assert_eq!(backend.script().tally().alive, 0);
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_repeated_is_sent_once() {
    let backend = failing();
    let layer = RetryLayer::new(facts().repeatable_if(|request: &u32| *request == 1));
    let _ = ask(&layer, &backend, 2).await;
    assert_eq!(backend.script().tally().calls, 1);
    let _ = ask(&layer, &backend, 1).await;
    assert_eq!(backend.script().tally().calls, 1 + 3);
    assert_eq!(layer.handle().statistics().stops(Stop::NotRepeatable), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_never_sent_is_sent_again_at_the_moment_that_the_refusal_names() {
    let (calls, refusals) = (Arc::new(AtomicU32::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (seen, moments) = (Arc::clone(&calls), Arc::clone(&refusals));
    let inner = service_fn(move |request: u32| {
        moments.lock().unwrap().push(clock::now());
        let refused = seen.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            let after = RetryAfter::reserved(ms(70));
            let error: BoxError = Rejected::new(Reason::CircuitOpen).retry_after(after).into();
            if refused { Err(error) } else { Ok(request) }
        }
    });
    let layer = RetryLayer::new(());

    assert_eq!(layer.layer(inner).oneshot(7).await.unwrap(), 7);

    let moments = refusals.lock().unwrap();
    assert_eq!(moments[1].since(moments[0]), ms(70));
    assert_eq!(layer.handle().budget().withdrawals(), 0, "a reserved moment costs nothing");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_names_no_moment_is_handed_on_in_silence() {
    let log = Log::default();
    let inner = service_fn(|_: u32| async {
        Err::<u32, BoxError>(Rejected::new(Reason::CircuitOpen).into())
    });
    let layer = RetryLayer::new(idempotent()).observer(log.observer());
    let error = layer.layer(inner).oneshot(7).await.unwrap_err();
    assert_eq!(Rejected::find_in(&error).unwrap().reason(), Reason::CircuitOpen);
    assert_eq!(log.lines(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_asks_for_too_long_a_wait_is_handed_on_at_once() {
    let classify = |outcome: Result<&u32, &ScriptError>| {
        let seconds = u64::from(*outcome.unwrap());
        Verdict::throttled().retry_after(RetryAfter::hint(Duration::from_secs(seconds)))
    };
    let log = Log::default();
    let deadline = Deadline::after(Duration::from_secs(10));
    let layer = RetryLayer::new(idempotent().and().deadline_from(move |_: &u32| Some(deadline)))
        .classify(classify)
        .observer(log.observer());
    let (backend, start) = (Scripted::echo(), clock::now());

    assert_eq!(ask(&layer, &backend, 31).await, Ok(31));
    assert_eq!(ask(&layer, &backend, 11).await, Ok(11));

    assert_eq!(clock::now(), start);
    assert_eq!(
        log.lines(),
        [
            "retry retry_stopped reason=hint_too_long attempt=1",
            "retry retry_stopped reason=deadline attempt=1"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_starts_that_cannot_finish_before_the_deadline() {
    let deadline = Deadline::after(ms(1000));
    let facts = || idempotent().and().deadline_from(move |_: &u32| Some(deadline));
    let backend = failing();
    let layer = RetryLayer::new(facts()).retries(9).backoff(doubling()).needs(ms(350));

    let _ = ask(&layer, &backend, 7).await;

    // 100 and 200 ms are waited; 400 ms more would leave 300, and 350 are needed.
    assert_eq!(deadline.remaining(clock::now()), ms(700));
    assert_eq!(backend.script().tally().calls, 3);
    assert_eq!(layer.handle().statistics().stops(Stop::Deadline), 1);
}

#[tokio::test(start_paused = true)]
async fn the_total_ends_what_the_count_does_not() {
    let (backend, start) = (failing(), clock::now());
    let layer = exact().retries(99).total(ms(700)).budget(Budget::unlimited());
    let _ = ask(&layer, &backend, 7).await;
    assert_eq!(clock::now().since(start), ms(700));
    assert_eq!(backend.script().tally().calls, 4);
    assert_eq!(layer.handle().statistics().stops(Stop::Total), 1);
}

#[tokio::test(start_paused = true)]
async fn readiness_that_does_not_come_in_time_ends_with_the_last_outcome() {
    let backend = failing();
    backend.script().then_ready(Readiness::now());
    backend.script().then_ready(Readiness::held());
    let layer = exact().total(ms(500));
    let start = clock::now();

    assert_eq!(ask(&layer, &backend, 7).await, Err(ScriptError));

    // Timers count whole milliseconds, rounded up.
    assert!((ms(500)..=ms(502)).contains(&clock::now().since(start)));
    assert_eq!(backend.script().tally().polled, 0);
    let statistics = layer.handle().statistics();
    assert_eq!((statistics.retries, statistics.budget), (0, 5.0));
    assert_eq!(statistics.stops(Stop::Total), 1);
}

#[tokio::test(start_paused = true)]
async fn a_readiness_error_of_the_clone_ends_with_the_last_outcome() {
    let backend = Scripted::new(|request: &u32| *request, || ScriptError);
    backend.script().then_ready(Readiness::now());
    backend.script().then_ready(Readiness::fail());
    let layer = exact().classify(|_: Result<&u32, &ScriptError>| Verdict::transient());

    assert_eq!(ask(&layer, &backend, 503).await, Ok(503));

    let statistics = layer.handle().statistics();
    assert_eq!((statistics.stops(Stop::NotReady), statistics.budget), (1, 5.0));
}

#[tokio::test(start_paused = true)]
async fn each_attempt_is_marked_and_the_last_one_as_such() {
    #[derive(Clone)]
    struct Request(Option<Attempt>);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let inner = service_fn(move |request: Request| {
        log.lock().unwrap().push(request.0.unwrap());
        async { Err::<(), _>(ScriptError) }
    });
    let facts =
        idempotent().and().attempt_from(|r: &Request| r.0).mark_with(|r: &mut Request, mark| {
            if let Mark::Attempt(attempt) = mark {
                r.0 = Some(attempt);
            }
        });
    let layer = RetryLayer::new(facts);
    let stacked = layer.clone().separate().layer(layer.layer(inner));

    let _ = stacked.clone().oneshot(Request(None)).await;

    let expected = [(1, false), (2, false), (3, true)];
    let expected = expected.map(|(number, last)| Attempt { number, last });
    assert_eq!(*seen.lock().unwrap(), expected, "the inner layer only passes");

    seen.lock().unwrap().clear();
    layer.handle().set_nested(true);
    let _ = stacked.oneshot(Request(None)).await;
    assert!(seen.lock().unwrap().len() > 3, "unless it is told");
}

#[tokio::test(start_paused = true)]
async fn a_dead_service_is_asked_little_more_than_once_per_request() {
    let (backend, layer) = (failing(), RetryLayer::new(idempotent()));
    for request in 0..1000 {
        let _ = ask(&layer, &backend, request).await;
    }
    assert_eq!(backend.script().tally().calls, 1000 + 5);
    assert_eq!(layer.handle().statistics().stops(Stop::Budget), 1000 - 2);
}

#[tokio::test(start_paused = true)]
async fn three_stacked_layers_do_not_multiply_on_a_dead_service() {
    let backend = failing();
    let layer = || RetryLayer::new(idempotent());
    let stacked = layer().layer(layer().layer(layer().layer(backend.clone())));
    for request in 0..1000 {
        let _ = stacked.clone().oneshot(request).await;
    }
    let calls = backend.script().tally().calls;
    assert!(calls <= 1200, "{calls}");
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_shared_by_its_clones_and_earned_by_every_success() {
    let budget = Budget::new().initial(0).funding(Ratio::percent::<50>());
    let (one, other) = (exact().budget(budget.clone()), exact().budget(budget.clone()));
    let backend = Scripted::echo();
    ask(&one, &backend, 1).await.unwrap();
    ask(&one, &backend, 2).await.unwrap();
    assert_eq!(other.handle().budget().balance(), 1.0);

    backend.script().then(Step::fail());
    ask(&other, &backend, 3).await.unwrap();
    assert_eq!(budget.balance(), 0.5, "the retry cost one and its success earned a half");
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_failure_has_its_price() {
    let budget = Budget::new().cost(FailureKind::Timeout, 5);
    let layer = exact().classify(|_: Result<&u32, &ScriptError>| Verdict::timeout()).budget(budget);
    let backend = Scripted::echo();
    let _ = ask(&layer, &backend, 7).await;
    assert_eq!(backend.script().tally().calls, 2);
    assert_eq!(layer.handle().statistics().stops(Stop::Budget), 1);
}

#[tokio::test(start_paused = true)]
async fn retries_in_flight_are_counted_until_they_end() {
    let budget = Budget::in_flight(Ratio::ONE).floor(0);
    let layer = exact().backoff(Backoff::none()).budget(budget.clone());
    let backend = Scripted::echo();
    backend.script().then(Step::fail());
    backend.script().then(Step::hang());
    {
        let mut response = pin!(layer.layer(backend.clone()).oneshot(7));
        assert!(time::poll_once(response.as_mut()).is_pending());
        assert_eq!(backend.script().tally().calls, 2);
        assert_eq!(budget.balance(), 0.0, "one runs, and one of them is a retry");
        backend.script().release();
        assert_eq!(response.as_mut().await, Ok(7));
        // The response is still here, but its request has ended.
        assert_eq!(budget.withdrawals() - budget.refunds(), 1);
    }
    let running = budget.enter();
    assert_eq!(budget.balance(), 1.0);
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_failed_makes_room_for_the_next() {
    let budget = Budget::in_flight(Ratio::ONE).floor(0);
    let layer = exact().backoff(Backoff::none()).budget(budget);
    let backend = failing();
    let _ = ask(&layer, &backend, 7).await;
    assert_eq!(backend.script().tally().calls, 3, "never two at one time");
}

#[tokio::test(start_paused = true)]
async fn readiness_that_comes_too_late_is_given_back_uncalled() {
    let backend = failing();
    backend.script().then_ready(Readiness::now());
    backend.script().then_ready(Readiness::held());
    let layer = exact().backoff(Backoff::none()).total(ms(500));
    let mut response = pin!(layer.layer(backend.clone()).oneshot(7));
    assert!(time::poll_once(response.as_mut()).is_pending());

    time::advance(ms(501)).await;
    backend.script().release_ready();

    assert!(time::poll_once(response.as_mut()).is_ready());
    let tally = backend.script().tally();
    assert_eq!((tally.calls, tally.polled), (1, 0), "the response is still here");
}

#[tokio::test(start_paused = true)]
async fn tells_each_retry_and_why_there_is_no_other() {
    let log = Log::default();
    let layer = exact().name("inventory").observer(log.observer());
    let _ = ask(&layer, &failing(), 7).await;
    layer.handle().set_retries(9);
    assert_eq!(
        log.lines(),
        [
            "inventory retrying reason=transient attempt=2 delay=100ms",
            "inventory retrying reason=transient attempt=3 delay=200ms",
            "inventory retry_stopped reason=attempts attempt=3",
            "inventory settings_changed reason=retries",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn changes_act_on_services_and_requests_that_are_there() {
    let (backend, layer) = (failing(), exact());
    let service = layer.layer(backend.clone());
    let mut response = pin!(service.clone().oneshot(1));
    assert!(time::poll_once(response.as_mut()).is_pending());

    layer.handle().set_retries(0);
    let _ = response.await;
    assert_eq!(backend.script().tally().calls, 2, "a wait that is paid for is not given up");
    let _ = service.clone().oneshot(2).await;
    assert_eq!(backend.script().tally().calls, 3);

    layer.handle().set_retries(1);
    layer.handle().set_backoff(Backoff::none());
    let start = clock::now();
    let _ = service.oneshot(3).await;
    assert_eq!((backend.script().tally().calls, clock::now()), (5, start));
}

#[test]
fn setters_and_handle_write_to_one_place() {
    let layer = RetryLayer::new(idempotent());
    let handle = layer.handle();
    let layer = layer.retries(7).needs(ms(1)).longest_hint(ms(2)).total(ms(3)).nested(true);
    assert_eq!((handle.retries(), handle.needs()), (7, ms(1)));
    assert_eq!((handle.longest_hint(), handle.total(), handle.is_nested()), (ms(2), ms(3), true));
    handle.set_total(Duration::MAX);
    handle.set_longest_hint(ms(9));
    handle.set_needs(ms(8));
    let separate = layer.separate().retries(1);
    assert_eq!(separate.handle().needs(), ms(8));
    assert_eq!(handle.retries(), 7, "a separate layer changes nobody else");
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_waits_equally_long() {
    let mut took = Vec::new();
    for seed in [1, 1, 2] {
        let start = clock::now();
        let layer = RetryLayer::new(idempotent()).retries(5).seed(seed);
        let _ = ask(&layer, &failing(), 7).await;
        took.push(clock::now().since(start));
    }
    assert_eq!(took[0], took[1]);
    assert_ne!(took[0], took[2]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_is_sent_once() {
    /// Keeps no request, or one that turns out to be spoilt.
    #[derive(Clone)]
    struct Spoilt(bool);
    impl Replay<u32> for Spoilt {
        type Sent = u32;
        type Spare = ();
        fn first(&self, request: u32, keep: bool) -> (u32, Option<()>) {
            (request, (keep && self.0).then_some(()))
        }
        fn again(&self, (): (), _: bool) -> Option<(u32, Option<()>)> {
            None
        }
    }
    for kept in [false, true] {
        let (backend, layer) = (failing(), exact().replay(Spoilt(kept)));
        assert_eq!(ask(&layer, &backend, 7).await, Err(ScriptError));
        assert_eq!(backend.script().tally().calls, 1);
        let statistics = layer.handle().statistics();
        assert_eq!((statistics.stops(Stop::BodyGone), statistics.budget), (1, 5.0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_is_copied_only_for_an_attempt_that_may_follow() {
    static COPIES: AtomicU32 = AtomicU32::new(0);
    struct Request;
    impl Clone for Request {
        fn clone(&self) -> Self {
            COPIES.fetch_add(1, Ordering::Relaxed);
            Self
        }
    }
    // Neither the response nor the error is `Clone`.
    struct Response;
    struct Failure;
    let inner = || service_fn(|_: Request| async { Err::<Response, _>(Failure) });

    let _ = exact().layer(inner()).oneshot(Request).await;
    assert_eq!(COPIES.swap(0, Ordering::Relaxed), 2, "three attempts, two copies");
    let _ = exact().retries(0).layer(inner()).oneshot(Request).await;
    assert_eq!(COPIES.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_classifier_of_its_own_type_sees_each_request_that_is_sent() {
    #[derive(Clone)]
    struct ByRequest;
    impl Classify<u32, u32, ScriptError> for ByRequest {
        type Kept = u32;
        fn keep(&self, request: &u32) -> u32 {
            *request
        }
        fn verdict(&self, kept: &u32, _: Result<&u32, &ScriptError>) -> Verdict {
            if *kept == 1 { Verdict::transient() } else { Verdict::fault() }
        }
    }
    let (backend, layer) = (failing(), exact().classify_with(ByRequest));
    let _ = ask(&layer, &backend, 2).await;
    assert_eq!(backend.script().tally().calls, 1);
    assert_eq!(layer.handle().statistics().stops(Stop::Verdict), 1);
    let _ = ask(&layer, &backend, 1).await;
    assert_eq!(backend.script().tally().calls, 1 + 3);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_closure_of_the_user_breaks_nothing() {
    let blow = |when: u32, now: u32| assert_ne!(when, now, "as planned");
    for place in 1..=3 {
        let facts = idempotent().and().deadline_from(move |_: &u32| {
            blow(1, place);
            None
        });
        let layer = RetryLayer::new(facts)
            .backoff(Backoff::none())
            .budget(Budget::in_flight(Ratio::ONE))
            .classify(move |outcome: Result<&u32, &ScriptError>| {
                blow(2, place);
                if outcome.is_ok() { Verdict::Success } else { Verdict::transient() }
            })
            .on_event(move |event: &Event<'_>| {
                if event.kind == EventKind::Retrying {
                    blow(3, place);
                }
            });
        let backend = Scripted::echo();
        backend.script().then(Step::fail());
        let service = layer.layer(backend.clone());
        let panicked = tokio::spawn(service.clone().oneshot(7)).await.unwrap_err();
        assert!(panicked.is_panic());
        assert_eq!(backend.script().tally().alive, 0);
        assert_eq!(layer.handle().budget().balance(), 3.0, "nothing is in flight");

        let calm = RetryLayer::new(idempotent()).backoff(Backoff::none());
        assert_eq!(ask(&calm, &backend, 8).await, Ok(8));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_wakes_nobody_before_its_end() {
    let layer = exact();
    let mut response = pin!(layer.layer(failing()).oneshot(7));
    let probe = Probe::new();
    assert!(probe.poll(response.as_mut()).is_pending());
    time::advance(ms(99)).await;
    assert_eq!(probe.wakes(), 0);
    time::advance(ms(1)).await;
    assert_eq!(probe.wakes(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_longest_settings_work() {
    let layer = RetryLayer::new(idempotent())
        .retries(u32::MAX)
        .backoff(Backoff::exponential(Duration::MAX))
        .total(Duration::MAX)
        .needs(Duration::MAX)
        .longest_hint(Duration::MAX);
    let worst = layer.worst_case();
    assert_eq!((worst.attempts, worst.added_wait), (1 << 32, Duration::MAX));
    assert_eq!(worst.over(worst).over(worst).attempts, u64::MAX);

    let mut response = pin!(layer.layer(failing()).oneshot(7));
    assert!(time::poll_once(response.as_mut()).is_pending());
    assert_eq!(ask(&layer, &Scripted::echo(), 8).await, Ok(8));
}

#[test]
fn futures_are_small_and_go_where_their_parts_go() {
    fn is_send<T: Send>(_: &T) {}
    let mut service = exact().layer(service_fn(|request: u64| async move { Ok::<_, ()>(request) }));
    let response = service.call(7);
    is_send(&response);
    is_send(&service);
    assert!(size_of_val(&response) <= 512, "{}", size_of_val(&response));
}

#[tokio::test(start_paused = true)]
async fn the_worst_case_is_never_exceeded() {
    let (backend, layer) = (failing(), exact().longest_hint(Duration::ZERO).retries(4));
    let (worst, start) = (layer.worst_case(), clock::now());
    let _ = ask(&layer, &backend, 7).await;
    assert_eq!(clock::now().since(start), worst.added_wait);
    assert_eq!(backend.script().tally().calls as u64, worst.attempts);
    assert_eq!(layer.total(ms(5)).worst_case().added_wait, ms(5));
}

#[tokio::test(start_paused = true)]
async fn a_ready_service_makes_the_first_attempt_itself() {
    let backend = failing();
    backend.script().slots(1);
    let mut service = exact().layer(backend.clone());
    poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
    let response = service.call(7);
    assert_eq!(backend.script().tally().ready_polls, 1);
    assert_eq!(response.await, Err(ScriptError));
    assert_eq!(backend.script().violations(), []);
}

/// Failures are waited out for 100, 200, 400 ms and so on, without chance.
fn exact() -> RetryLayer<tower_ballast_core::Idempotent> {
    RetryLayer::new(idempotent()).backoff(doubling())
}

fn doubling() -> Backoff {
    Backoff::exponential(ms(100)).jitter(Jitter::None)
}

fn failing() -> Scripted<u32, u32, ScriptError> {
    let backend = Scripted::echo();
    backend.script().always(Step::fail());
    backend
}

async fn ask<L>(
    layer: &L,
    backend: &Scripted<u32, u32, ScriptError>,
    request: u32,
) -> Result<u32, ScriptError>
where
    L: Layer<Scripted<u32, u32, ScriptError>>,
    L::Service: Service<u32, Response = u32, Error = ScriptError>,
{
    layer.layer(backend.clone()).oneshot(request).await
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn observer(&self) -> impl Fn(&Event<'_>) + Send + Sync + 'static {
        let lines = Arc::clone(&self.0);
        move |event| lines.lock().unwrap().push(event.to_string())
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[test]
fn a_separate_layer_has_a_budget_of_the_same_kind() {
    let layer = RetryLayer::new(idempotent()).budget(Budget::unlimited());
    assert_eq!(layer.separate().handle().statistics().budget, f64::INFINITY);
    let layer = RetryLayer::new(idempotent()).budget(Budget::new().initial(30));
    let separate = layer.clone().separate();
    let withdrawn = layer.handle().budget().withdraw(FailureKind::Transient, clock::now());
    withdrawn.unwrap().spend();
    assert_eq!(separate.handle().statistics().budget, 30.0);
    assert_eq!(layer.handle().statistics().budget, 29.0);
}
