use std::{
    future::pending,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all, select_all},
};
use tower::{Service, service_fn};
use tower_ballast_core::{BoxError, Reason, Rejected, clock};
use tower_layer::Layer;

use super::*;

mod leaders;

const SECOND: Duration = Duration::from_secs(1);

type Key = fn(&u32) -> Option<u32>;
type Calls = Coalesce<Slow, Key, u32, String>;

#[tokio::test(start_paused = true)]
async fn a_thousand_equal_requests_make_one_call() {
    let (mut service, slow) = service(slow());
    let answers = join_all((0..1000).map(|_| service.call(7))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == "7 of call 1"));
    assert_eq!(slow.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn other_keys_and_none_go_their_own_way() {
    let (mut service, slow) = service(slow());
    let answers = join_all([1, 2, 100, 100].map(|request| service.call(request))).await;
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(slow.calls(), 4, "above 99 there are no keys");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_kept_after_the_answer() {
    let (mut service, slow) = service(slow());
    assert_eq!(service.call(7).await.unwrap(), "7 of call 1");
    assert_eq!(service.call(7).await.unwrap(), "7 of call 2");
    assert_eq!(slow.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_call_survives_whoever_began_it_at_every_moment() {
    for moment in 0..5 {
        let (mut service, slow) = service(slow());
        let mut first = Box::pin(service.call(7));
        let second = service.call(7);
        let leaving = async {
            tokio::select! {
                biased;
                () = tokio::time::sleep(SECOND / 4 * moment) => {}
                _ = &mut first => {}
            }
            drop(first);
        };
        let (answer, ()) = tokio::join!(second, leaving);
        assert_eq!(answer.unwrap(), "7 of call 1");
        assert_eq!(slow.calls(), 1, "left after {moment} quarters");
    }
}

#[tokio::test(start_paused = true)]
async fn the_call_is_dropped_when_nobody_waits_for_it() {
    let (mut service, slow) = service(slow());
    let both = [service.call(7), service.call(7)].map(Box::pin);
    assert!(tokio::time::timeout(SECOND / 2, select_all(both)).await.is_err());
    assert_eq!(slow.dropped.load(SeqCst), 1);
    assert_eq!(service.call(7).await.unwrap(), "7 of call 2");
}

#[tokio::test(start_paused = true)]
async fn one_of_the_others_makes_a_failed_call_again_and_no_second_one_does() {
    for (failing, calls, failed) in [(1, 2, 1), (2, 2, 1000)] {
        let (mut service, slow) = service(Slow { failing, ..slow() });
        let answers = join_all((0..1000).map(|_| service.call(7))).await;
        assert_eq!(slow.calls(), calls);
        assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), failed);
    }
}

#[tokio::test(start_paused = true)]
async fn the_others_are_told_what_failed() {
    let (mut service, _) = service(Slow { failing: 2, ..slow() });
    let answers = join_all((0..3).map(|_| service.call(7))).await;
    let told =
        answers.iter().map(|answer| answer.as_ref().unwrap_err().to_string()).collect::<Vec<_>>();
    let shared = "the call that was shared failed: call 2 failed";
    assert_eq!(told, ["call 1 failed", "call 2 failed", shared]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_to_all_at_once() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let layer = CoalesceLayer::new((|request| Some(*request)) as Key);
    let mut service = layer.layer(service_fn(move |_: u32| {
        counted.fetch_add(1, SeqCst);
        async { Err::<String, BoxError>(Rejected::new(Reason::CircuitOpen).into()) }
    }));
    let answers = join_all((0..10).map(|_| service.call(7))).await;
    assert_eq!(calls.load(SeqCst), 1);
    for answer in answers {
        let error = answer.unwrap_err();
        assert_eq!(Rejected::find(&*error).unwrap().reason(), Reason::CircuitOpen);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_stays_with_the_one_that_began_the_call() {
    let (mut service, slow) = service(Slow { panicking: 1, ..slow() });
    let mut first = AssertUnwindSafe(service.call(7)).catch_unwind().boxed();
    let mut second = service.call(7).boxed();
    let (first, second) = tokio::join!(&mut first, &mut second);
    assert!(first.is_err());
    assert_eq!(second.unwrap(), "7 of call 2");
    assert_eq!(slow.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_is_tired_of_waiting_makes_one_call_for_all_who_are() {
    let layer = CoalesceLayer::new((|request| Some(*request)) as Key).longest_wait(SECOND);
    let slow = Slow { hanging: 1, ..slow() };
    let mut service = layer.layer(slow.clone());
    let mut hanging = Box::pin(service.call(7));
    assert!((&mut hanging).now_or_never().is_none());
    let (calls, began) = (slow.calls(), clock::now());
    let answers = join_all((0..100).map(|_| service.call(7))).await;
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(slow.calls(), calls + 1);
    assert_eq!(clock::now().since(began), 2 * SECOND);
}

/// Its one setting is a duration, of which no value is absurd: who does not want to wait makes the call anew, all of them
/// together.
#[tokio::test(start_paused = true)]
async fn the_longest_wait_may_be_nothing_and_for_ever() {
    for (limit, calls) in [(Duration::ZERO, 2), (Duration::from_nanos(1), 2), (Duration::MAX, 1)] {
        let (slow, layer) =
            (slow(), CoalesceLayer::new((|request| Some(*request)) as Key).longest_wait(limit));
        let mut service = layer.layer(slow.clone());
        let answers = join_all((0..1000).map(|_| service.call(7))).await;
        assert!(answers.into_iter().all(|answer| answer.is_ok()), "{limit:?}");
        assert_eq!((slow.calls(), layer.handle().longest_wait()), (calls, limit));
    }
}

#[tokio::test(start_paused = true)]
async fn the_layer_counts_what_it_shares() {
    let layer = CoalesceLayer::new((|request| (*request < 100).then_some(*request)) as Key);
    let handle = layer.handle();
    let mut service = layer.layer(slow());
    let _ = join_all([7, 7, 8, 100].map(|request| service.call(request))).await;
    let counted = handle.statistics();
    assert_eq!((counted.led, counted.joined, counted.alone, counted.in_flight), (2, 1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn clones_share_their_calls_and_separate_layers_do_not() {
    let layer = CoalesceLayer::new((|request| Some(*request)) as Key);
    let slow = slow();
    let (mut one, mut two) = (layer.layer(slow.clone()), layer.clone().layer(slow.clone()));
    let mut other = layer.separate().layer(slow.clone());
    let _ = join_all([one.call(7), two.call(7), other.call(7)]).await;
    assert_eq!(slow.calls(), 2);
}

fn service(slow: Slow) -> (Calls, Slow) {
    let layer = CoalesceLayer::new((|request| (*request < 100).then_some(*request)) as Key);
    (layer.layer(slow.clone()), slow)
}

fn slow() -> Slow {
    Slow::default()
}

/// Answers after a second. Its first calls hang, panic or fail.
#[derive(Clone, Default)]
struct Slow {
    hanging: u32,
    panicking: u32,
    failing: u32,
    called: Arc<AtomicU32>,
    dropped: Arc<AtomicU32>,
}

impl Slow {
    fn calls(&self) -> u32 {
        self.called.load(SeqCst)
    }
}

impl Service<u32> for Slow {
    type Response = String;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<String, BoxError>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), BoxError>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> Self::Future {
        let (number, script) = (self.called.fetch_add(1, SeqCst) + 1, self.clone());
        let guard = OnDrop(Arc::clone(&self.dropped));
        async move {
            tokio::time::sleep(SECOND).await;
            std::mem::forget(guard);
            assert!(number > script.panicking, "as the test wants it");
            if number <= script.hanging {
                pending::<()>().await;
            }
            if number <= script.failing {
                return Err(format!("call {number} failed").into());
            }
            Ok(format!("{request} of call {number}"))
        }
        .boxed()
    }
}

struct OnDrop(Arc<AtomicU32>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}
