use std::{
    future::Future,
    pin::Pin,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use proptest::prelude::*;
use tokio::{sync::oneshot, time::advance};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_ballast_core::{BoxError, Event, Random, Reason, Rejected};

use super::*;
use crate::{
    BulkheadLayer, Queue, Refuse,
    adaptive::{AdaptiveLayer, Change, Limiter, Sample},
};

type Kind = &'static str;
type Layered<M> =
    BulkheadLayer<(), M, tower_ballast_core::UntilResponse, Partitions<fn(&Kind) -> &str>>;
type Call = Pin<Box<dyn Future<Output = Result<(), BoxError>>>>;

fn kinds() -> Partitions<fn(&Kind) -> &str> {
    let kind: fn(&Kind) -> &str = |kind| kind;
    Partitions::new(kind)
        .share("live", Ratio::percent::<80>())
        .share("batch", Ratio::percent::<20>())
}

fn refusing(limit: u32) -> Layered<Refuse> {
    BulkheadLayer::new(limit).partitions(kinds())
}

fn queueing(limit: u32) -> Layered<Queue> {
    BulkheadLayer::new(limit).partitions(kinds()).queue(1000).longest_wait(Duration::MAX)
}

/// A call that runs or waits until it is dropped; or the reason why not.
fn start<L>(layer: &L, kind: Kind) -> Result<Call, Reason>
where
    L: Layer<Hang>,
    L::Service: Service<Kind, Response = (), Error = BoxError> + 'static,
{
    let mut call: Call = Box::pin(layer.layer(Hang).oneshot(kind));
    match poll(&mut call) {
        Poll::Pending => Ok(call),
        Poll::Ready(outcome) => Err(Rejected::find(&*outcome.unwrap_err()).unwrap().reason()),
    }
}

fn poll(call: &mut Call) -> Poll<Result<(), BoxError>> {
    call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[derive(Debug, Clone)]
struct Hang;

impl Service<Kind> for Hang {
    type Response = ();
    type Error = BoxError;
    type Future = std::future::Pending<Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Kind) -> Self::Future {
        std::future::pending()
    }
}

fn in_flight<M>(layer: &Layered<M>) -> (u32, u32) {
    let of = |kind| layer.handle().partition(kind).unwrap().in_flight();
    (of("live"), of("batch"))
}

#[tokio::test(start_paused = true)]
async fn without_a_queue_a_share_is_lent_and_kept_for_whoever_was_refused() {
    let layer = refusing(10);
    let mut batch: Vec<Call> = (0..10).map(|_| start(&layer, "batch").unwrap()).collect();
    assert_eq!(start(&layer, "batch").err(), Some(Reason::BulkheadFull));
    assert_eq!(start(&layer, "live").err(), Some(Reason::BulkheadFull));
    let mut live = Vec::new();
    for _ in 0..8 {
        batch.pop();
        assert_eq!(start(&layer, "batch").err(), Some(Reason::BulkheadFull));
        live.push(start(&layer, "live").unwrap());
    }
    assert_eq!((in_flight(&layer), layer.handle().in_flight()), ((8, 2), 10));
    assert_eq!(layer.handle().statistics().full, 10);

    live.clear();
    assert_eq!(start(&layer, "batch").err(), Some(Reason::BulkheadFull), "it is kept");
    advance(Duration::from_secs(2)).await;
    assert!(start(&layer, "batch").is_ok(), "and not for ever");
}

#[tokio::test(start_paused = true)]
async fn with_a_queue_who_is_below_its_share_goes_first() {
    let layer = queueing(10);
    let mut calls: Vec<Call> = (0..12).map(|_| start(&layer, "batch").unwrap()).collect();
    calls.extend((0..9).map(|_| start(&layer, "live").unwrap()));
    assert_eq!((in_flight(&layer), layer.handle().waiting()), ((0, 10), 11));
    for live in 1..=8 {
        drop(calls.remove(0));
        assert!(calls.iter_mut().all(|call| poll(call).is_pending()));
        assert_eq!(in_flight(&layer), (live, 10 - live));
    }
    // Both have their shares now, and whoever leaves makes room for its own.
    drop(calls.remove(0));
    assert!(calls.iter_mut().all(|call| poll(call).is_pending()));
    assert_eq!(in_flight(&layer), (8, 2));
    // Live requests end and none follow: what they leave is lent.
    calls.truncate(3);
    assert!(calls.iter_mut().all(|call| poll(call).is_pending()));
    assert_eq!((in_flight(&layer), layer.handle().waiting()), ((0, 3), 0));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_name_has_what_the_shares_leave() {
    let kind: fn(&Kind) -> &str = |kind| kind;
    let partitions = Partitions::new(kind).share("live", Ratio::percent::<50>());
    let layer = BulkheadLayer::new(4).partitions(partitions);
    let _live = [start(&layer, "live").unwrap(), start(&layer, "live").unwrap()];
    let _rest = [start(&layer, "this").unwrap(), start(&layer, "that").unwrap()];
    assert!(start(&layer, "that").is_err() && start(&layer, "live").is_err());
    assert!(layer.handle().partition("this").is_none());
}

#[tokio::test(start_paused = true)]
async fn the_limit_changes_live_and_the_shares_with_it() {
    let layer = queueing(10);
    let handle = layer.handle();
    let limits = || ["live", "batch"].map(|kind| handle.partition(kind).unwrap().limit());
    assert_eq!(limits(), [8, 2]);
    handle.set_limit(20);
    assert_eq!((handle.limit(), limits()), (20, [16, 4]));
    let mut calls: Vec<Call> = (0..30).map(|_| start(&layer, "batch").unwrap()).collect();
    assert_eq!((handle.in_flight(), handle.waiting()), (20, 10));
    handle.set_limit(5);
    calls.drain(..10);
    assert_eq!((handle.in_flight(), handle.waiting()), (10, 10));
    calls.drain(..6);
    assert!(calls.iter_mut().all(|call| poll(call).is_pending()));
    assert_eq!((handle.in_flight(), handle.waiting()), (5, 9));
    handle.partition("batch").unwrap().set_limit(100);
    assert_eq!(handle.limit(), 5);
    calls.clear();
    handle.close();
    handle.drained().await;
    assert_eq!(start(&layer, "live").err(), Some(Reason::BulkheadFull));
    handle.open();
    assert!(start(&layer, "live").is_ok());
}

#[derive(Debug)]
struct OneMore(u32);

impl Limiter for OneMore {
    fn initial(&self) -> u32 {
        self.0
    }

    fn sample(&mut self, _: Sample) -> Option<Change> {
        self.0 += 1;
        Some(Change::new(self.0, "more"))
    }
}

#[tokio::test(start_paused = true)]
async fn an_adaptive_limit_is_divided_as_well() {
    let layer = refusing(0);
    let adaptive = AdaptiveLayer::new(&layer, OneMore(5));
    let handle = layer.handle();
    assert_eq!(handle.partition("live").unwrap().limit(), 4);
    let service = layer
        .layer(adaptive.layer(service_fn(|_: Kind| std::future::ready(Ok::<_, BoxError>(())))));
    for _ in 0..5 {
        service.clone().oneshot("batch").await.unwrap();
    }
    assert_eq!((handle.limit(), handle.in_flight()), (10, 0));
    assert_eq!(handle.partition("live").unwrap().limit(), 8);
}

#[tokio::test(start_paused = true)]
async fn settings_reach_all_parts_whenever_they_are_made_and_names_and_observers_too() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let layer = queueing(0)
        .queue(1)
        .longest_wait(Duration::from_secs(3))
        .name("jobs")
        .on_event(move |event: &Event<'_>| log.lock().unwrap().push(event.to_string()));
    for layer in [layer.clone(), layer.clone().fork()] {
        let _waiting = [start(&layer, "live").unwrap(), start(&layer, "batch").unwrap()];
        assert_eq!(start(&layer, "live").err(), Some(Reason::QueueFull));
    }
    let refused = "jobs refused reason=queue_full".to_owned();
    assert_eq!(*told.lock().unwrap(), [refused.clone(), refused]);
    let separate = layer.separate();
    separate.handle().set_limit(10);
    assert_eq!(separate.handle().partition("live").unwrap().limit(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_closure_breaks_nothing() {
    let kind: fn(&Kind) -> &str =
        |kind| if *kind == "bad" { panic!("in the closure") } else { kind };
    let partitions = Partitions::new(kind).share("live", Ratio::percent::<50>());
    let layer = BulkheadLayer::new(1).partitions(partitions);
    let attempt = std::panic::AssertUnwindSafe(|| start(&layer, "bad").map(drop));
    std::panic::catch_unwind(attempt).unwrap_err();
    assert_eq!(layer.handle().in_flight(), 0);
    assert!(start(&layer, "live").is_ok());
}

/// Two threads whose calls wait for each other's permits; a lost wake-up hangs it.
#[test]
fn no_wake_up_is_lost_between_two_threads() {
    let layer = queueing(3);
    let inside = Arc::new(AtomicU32::new(0));
    let within = Arc::clone(&inside);
    let service = layer.layer(service_fn(move |_: Kind| {
        let inside = Arc::clone(&within);
        async move {
            assert!(inside.fetch_add(1, SeqCst) < 3);
            tokio::task::yield_now().await;
            inside.fetch_sub(1, SeqCst);
            Ok::<_, BoxError>(())
        }
    }));
    std::thread::scope(|scope| {
        for seed in 0..2 {
            let service = service.clone();
            scope.spawn(move || {
                let random = Random::seeded(seed);
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                runtime.enable_time().build().unwrap().block_on(async {
                    for _ in 0..1000 {
                        let kinds = ["live", "batch", "other"];
                        let call = || {
                            let kind = kinds[usize::try_from(random.below(3)).unwrap()];
                            service.clone().oneshot(kind)
                        };
                        let (one, two, three) = tokio::join!(call(), call(), call());
                        assert!(one.is_ok() && two.is_ok() && three.is_ok());
                    }
                });
            });
        }
    });
    assert_eq!((layer.handle().in_flight(), layer.handle().waiting()), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    /// Held against counts: of callers that come and go at random, never more than the limit is
    /// inside, and when all have gone each partition has its share.
    #[test]
    fn random_callers_and_limits_leave_nothing(
        steps in prop::collection::vec((0..6_u8, any::<prop::sample::Index>(), 0..8_u32), 0..100),
        queue: bool,
    ) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time().start_paused(true).build().unwrap().block_on(async {
            let layer = queueing(4).queue(if queue { 100 } else { 0 });
            let (mut most, mut calls): (u32, Vec<Call>) = (4, Vec::new());
            for (step, index, number) in steps {
                match step {
                    0..3 => calls.extend(start(&layer, ["live", "batch", "x"][usize::from(step)])),
                    3 | 4 if !calls.is_empty() => drop(calls.swap_remove(index.index(calls.len()))),
                    5 => {
                        layer.handle().set_limit(number);
                        most = number.max(layer.handle().in_flight());
                    }
                    _ => {}
                }
                calls.retain_mut(|call| poll(call).is_pending());
                let inside = layer.handle().in_flight();
                assert!(inside <= most, "{inside} inside of {most}");
                most = inside.max(layer.handle().limit());
                advance(Duration::from_millis(10)).await;
            }
            calls.clear();
            advance(Duration::from_secs(10)).await;
            layer.handle().set_limit(10);
            assert_eq!((layer.handle().in_flight(), layer.handle().waiting()), (0, 0));
            drop(start(&layer, "batch"));
            drop(start(&layer, "live"));
            let held: Vec<_> = (0..10).map(|_| start(&layer, "live").unwrap()).collect();
            assert_eq!(held.len(), 10);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_woken_when_another_part_has_room_to_lend() {
    let layer = queueing(2);
    let running = [start(&layer, "live").unwrap(), start(&layer, "live").unwrap()];
    let (done, ended) = oneshot::channel();
    let waiting = layer.layer(service_fn(|_: Kind| std::future::ready(Ok::<_, BoxError>(()))));
    let call: Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>> =
        Box::pin(waiting.oneshot("other"));
    tokio::spawn(async move {
        call.await.unwrap();
        done.send(()).unwrap();
    });
    tokio::task::yield_now().await;
    assert_eq!(layer.handle().waiting(), 1);
    drop(running);
    ended.await.unwrap();
}

#[test]
fn limits_set_at_the_same_time_leave_parts_that_fit_the_whole() {
    let layer = BulkheadLayer::new(8)
        .partitions(Partitions::new(|_: &u32| "half").share("half", Ratio::percent::<50>()));
    let handle = layer.handle();
    for _ in 0..1000 {
        std::thread::scope(|scope| {
            for limit in [10, 20] {
                let handle = &handle;
                scope.spawn(move || handle.set_limit(limit));
            }
        });
        assert_eq!(handle.partition("half").unwrap().limit() * 2, handle.limit());
    }
}
