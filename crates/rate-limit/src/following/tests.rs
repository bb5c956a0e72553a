use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Waker},
};

use proptest::prelude::*;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_ballast_core::{
    BoxError, Enforcement, Multiplier, Ratio, Reason, Rejected, Verdict, count,
};

use super::*;
use crate::{
    PriorityRateLimitHandle, PriorityRateLimitLayer,
    adjust::{Cause, Measured, Span},
    claim::Claim,
    future::ResponseFuture,
};

const SECOND: Duration = Duration::from_secs(1);
const HUNDRED: Quota = Quota::per_second(count::<100>());
const AMPLE: Quota = Quota::per_second(count::<1_000_000>());
const TENTH: Ratio = Ratio::percent::<10>();

#[derive(Debug, Clone, PartialEq)]
struct Told {
    reason: &'static str,
    from: u32,
    to: u32,
    sequence: u64,
}

type Log = Arc<Mutex<Vec<Told>>>;

#[tokio::test(start_paused = true)]
async fn a_service_that_gets_slow_is_protected_and_the_rate_comes_back() {
    let (capacity, log) = (Arc::new(AtomicU32::new(50)), Log::default());
    let layer = PriorityRateLimitLayer::new(HUNDRED)
        .adjust(Limits::new().latency(Duration::from_millis(500)))
        .on_event(watch(&log));
    let slow = layer.layer(one_after_the_other(&capacity));
    let unprotected = one_after_the_other(&capacity);
    let (protected, unprotected) =
        tokio::join!(offer(&slow, 100, 60), offer(&unprotected, 100, 60));
    // Half of what is offered can be served, so without a limit the last one waits for half a minute.
    assert!(*unprotected.iter().max().unwrap() > SECOND * 29);
    let late = &protected[protected.len() / 2..];
    let mean = late.iter().sum::<Duration>() / u32::try_from(late.len()).unwrap();
    assert!(mean < SECOND, "{mean:?}");
    // And what can be served is.
    assert!(late.len() > 30 * 35 * 8 / 10, "{}", late.len());

    capacity.store(1000, Relaxed);
    offer(&slow, 100, 25).await;
    assert_eq!(layer.handle().present_quota(), HUNDRED);
    let log = log.lock().unwrap();
    assert!(log.iter().any(|told| told.reason == "latency"));
    assert_whole(&log, 100);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_under_load_is_asked_less_until_it_does_not() {
    // Of what comes in a second above 60, all fails.
    let (window, log) = (Arc::new(Mutex::new((Nanos::ZERO, 0))), Log::default());
    let overloaded = service_fn(move |(): ()| {
        let (now, mut window) = (clock::now(), window.lock().unwrap());
        if now.since(window.0) >= SECOND {
            *window = (now, 0);
        }
        window.1 += 1;
        std::future::ready(if window.1 > 60 { Err(BoxError::from("busy")) } else { Ok(()) })
    });
    let layer = PriorityRateLimitLayer::new(HUNDRED)
        .adjust(Limits::new().errors(TENTH))
        .on_event(watch(&log));
    let service = layer.layer(overloaded);
    let mut served = Vec::new();
    for _ in 0..60 {
        served.push(offer(&service, 100, 1).await.len());
    }
    // Seconds in which more than a tenth has failed are few, and the rate hovers about what is borne.
    assert!(served[5..].iter().all(|served| (40..=76).contains(served)), "{served:?}");
    let log = log.lock().unwrap();
    assert!(log.iter().any(|told| told.reason == "errors"));
    assert!(log.iter().any(|told| told.reason == "recovery"));
    assert_whole(&log, 100);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_measured_limit_is_that_of_a_naive_model(
        spells in prop::collection::vec(
            (0..10_u32, 0..400_u64, prop::collection::vec((0..100_u64, 0..10_u32), 1..60)),
            1..10,
        ),
    ) {
        paused(async move {
            let limits =
                Limits::new().errors(Ratio::percent::<30>()).latency(Duration::from_millis(250));
            let layer = PriorityRateLimitLayer::new(AMPLE).adjust(limits);
            let service = layer.layer(service_fn(|(took, end): (u64, u32)| async move {
                tokio::time::sleep(Duration::from_millis(took)).await;
                outcome(end)
            }));
            let mut model = Model::new();
            for (failures, took, calls) in spells {
                for (pause, dice) in calls {
                    let end = if dice < failures { dice % 5 } else { 0 };
                    tokio::time::advance(Duration::from_millis(pause * pause / 4)).await;
                    model.come_by();
                    let began = clock::now();
                    let _ = service.clone().oneshot((took, end)).await;
                    if end != IGNORED {
                        model.answers.push((end != 0, clock::now().since(began)));
                        model.come_by();
                    }
                    let expected = AMPLE.scaled(model.multiplier);
                    prop_assert_eq!(layer.handle().present_quota(), expected);
                }
            }
            Ok(())
        })?;
    }
}

/// Every answer in a list, and the rules as the page tells them.
struct Model {
    answers: Vec<(bool, Duration)>,
    since: Nanos,
    due: Nanos,
    settled: Nanos,
    looked: Nanos,
    multiplier: f64,
}

impl Model {
    const fn new() -> Self {
        let (since, due, settled) = (Nanos::ZERO, Nanos::ZERO, Nanos::ZERO);
        Self { answers: Vec::new(), since, due, settled, looked: Nanos::ZERO, multiplier: 1.0 }
    }

    fn come_by(&mut self) {
        let now = clock::now();
        if now < self.due {
            return;
        }
        self.due = now + SECOND;
        let gap = now.since(self.looked).min(SECOND).as_secs_f64();
        self.looked = now;
        if now.since(self.since) > SECOND * 10 {
            (self.since, self.answers) = (now, Vec::new());
        }
        let number = u32::try_from(self.answers.len()).unwrap();
        let failed = u32::try_from(self.answers.iter().filter(|answer| answer.0).count()).unwrap();
        let latency = self.answers.iter().map(|answer| answer.1).sum::<Duration>() / number.max(1);
        let errors = f64::from(failed) / f64::from(number.max(1));
        let share = (errors / 0.3).max(latency.as_secs_f64() / 0.25);
        if number >= 20 {
            (self.since, self.answers) = (now, Vec::new());
            if share > 1.0 && now >= self.settled {
                self.settled = now + latency + SECOND / 2;
                self.multiplier = (self.multiplier * 0.7).max(0.1);
            }
        }
        if share < 0.8 {
            self.multiplier = (self.multiplier + gap * 0.05).min(1.0);
        }
    }
}

const IGNORED: u32 = 4;

fn outcome(end: u32) -> Result<(), BoxError> {
    match end {
        0 => Ok(()),
        1 => Err("broken".into()),
        2 | 3 => Err(Rejected::new(Reason::Timeout).into()),
        _ => Err(Rejected::new(Reason::CircuitOpen).into()),
    }
}

#[tokio::test(start_paused = true)]
async fn neither_what_is_refused_nor_what_is_dropped_is_an_answer() {
    let layer = failing_layer();
    let refusing = service_fn(|(): ()| std::future::ready(outcome(IGNORED)));
    let hanging = service_fn(|(): ()| std::future::pending::<Result<(), BoxError>>());
    for _ in 0..100 {
        tokio::time::advance(SECOND / 50).await;
        let _ = layer.layer(refusing).oneshot(()).await;
        drop(pin!(layer.layer(hanging).oneshot(())).poll(&mut Context::from_waker(Waker::noop())));
    }
    assert_eq!(layer.handle().present_quota(), HUNDRED);
    fail(&layer, 101).await;
    assert_eq!(layer.handle().present_quota().count(), 49);
}

#[tokio::test(start_paused = true)]
async fn the_own_refusals_of_a_limit_are_no_failures() {
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<100>()).burst(count::<1>()))
        .adjust(Limits::new().errors(TENTH));
    let service = layer.layer(service_fn(|(): ()| std::future::ready(outcome(0))));
    let mut refused = 0;
    for _ in 0..5000 {
        tokio::time::advance(Duration::from_millis(1)).await;
        refused += u32::from(service.clone().oneshot(()).await.is_err());
    }
    assert!(refused > 4000);
    assert_eq!(layer.handle().present_quota().count(), 100);
}

