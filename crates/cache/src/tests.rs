use std::{
    collections::HashMap,
    future::{pending, ready},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use tower::{Service, service_fn};
use tower_ballast_core::{BoxError, Key, Multiplier, Ratio, Reason, Rejected, Verdict, clock};
use tower_layer::Layer;

use super::{store::Capacity, *};

mod broken_tier;
mod leaders;
mod settings;
mod vain;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

type KeyOf = fn(&u32) -> Option<u32>;
type CacheOf = CacheLayer<KeyOf, u32, String>;

#[tokio::test(start_paused = true)]
async fn what_was_asked_is_answered_from_the_cache_until_it_is_too_old() {
    let slow = Slow::default();
    let mut service = layer().layer(slow.clone());
    assert_eq!(service.call(7).await.unwrap(), "7 of call 1");
    pass(59 * SECOND).await;
    assert_eq!(service.call(7).now_or_never().unwrap().unwrap(), "7 of call 1");
    pass(SECOND).await;
    assert_eq!(service.call(7).await.unwrap(), "7 of call 2");
    assert_eq!(slow.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_misses_of_one_key_make_one_call() {
    let slow = Slow::default();
    let mut service = layer().layer(slow.clone());
    let answers = join_all((0..1000).map(|_| service.call(7))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == "7 of call 1"));
    assert_eq!(slow.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_call_survives_whoever_began_it_at_every_moment() {
    for moment in 0..5 {
        let slow = Slow::default();
        let mut service = layer().layer(slow.clone());
        let mut first = Box::pin(service.call(7));
        let others = join_all((0..10).map(|_| service.call(7)));
        let leaving = async {
            let _ = tokio::time::timeout(SECOND / 4 * moment, &mut first).await;
            drop(first);
        };
        let (answers, ()) = tokio::join!(others, leaving);
        assert!(answers.into_iter().all(|answer| answer.unwrap() == "7 of call 1"));
        assert_eq!(slow.calls(), 1, "left after {moment} quarters");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_is_made_once_more_and_no_third_time() {
    for (failing, calls, failed) in [(1, 2, 1), (2, 2, 1000)] {
        let slow = Slow { failing, ..Slow::default() };
        let mut service = layer().layer(slow.clone());
        let answers = join_all((0..1000).map(|_| service.call(7))).await;
        assert_eq!(slow.calls(), calls);
        assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), failed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_stays_with_the_one_that_began_the_call() {
    let slow = Slow { panicking: 1, ..Slow::default() };
    let mut service = layer().layer(slow.clone());
    let first = std::panic::AssertUnwindSafe(service.call(7)).catch_unwind();
    let (first, second) = tokio::join!(first, service.call(7));
    assert!(first.is_err());
    assert_eq!(second.unwrap(), "7 of call 2");
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_in_a_row_for_answers_that_are_for_one_alone() {
    let slow = Slow::default();
    let layer = layer().lifetime_of(|_, _| None);
    let (mut service, handle) = (layer.layer(slow.clone()), layer.handle());
    let began = clock::now();
    let answers = join_all((0..100).map(|_| service.call(7))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(
        (slow.calls(), clock::now().since(began)),
        (100, 2 * SECOND),
        "they wait for the first, once"
    );
    let _ = join_all((0..100).map(|_| service.call(7))).await;
    assert_eq!(
        (slow.calls(), clock::now().since(began)),
        (200, 3 * SECOND),
        "and that is remembered"
    );
    assert_eq!(handle.statistics().passed, 199);
    assert_eq!(handle.get(&7), None);
}

#[tokio::test(start_paused = true)]
async fn a_purge_while_an_answer_is_on_its_way_never_brings_the_old_one_back() {
    type Purge = fn(&CacheHandle<u32, String>);
    let purges: [Purge; 4] = [
        |handle| assert!(!handle.invalidate(&7)),
        |handle| handle.invalidate_if(|key| *key == 7),
        |handle| handle.invalidate_tag(Key::of("odd")),
        CacheHandle::clear,
    ];
    for purge in purges {
        let slow = Slow::default();
        let layer = layer()
            .tags(|key, _, tags| tags.push(Key::of(if key % 2 == 1 { "odd" } else { "even" })));
        let (mut service, handle) = (layer.layer(slow.clone()), layer.handle());
        let mut before = Box::pin(service.call(7));
        assert!((&mut before).now_or_never().is_none());
        purge(&handle);
        let (before, after) = tokio::join!(before, service.call(7));
        assert_eq!(before.unwrap(), "7 of call 1");
        assert_eq!(after.unwrap(), "7 of call 2", "who comes after the purge does not join");
        assert_eq!(service.call(7).await.unwrap(), "7 of call 2");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_set_by_hand_stays_though_an_older_answer_comes() {
    let slow = Slow::default();
    let layer = layer();
    let (mut service, handle) = (layer.layer(slow.clone()), layer.handle());
    let mut before = Box::pin(service.call(7));
    assert!((&mut before).now_or_never().is_none());
    assert!(handle.set(7, "by hand".into(), SECOND * 5));
    assert_eq!(before.await.unwrap(), "7 of call 1");
    assert_eq!(service.call(7).await.unwrap(), "by hand");
    assert!(!handle.is_expired(&7));
    pass(SECOND * 5).await;
    assert!(handle.is_expired(&7));
}

#[tokio::test(start_paused = true)]
async fn keys_tags_and_prefixes_take_away_theirs_and_nothing_else() {
    let layer = CacheLayer::new(MINUTE, |path: &String| Some(path.clone()))
        .tags(|_, length: &usize, tags| tags.push(Key::of(length)));
    let handle = layer.handle();
    let mut service =
        layer.layer(service_fn(|path: String| async move { Ok::<_, BoxError>(path.len()) }));
    let paths = ["/a", "/b", "/img/1", "/img/2"];
    let kept = || paths.map(|path| handle.get(&path.to_owned()).is_some());
    for path in paths {
        service.call(path.to_owned()).await.unwrap();
    }
    handle.invalidate(&"/a".to_owned());
    assert_eq!(kept(), [false, true, true, true]);
    handle.invalidate_prefix("/img/");
    assert_eq!(kept(), [false, true, false, false]);
    service.call("/img/3".to_owned()).await.unwrap();
    handle.invalidate_tag(Key::of(&2_usize));
    assert_eq!(kept(), [false; 4]);
    assert!(handle.get(&"/img/3".to_owned()).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_is_served_at_once_and_renewed_by_one_call() {
    let slow = Slow::default();
    let layer = layer().stale_while_revalidate(MINUTE);
    let (mut service, handle) = (layer.layer(slow.clone()), layer.handle());
    service.call(7).await.unwrap();
    pass(MINUTE).await;
    for _ in 0..100 {
        assert_eq!(service.call(7).now_or_never().unwrap().unwrap(), "7 of call 1");
    }
    pass(2 * SECOND).await;
    assert_eq!(service.call(7).now_or_never().unwrap().unwrap(), "7 of call 2");
    let counted = handle.statistics();
    assert_eq!((slow.calls(), counted.stale, counted.refreshed), (2, 100, 1));
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_stands_in_for_a_failure_as_long_as_it_may() {
    let slow = Slow { good: 1, ..Slow::default() };
    let layer = layer().stale_if_error(MINUTE);
    let (mut service, handle) = (layer.layer(slow.clone()), layer.handle());
    service.call(7).await.unwrap();
    pass(MINUTE).await;
    let answers = join_all((0..10).map(|_| service.call(7))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == "7 of call 1"));
    assert_eq!((slow.calls(), handle.statistics().spared), (2, 1));
    pass(59 * SECOND).await;
    assert!(service.call(7).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_remembered_as_long_as_it_is_said_and_a_refusal_is_not() {
    let slow = Slow { failing: 1, ..Slow::default() };
    let layer = layer().negative(10 * SECOND);
    let mut service = layer.layer(slow.clone());
    assert!(service.call(7).await.is_err());
    let told = service.call(7).now_or_never().unwrap().unwrap_err().to_string();
    assert_eq!(told, "the call that was shared failed: call 1 failed");
    pass(10 * SECOND).await;
    assert!(service.call(7).await.is_ok());

    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let mut service = layer.layer(service_fn(move |_: u32| {
        counted.fetch_add(1, SeqCst);
        async { Err::<String, BoxError>(Rejected::new(Reason::CircuitOpen).into()) }
    }));
    for _ in 0..2 {
        assert!(service.call(8).await.is_err());
    }
    assert_eq!(calls.load(SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_success_is_given_to_all_and_not_kept() {
    let slow = Slow::default();
    let layer = layer().classify(|outcome: Result<&String, &BoxError>| match outcome {
        Ok(answer) if answer.ends_with("call 1") => Verdict::transient(),
        Ok(_) => Verdict::Success,
        Err(_) => Verdict::transient(),
    });
    let mut service = layer.layer(slow.clone());
    let answers = join_all((0..10).map(|_| service.call(7))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == "7 of call 1"));
    assert_eq!(service.call(7).await.unwrap(), "7 of call 2");
}

#[tokio::test(start_paused = true)]
async fn hits_are_served_while_the_service_is_not_ready() {
    let layer = layer();
    layer.handle().set(7, "kept".into(), MINUTE);
    let mut service = layer.layer(NeverReady);
    std::future::poll_fn(|cx| service.poll_ready(cx)).await.unwrap();
    assert_eq!(service.call(7).await.unwrap(), "kept");
    assert!(service.call(8).now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn lifetimes_are_shortened_by_up_to_the_spread() {
    let layer = layer().spread(Ratio::percent::<10>()).seed(1).capacity(Capacity::of_entries(1000));
    let (mut service, handle) = (layer.layer(Slow::default()), layer.handle());
    let _ = join_all((0..500).map(|key| service.call(key))).await;
    let fresh = || (0..500).filter(|key| !handle.is_expired(key)).count();
    pass(Duration::from_millis(53_999)).await;
    assert_eq!(fresh(), 500);
    pass(MINUTE / 20).await;
    assert!((200..300).contains(&fresh()), "{}", fresh());
    pass(MINUTE / 20 + Duration::from_millis(1)).await;
    assert_eq!(fresh(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_asks_for_is_gone_and_what_is_asked_for_stays() {
    let layer = layer().idle(10 * SECOND);
    let mut service = layer.layer(Slow::default());
    for key in [1, 2] {
        service.call(key).await.unwrap();
    }
    for _ in 0..4 {
        pass(5 * SECOND).await;
        assert!(service.call(1).now_or_never().is_some());
    }
    assert!(service.call(2).now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_renewed_before_its_end_when_that_takes_long() {
    let slow = Slow::default();
    let layer = layer().early(Multiplier::of::<10, 1>()).seed(3);
    let mut service = layer.layer(slow.clone());
    service.call(7).await.unwrap();
    for _ in 0..58 {
        pass(SECOND).await;
        assert!(service.call(7).now_or_never().is_some());
    }
    assert!(slow.calls() > 1);
}

#[tokio::test(start_paused = true)]
async fn who_is_tired_of_waiting_makes_one_call_for_all_who_are() {
    let slow = Slow { hanging: 1, ..Slow::default() };
    let mut service = layer().longest_wait(5 * SECOND).layer(slow.clone());
    let mut hanging = Box::pin(service.call(7));
    assert!((&mut hanging).now_or_never().is_none());
    let answers = join_all((0..100).map(|_| service.call(7))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap() == "7 of call 2"));
}

#[tokio::test(start_paused = true)]
async fn no_more_is_kept_than_there_is_room_for() {
    let layer = layer().capacity(Capacity::mebibytes(1)).size(|_, answer| answer.len() + 1000);
    let (mut service, handle) = (layer.layer(Slow::default()), layer.handle());
    let _ = join_all((0..5000).map(|key| service.call(key))).await;
    let usage = handle.statistics().usage;
    assert!(usage.bytes <= 1024 * 1024 && usage.entries > 800, "{usage:?}");
    handle.set_capacity(Capacity::of_entries(10));
    assert!(handle.statistics().usage.entries <= 10);
}

#[tokio::test(start_paused = true)]
async fn requests_without_a_key_go_through() {
    let slow = Slow::default();
    let layer = CacheLayer::new(MINUTE, (|_| None) as KeyOf);
    let mut service = layer.layer(slow.clone());
    for _ in 0..2 {
        service.call(7).await.unwrap();
    }
    assert_eq!((slow.calls(), layer.handle().statistics().bypassed), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn clones_share_what_is_kept() {
    let (slow, layer) = (Slow::default(), layer());
    layer.layer(slow.clone()).call(7).await.unwrap();
    layer.clone().layer(slow.clone()).call(7).await.unwrap();
    assert_eq!(slow.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_without_end_and_a_year_at_once_are_no_trouble() {
    let slow = Slow::default();
    let layer = CacheLayer::new(Duration::MAX, (|key| Some(*key)) as KeyOf);
    let mut service = layer.layer(slow.clone());
    service.call(7).await.unwrap();
    pass(365 * 24 * 60 * MINUTE).await;
    assert!(service.call(7).now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn what_one_process_has_fetched_the_other_finds_in_the_second_tier() {
    let (tier, slow) = (InMemory::default(), Slow::default());
    let one = layer().tier(tier.clone());
    one.layer(slow.clone()).call(7).await.unwrap();
    pass(SECOND).await;
    let other = layer().tier(tier);
    let mut service = other.layer(slow.clone());
    assert_eq!(service.call(7).await.unwrap(), "7 of call 1");
    assert_eq!(service.call(7).now_or_never().unwrap().unwrap(), "7 of call 1");
    // Wall time is read to a microsecond or so.
    pass(59 * SECOND + Duration::from_millis(1)).await;
    assert_eq!(service.call(7).await.unwrap(), "7 of call 2", "and no longer than that one");
}

#[tokio::test(start_paused = true)]
async fn a_tier_that_hangs_costs_its_limit_and_nothing_else() {
    let slow = Slow::default();
    let layer = layer().tier(Hangs).tier_limit(Duration::from_millis(50));
    let (mut service, began) = (layer.layer(slow.clone()), clock::now());
    let answers = join_all((0..100).map(|key| service.call(key))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(clock::now().since(began), SECOND + Duration::from_millis(50));
    assert!(service.call(7).now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_purge_holds_for_a_tier_that_does_not_hear_of_it() {
    let slow = Slow::default();
    let layer = layer().tier(InMemory { deaf: true, ..InMemory::default() });
    let (mut service, handle) = (layer.layer(slow.clone()), layer.handle());
    let purges: [fn(&CacheHandle<u32, String>); 2] =
        [|handle| assert!(handle.invalidate(&7)), CacheHandle::clear];
    for (number, purge) in purges.into_iter().enumerate() {
        service.call(7).await.unwrap();
        pass(Duration::from_millis(5)).await;
        purge(&handle);
        let expected = format!("7 of call {}", number + 2);
        assert_eq!(service.call(7).await.unwrap(), expected);
    }
}

/// A tier that is there for all, and perhaps removes nothing.
#[derive(Clone, Default)]
struct InMemory {
    kept: Arc<Mutex<HashMap<u32, Tiered<String>>>>,
    deaf: bool,
}

impl Tier<u32, String> for InMemory {
    fn get(&self, key: &u32) -> TierFuture<Option<Tiered<String>>> {
        ready(self.kept.lock().unwrap().get(key).cloned()).boxed()
    }

    fn put(&self, key: &u32, tiered: Tiered<String>) -> TierFuture<()> {
        self.kept.lock().unwrap().insert(*key, tiered);
        ready(()).boxed()
    }

    fn remove(&self, key: &u32) -> TierFuture<()> {
        if !self.deaf {
            self.kept.lock().unwrap().remove(key);
        }
        ready(()).boxed()
    }
}

struct Hangs;

impl Tier<u32, String> for Hangs {
    fn get(&self, _: &u32) -> TierFuture<Option<Tiered<String>>> {
        pending().boxed()
    }

    fn put(&self, _: &u32, _: Tiered<String>) -> TierFuture<()> {
        pending().boxed()
    }

    fn remove(&self, _: &u32) -> TierFuture<()> {
        pending().boxed()
    }
}

fn layer() -> CacheOf {
    CacheLayer::new(MINUTE, (|key| Some(*key)) as KeyOf).spread(Ratio::ZERO)
}

async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Answers after a second. Its first calls hang, panic or fail, or only those are good.
#[derive(Clone)]
struct Slow {
    hanging: u32,
    panicking: u32,
    failing: u32,
    good: u32,
    called: Arc<AtomicU32>,
}

impl Default for Slow {
    fn default() -> Self {
        Self { hanging: 0, panicking: 0, failing: 0, good: u32::MAX, called: Arc::default() }
    }
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

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> Self::Future {
        let (number, script) = (self.called.fetch_add(1, SeqCst) + 1, self.clone());
        async move {
            tokio::time::sleep(SECOND).await;
            assert!(number > script.panicking, "as the test wants it");
            if number <= script.hanging {
                pending::<()>().await;
            }
            if number <= script.failing || number > script.good {
                return Err(format!("call {number} failed").into());
            }
            Ok(format!("{request} of call {number}"))
        }
        .boxed()
    }
}

#[derive(Clone)]
struct NeverReady;

impl Service<u32> for NeverReady {
    type Response = String;
    type Error = BoxError;
    type Future = std::future::Pending<Result<String, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Pending
    }

    fn call(&mut self, _: u32) -> Self::Future {
        pending()
    }
}