#[tokio::test(start_paused = true)]
async fn few_answers_lower_nothing_but_hold_the_rate_until_they_are_forgotten() {
    let layer = failing_layer();
    let present = || layer.handle().present_quota().count();
    fail(&layer, 51).await;
    assert_eq!(present(), 70);
    // A failure a second, which is too few in ten of them.
    let failing = layer.layer(service_fn(|(): ()| std::future::ready(outcome(1))));
    for _ in 0..8 {
        tokio::time::advance(SECOND).await;
        let _ = failing.clone().oneshot(()).await;
        assert_eq!(present(), 70);
    }
    // Then nothing but an ignored one now and then, and what is not known is no reason to stay low.
    let ignored = layer.layer(service_fn(|(): ()| std::future::ready(outcome(IGNORED))));
    for expected in [70, 70, 75, 80, 85] {
        tokio::time::advance(SECOND).await;
        let _ = ignored.clone().oneshot(()).await;
        assert_eq!(present(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_lowered_again_only_by_what_the_last_time_has_left() {
    let log = Log::default();
    let layer = PriorityRateLimitLayer::new(HUNDRED)
        .adjust(Limits::new().latency(SECOND / 10))
        .on_event(watch(&log));
    let slow = layer.layer(service_fn(|(): ()| async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        outcome(0)
    }));
    // Of what a second after a decrease tells, most had been let through before it.
    offer(&slow, 50, 7).await;
    let lowered: Vec<_> = log.lock().unwrap().iter().map(|told| told.to).collect();
    assert_eq!(lowered, [70, 49, 34]);
}

#[tokio::test(start_paused = true)]
async fn a_load_is_asked_for_once_in_a_period_and_may_panic() {
    let (asked, load, panics) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(Mutex::new(f64::NAN)),
        Arc::new(AtomicBool::new(false)),
    );
    let (number, value, fuse) = (Arc::clone(&asked), Arc::clone(&load), Arc::clone(&panics));
    let layer = PriorityRateLimitLayer::new(HUNDRED)
        .adjust(Limits::new().load(Ratio::percent::<50>()))
        .adjust_every(SECOND * 2)
        .load(move || {
            number.fetch_add(1, Relaxed);
            assert!(!fuse.load(Relaxed), "the user's own fault");
            *value.lock().unwrap()
        });
    let mut service = layer.layer(service_fn(|(): ()| std::future::ready(outcome(0))));
    let mut call = || {
        let cx = &mut Context::from_waker(Waker::noop());
        catch_unwind(AssertUnwindSafe(|| {
            assert!(service.poll_ready(cx).is_ready());
            assert!(pin!(service.call(())).poll(cx).is_ready());
        }))
    };
    for _ in 0..100 {
        call().unwrap();
        tokio::time::advance(SECOND / 10).await;
    }
    // After 0, 2, 4, 6 and 8 seconds; and what is no number says nothing.
    assert_eq!((asked.load(Relaxed), layer.handle().present_quota()), (5, HUNDRED));
    *load.lock().unwrap() = 7.5;
    panics.store(true, Relaxed);
    assert!(call().is_err());
    call().unwrap();
    panics.store(false, Relaxed);
    tokio::time::advance(SECOND * 2).await;
    call().unwrap();
    assert_eq!(layer.handle().present_quota().count(), 70);
}

#[tokio::test(start_paused = true)]
async fn a_panicking_classifier_costs_the_limit_nothing() {
    #[derive(Clone)]
    struct Panics;
    impl tower_ballast_core::Classify<(), (), BoxError> for Panics {
        type Kept = ();
        fn keep(&self, (): &()) {
            panic!("the user's own fault");
        }
        fn verdict(&self, (): &(), _: Result<&(), &BoxError>) -> Verdict {
            Verdict::Success
        }
    }
    let layer = PriorityRateLimitLayer::new(HUNDRED).adjust(Limits::new()).classify_with(Panics);
    let mut service = layer.layer(service_fn(|(): ()| std::future::ready(outcome(0))));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(service.call(())))).is_err());
    assert_eq!(layer.handle().standing().remaining, 100);
}

#[tokio::test(start_paused = true)]
async fn a_layer_that_is_off_measures_nothing_and_one_in_shadow_does() {
    for (enforcement, expected) in [(Enforcement::Off, 100), (Enforcement::Shadow, 70)] {
        for queue in [false, true] {
            let layer = PriorityRateLimitLayer::new(HUNDRED.burst(count::<1>()))
                .adjust(Limits::new().errors(TENTH))
                .enforcement(enforcement);
            let handle = layer.handle();
            let failing = service_fn(|(): ()| std::future::ready(outcome(1)));
            if queue {
                offer(&layer.clone().queue(5).layer(failing), 200, 1).await;
            } else {
                offer(&layer.layer(failing), 200, 1).await;
            }
            tokio::time::advance(SECOND).await;
            let _ = layer.enforcement(Enforcement::On).layer(failing).oneshot(()).await;
            assert_eq!(handle.present_quota().count(), expected, "{enforcement:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn those_that_have_waited_are_measured_from_their_turn_on() {
    let layer = PriorityRateLimitLayer::new(HUNDRED.burst(count::<1>()))
        .queue(1000)
        .longest_wait(SECOND * 60)
        .adjust(Limits::new().latency(Duration::from_millis(50)));
    let handle = layer.handle();
    let service = layer.layer(service_fn(|(): ()| async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        outcome(0)
    }));
    wait_in_line(&service, 300).await;
    assert_eq!(handle.present_quota().count(), 100, "the wait is not the service's");
    handle.set_limits(Limits::new().latency(Duration::from_millis(10)));
    wait_in_line(&service, 300).await;
    assert!(handle.present_quota().count() < 100);
}

#[tokio::test(start_paused = true)]
async fn what_is_told_and_what_is_measured_hold_each_other() {
    let layer = failing_layer();
    let handle = layer.handle();
    let well = layer.layer(service_fn(|(): ()| std::future::ready(outcome(0))));
    let overloaded = Signals { errors: Ratio::ONE, ..Signals::default() };
    assert_eq!(handle.observe(overloaded, SECOND).unwrap().cause, Cause::Errors);
    offer(&well, 50, 9).await;
    assert_eq!(handle.present_quota().count(), 70, "what was told is remembered");
    offer(&well, 50, 5).await;
    assert!(handle.present_quota().count() > 75);

    fail(&layer, 100).await;
    let lowered = handle.present_quota().count();
    assert_eq!(handle.observe(Signals::default(), SECOND), None);
    assert_eq!(handle.present_quota().count(), lowered);
}

#[tokio::test(start_paused = true)]
async fn other_limits_and_schedules_keep_the_level_and_who_waits() {
    let log = Log::default();
    let layer = PriorityRateLimitLayer::new(HUNDRED.burst(count::<1>()))
        .queue(100)
        .longest_wait(SECOND * 60)
        .adjust(Limits::new().errors(TENTH))
        .on_event(watch(&log));
    let handle: PriorityRateLimitHandle = layer.handle();
    let overloaded = Signals { errors: Ratio::ONE, ..Signals::default() };
    handle.observe(overloaded, Duration::ZERO);
    let service = layer.layer(service_fn(|(): ()| std::future::ready(outcome(0))));
    let calls: Vec<_> = (0..20).map(|_| tokio::spawn(service.clone().oneshot(()))).collect();
    tokio::task::yield_now().await;
    let waiting = handle.waiting();
    assert!(waiting > 10);

    handle.set_limits(Limits::new().queue(50));
    assert_eq!((handle.present_quota().count(), handle.waiting()), (70, waiting));
    assert_eq!(handle.standing().remaining, 0, "the level stays");
    handle.set_limits(Limits::new().queue(50).least(Ratio::percent::<90>()));
    assert_eq!((handle.present_quota().count(), handle.waiting()), (90, waiting));
    let whole_day = |raise| Schedule::new([Span::new(Duration::ZERO, Duration::ZERO, raise)]);
    handle.set_schedule(Some(whole_day(Multiplier::TWO)));
    assert_eq!((handle.present_quota().count(), handle.waiting()), (180, waiting));
    assert_eq!(handle.standing().remaining, 0);
    handle.set_schedule(None);
    assert_eq!(handle.present_quota().count(), 90);
    handle.set_quota(Quota::per_second(count::<10>()));
    assert_eq!(handle.present_quota().count(), 9);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let log = log.lock().unwrap();
    let reasons: Vec<_> = log.iter().map(|told| told.reason).collect();
    assert_eq!(reasons[..5], ["errors", "limits", "schedule", "schedule", "quota"]);
    assert_whole(&log, 100);
}

#[tokio::test(start_paused = true)]
async fn a_separate_layer_measures_for_itself() {
    let layer = failing_layer().adjust_every(SECOND * 2);
    let separate = layer.clone().separate();
    fail(&layer, 101).await;
    assert_eq!(layer.handle().present_quota().count(), 70);
    assert_eq!(separate.handle().present_quota(), HUNDRED);
    fail(&separate, 100).await;
    assert_eq!(separate.handle().present_quota(), HUNDRED, "the period is two seconds here too");
    fail(&separate, 3).await;
    assert_eq!(separate.handle().present_quota().count(), 70);
}

#[test]
fn who_does_not_measure_keeps_nothing_for_it() {
    type Inner = std::future::Ready<Result<(), BoxError>>;
    type Bill = (Arc<Shared>, Claim);
    let plain = size_of::<ResponseFuture<Inner, ()>>();
    assert!(plain <= size_of::<(usize, Inner, Bill)>(), "{plain} bytes");
    assert_eq!(size_of::<PriorityRateLimitLayer>(), size_of::<Arc<Shared>>());
}

fn failing_layer() -> PriorityRateLimitLayer<(), (), crate::Refuse, (), Measured> {
    PriorityRateLimitLayer::new(HUNDRED).adjust(Limits::new().errors(TENTH))
}

/// Fifty calls a second that fail.
async fn fail(layer: &PriorityRateLimitLayer<(), (), crate::Refuse, (), Measured>, calls: u32) {
    let service = layer.layer(service_fn(|(): ()| std::future::ready(outcome(1))));
    for _ in 0..calls {
        tokio::time::advance(SECOND / 50).await;
        let _ = service.clone().oneshot(()).await;
    }
}

async fn wait_in_line<S>(service: &S, calls: u32)
where
    S: Service<(), Error = BoxError, Future: Send, Response: Send> + Clone + Send + 'static,
{
    let calls: Vec<_> = (0..calls).map(|_| tokio::spawn(service.clone().oneshot(()))).collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

/// Serves one after the other, so many in a second.
fn one_after_the_other(
    capacity: &Arc<AtomicU32>,
) -> impl Service<(), Response = (), Error = BoxError, Future: Send> + Clone + Send + 'static + use<>
{
    let (capacity, free) = (Arc::clone(capacity), Arc::new(Mutex::new(Nanos::ZERO)));
    service_fn(move |(): ()| {
        let mut free = free.lock().unwrap();
        *free = clock::now().max(*free) + SECOND / capacity.load(Relaxed);
        let done = clock::sleep_until(*free);
        async move {
            done.await;
            Ok(())
        }
    })
}

/// Offers so many calls a second for so long, and says how long those took that were not refused.
async fn offer<S>(service: &S, rate: u32, seconds: u32) -> Vec<Duration>
where
    S: Service<(), Response = (), Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..rate * seconds {
        tokio::time::sleep(SECOND / rate).await;
        let (call, began) = (service.clone().oneshot(()), clock::now());
        calls.spawn(async move {
            let outcome = call.await;
            let refused = outcome.is_err_and(|error| Rejected::find(&*error).is_some());
            (!refused).then(|| clock::now().since(began))
        });
    }
    calls.join_all().await.into_iter().flatten().collect()
}

fn watch(log: &Log) -> impl Fn(&Event<'_>) + Send + Sync + 'static + use<> {
    let log = Arc::clone(log);
    move |event| {
        if event.kind == EventKind::LimitChanged {
            let Event { reason, limit_from: from, limit_to: to, sequence, .. } = *event;
            log.lock().unwrap().push(Told { reason, from, to, sequence });
        }
    }
}

/// Each change begins where the one before ended, and none goes too far.
fn assert_whole(log: &[Told], whole: u32) {
    let mut at = whole;
    for (told, sequence) in log.iter().zip(1..) {
        assert_eq!((told.from, told.sequence), (at, sequence), "{log:?}");
        assert!(told.from != told.to && told.to >= 1);
        assert!(told.reason != Cause::Recovery.as_str() || told.to > told.from);
        at = told.to;
    }
}

fn paused<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(work)
}
