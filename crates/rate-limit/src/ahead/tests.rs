use std::{
    collections::HashMap,
    num::NonZeroU32,
    task::{Context, Poll, Waker},
    time::Duration,
};

use proptest::prelude::*;
use tower::{Layer, Service, ServiceExt};
use tower_ballast_core::{BoxError, Enforcement, Key, Priority, Standings, clock, count, facts};
use tower_ballast_test::{Readiness, Scripted};

use super::*;
use crate::{
    KeyLimit, Keys, PriorityRateLimitLayer, Quota, Refuse, Settlement, door::Joined, tier::Whose,
};

type Response = std::pin::Pin<Box<dyn Future<Output = Result<u32, BoxError>> + Send>>;

const START: Nanos = Nanos::from_nanos(60_000_000_000);
const SECOND: Duration = Duration::from_secs(1);

/// Ten a second, a burst of six.
const LIMIT: Quota = Quota::per_second(count::<10>()).burst(count::<6>());
const INTERVAL: u64 = 100_000_000;
const BURST: u64 = 6;

fn quota(count: u32, burst: u32) -> Quota {
    let whole = |number| NonZeroU32::new(number).unwrap();
    Quota::per_second(whole(count)).burst(whole(burst))
}

/// So long after the one before, somebody asks for so much, of nobody's share or of a key's.
#[derive(Debug, Clone, Copy)]
struct Ask {
    pause: u64,
    key: Option<u32>,
    cost: u32,
}

fn asks(longest_pause: u64) -> impl Strategy<Value = Vec<Ask>> {
    let ask = (0..=longest_pause, prop::option::weighted(0.7, 0..4_u32), 1..=2_u32)
        .prop_map(|(pause, key, cost)| Ask { pause, key, cost });
    prop::collection::vec(ask, 1..250)
}

fn sharing(share: Quota) -> Shared {
    let shared = Shared::new(Algorithm::Gcra, LIMIT);
    shared.levels.add(KeyLimit::new(1000, share).guaranteed());
    shared
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    claim: Claim,
    passed: bool,
    /// Its key has so much left of its share.
    is_own: bool,
}

/// Asks, and when it is refused is told when to come back, if it `is_told`.
fn ask(shared: &Shared, now: Nanos, ask: Ask, is_told: bool) -> Asked {
    let mut claim = Claim::new(now, ask.cost);
    claim.set(0, Whose::from(ask.key.map(|key| Key::of(&key))));
    let client = ask.key.filter(|_| is_told).map(|key| Key::of(&key));
    let rank = Rank { client, cost: ask.cost, ..Rank::default() };
    let refused = shared.take(&mut claim).err();
    let is_own = claim.whose(0).is_some();
    let passed = match refused {
        None => {
            shared.passed(|| client, now);
            true
        }
        Some(refused) => {
            let passed = shared.passes_ahead(&rank, &mut claim, refused);
            if !passed {
                let _ = shared.limited(&rank, &claim, refused);
            }
            passed
        }
    };
    Asked { claim, passed, is_own }
}

/// The most plain way to keep it: three kinds of moments up to which something is used.
#[derive(Debug, Default)]
struct Model {
    limit: u64,
    ahead: u64,
    shares: HashMap<u32, u64>,
}

fn fits(used: u64, now: u64, interval: u64, burst: u64, cost: u64) -> Option<u64> {
    let next = used.max(now) + interval * cost;
    (next <= now + interval * burst).then_some(next)
}

impl Model {
    /// Whether it passes, within its share, and ahead of the limit.
    fn ask(&mut self, now: Nanos, ask: Ask, share: (u64, u64)) -> [bool; 3] {
        let (now, cost) = (now.as_nanos(), u64::from(ask.cost));
        let share = ask.key.and_then(|key| {
            let used = self.shares.get(&key).copied().unwrap_or(0);
            Some((key, fits(used, now, share.0, share.1, cost)?))
        });
        let limit = fits(self.limit, now, INTERVAL, BURST, cost);
        let ahead = share.and(fits(self.ahead, now, INTERVAL, BURST, cost));
        let passes = limit.is_some() || ahead.is_some();
        if passes {
            self.limit = self.limit.max(now) + INTERVAL * cost;
            if let Some((key, used)) = share {
                self.shares.insert(key, used);
            }
        }
        if let (None, Some(used)) = (limit, ahead) {
            self.ahead = used;
        }
        [passes, share.is_some(), limit.is_none() && ahead.is_some()]
    }

    fn give_back(&mut self, ask: Ask, [_, is_own, is_ahead]: [bool; 3], interval: u64) {
        let cost = u64::from(ask.cost);
        self.limit = self.limit.saturating_sub(INTERVAL * cost);
        if is_ahead {
            self.ahead = self.ahead.saturating_sub(INTERVAL * cost);
        }
        if let Some(used) = ask.key.filter(|_| is_own).and_then(|key| self.shares.get_mut(&key)) {
            *used = used.saturating_sub(interval * cost);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn it_is_a_plain_model(
        asks in asks(200_000_000),
        share in (1..=5_u32, 1..=4_u32),
        given_back in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let (share, used) = (quota(share.0, share.1), (u64::from(share.0), u64::from(share.1)));
        let interval = 1_000_000_000_u64.div_ceil(used.0);
        let (shared, mut model, mut now) = (sharing(share), Model::default(), START);
        for (n, step) in asks.iter().enumerate() {
            now = now + Duration::from_nanos(step.pause);
            let asked = ask(&shared, now, *step, false);
            let expected = model.ask(now, *step, (interval, used.1));
            let found = [asked.passed, asked.is_own, asked.claim.ahead];
            prop_assert_eq!(found, expected, "step {} of {:?}", n, asks);
            if asked.passed && given_back.iter().any(|index| index.index(asks.len()) == n) {
                shared.give_back(&asked.claim);
                model.give_back(*step, expected, interval);
            }
        }
    }

    #[test]
    fn in_any_time_no_more_passes_than_the_rate_and_twice_the_burst(
        asks in asks(120_000_000),
        share in (1..=50_u32, 1..=20_u32),
        is_told in any::<bool>(),
    ) {
        let (shared, mut now) = (sharing(quota(share.0, share.1)), START);
        let mut passed: Vec<(u64, u64)> = Vec::new();
        for step in asks {
            now = now + Duration::from_nanos(step.pause);
            if ask(&shared, now, step, is_told).passed {
                passed.push((now.as_nanos(), step.cost.into()));
            }
        }
        for (n, (from, _)) in passed.iter().enumerate() {
            let mut sum = 0;
            for (until, cost) in &passed[n..] {
                sum += cost * INTERVAL;
                prop_assert!(sum <= until - from + 2 * BURST * INTERVAL, "{:?}", passed);
            }
        }
    }

    #[test]
    fn a_share_is_kept_while_shares_sum_to_the_limit(
        asks in asks(60_000_000),
        others_wait in any::<bool>(),
        is_told in any::<bool>(),
    ) {
        // Four keys: a quarter of the rate each, and of the burst, or half of that where moments are promised too.
        let (burst, cost) = if is_told { (count::<3>(), 2) } else { (count::<6>(), 1) };
        let share = Quota::per(Duration::from_secs(2), count::<5>());
        let limit = LIMIT.burst(NonZeroU32::new(burst.get() * 4 * cost).unwrap());
        let shared = Shared::new(Algorithm::Gcra, limit);
        shared.levels.add(KeyLimit::new(1000, share.burst(burst)).guaranteed());
        if others_wait {
            while shared.door.try_pass(START, 1).is_ok() {}
            let joined = shared.door.join(Rank { cost: 1, ..Rank::default() }, START, |_, _| true);
            assert!(matches!(joined, Joined::Waits(_)), "and never looks");
        }
        let mut now = START;
        for step in asks {
            now = now + Duration::from_nanos(step.pause);
            let asked = ask(&shared, now, step, is_told);
            prop_assert!(asked.passed || !asked.is_own, "at {:?}", now);
            // And somebody takes all that is left.
            while ask(&shared, now, Ask { pause: 0, key: None, cost: 1 }, false).passed {}
        }
    }

    #[test]
    fn nothing_spare_is_idle_while_somebody_asks(asks in asks(120_000_000)) {
        let (shared, mut now, mut passed) = (sharing(quota(2, 2)), START, 0);
        for step in asks {
            let next = now + Duration::from_nanos(step.pause);
            while now < next {
                let greedy = Ask { pause: 0, key: Some(9), cost: 1 };
                while ask(&shared, now, greedy, false).passed {
                    passed += 1;
                }
                now = (now + Duration::from_nanos(INTERVAL / 8)).min(next);
            }
            passed += if ask(&shared, now, step, false).passed { u64::from(step.cost) } else { 0 };
        }
        let least = clock::nanos_in(now.since(START)) / INTERVAL;
        prop_assert!(passed >= least, "{passed} of {least}");
    }
}

#[test]
fn promises_leave_half_of_the_burst_to_shares() {
    let shared = Shared::new(Algorithm::Gcra, LIMIT);
    shared.levels.add(KeyLimit::new(9, quota(3, 3)).guaranteed());
    let greedy = Ask { pause: 0, key: None, cost: 1 };
    let comes = |client: u32, now| {
        while ask(&shared, now, greedy, false).passed {}
        let (mut claim, client) = (Claim::new(now, 1), Some(Key::of(&client)));
        let rank = Rank { client, cost: 1, ..Rank::default() };
        let refused = shared.take(&mut claim).unwrap_err();
        let passes = shared.passes_ahead(&rank, &mut claim, refused);
        if !passes {
            let _ = shared.limited(&rank, &claim, refused);
        }
        passes
    };
    assert!((0..9).all(|client| !comes(client, START)), "each is promised a moment");
    let now = START + SECOND * 2;
    assert_eq!((0..9).filter(|client| comes(*client, now)).count(), 3);
    let own = || ask(&shared, now, Ask { key: Some(1), ..greedy }, false);
    assert_eq!((0..9).filter(|_| own().passed).count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_asks_for_a_pause_gets_it_from_shares_too() {
    let layer = minutely().settle(|answer: Result<&u32, &tower_ballast_test::ScriptError>| {
        if answer.is_ok_and(|n| *n == 9) { Settlement::Drain } else { Settlement::Keep }
    });
    let service = layer.layer(Scripted::echo());
    assert!(passes(&service, 9).await);
    assert!(!passes(&service, 1).await);
    tokio::time::advance(SECOND * 60).await;
    assert_eq!(passed(&service, 1, 9).await, 2);
}

/// One a minute for all and a burst of four, and two a minute guaranteed to everybody but client 0.
fn minutely() -> PriorityRateLimitLayer<(), (), Refuse, impl Keys<u32> + Clone> {
    let limit = Quota::per_minute(count::<1>()).burst(count::<4>());
    let share = Quota::per_minute(count::<2>()).burst(count::<2>());
    PriorityRateLimitLayer::new(limit).per_key(KeyLimit::new(100, share).guaranteed(), client)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "a limit reads keys from requests")]
fn client(number: &u32) -> Option<Key> {
    (*number > 0).then(|| Key::of(number))
}

async fn passes<S>(service: &S, number: u32) -> bool
where
    S: Service<u32, Response = u32, Error = BoxError> + Clone,
{
    service.clone().oneshot(number).await.is_ok()
}

async fn passed<S>(service: &S, number: u32, times: u32) -> u32
where
    S: Service<u32, Response = u32, Error = BoxError> + Clone,
{
    let mut passed = 0;
    for _ in 0..times {
        passed += u32::from(passes(service, number).await);
    }
    passed
}

#[tokio::test(start_paused = true)]
async fn a_key_has_its_share_when_another_has_taken_the_whole_limit() {
    let layer = minutely();
    let service = layer.layer(Scripted::echo());
    assert_eq!(passed(&service, 1, 9).await, 4, "its share of two is used within the limit");
    assert_eq!(passed(&service, 2, 9).await, 2);
    assert_eq!(passed(&service, 3, 9).await, 2);
    assert_eq!(passed(&service, 4, 9).await, 0, "a burst has passed ahead of the limit");
    assert_eq!(passed(&service, 0, 9).await, 0, "who has no share");
    let medium = layer.handle().statistics().of(Priority::Medium);
    assert_eq!((medium.guaranteed, medium.limited), (4, 5 + 7 + 7 + 9 + 9));
    // Whoever borrows pays for it: the limit owes four, and there is one more in five minutes.
    tokio::time::advance(SECOND * 299).await;
    assert!(!passes(&service, 0).await);
    tokio::time::advance(SECOND).await;
    assert!(passes(&service, 0).await);
}

#[tokio::test(start_paused = true)]
async fn a_closed_limit_admits_nobody_and_a_closed_share_guarantees_nothing() {
    let layer = minutely();
    let service = layer.layer(Scripted::echo());
    layer.handle().set_quota(Quota::CLOSED);
    assert!(!passes(&service, 1).await);
    layer.handle().set_quota(Quota::per_minute(count::<1>()).burst(count::<4>()));
    layer.handle().set_exception(0, Key::of(&1_u32), Some(Quota::CLOSED));
    // What was left stays left, which is nothing.
    assert!(!passes(&service, 1).await, "it may only borrow");
    tokio::time::advance(SECOND * 60).await;
    assert!(passes(&service, 1).await);
}

#[tokio::test(start_paused = true)]
async fn a_guarantee_follows_the_rate_of_the_limit() {
    let layer = minutely();
    let service = layer.layer(Scripted::echo());
    passed(&service, 0, 4).await;
    for number in 1..=2 {
        assert_eq!(passed(&service, number, 3).await, 2);
    }
    assert_eq!(passed(&service, 3, 1).await, 0);
    layer.handle().set_quota(Quota::per_second(count::<1>()).burst(count::<4>()));
    assert_eq!(passed(&service, 3, 1).await, 0, "what has passed ahead is kept");
    tokio::time::advance(SECOND).await;
    assert_eq!(passed(&service, 3, 2).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_guarantee_passes_before_whoever_waits_and_beyond_it_one_waits_as_well() {
    let layer = minutely()
        .facts(facts().priority_from(|n: &u32| (*n == 0).then_some(Priority::High)))
        .queue(10)
        .longest_wait(SECOND * 3600);
    let service = layer.layer(Scripted::echo());
    assert_eq!(passed(&service, 0, 4).await, 4);
    let mut high = call(&service, 0);
    assert!(poll(&mut high).is_pending());
    let mut own: Vec<_> = (0..3).map(|_| call(&service, 1)).collect();
    let done: Vec<_> = own.iter_mut().map(|own| poll(own).is_ready()).collect();
    assert_eq!(done, [true, true, false]);
    assert_eq!(layer.handle().waiting(), 2);
    tokio::time::advance(SECOND * 179).await;
    assert!(poll(&mut high).is_pending(), "it waits for what has passed before it");
    tokio::time::advance(SECOND).await;
    assert!(poll(&mut high).is_ready());
    drop(own);
    // Who waited beyond its share has taken nothing of it.
    tokio::time::advance(SECOND * 3600).await;
    assert_eq!(passed(&service, 0, 4).await, 4);
    assert_eq!(call_all(&service, 1, 4), 2);
}

#[tokio::test(start_paused = true)]
async fn what_passed_ahead_and_was_not_used_is_given_back_everywhere() {
    let (inner, layer) = (Scripted::echo(), minutely().queue(0));
    inner.script().always_ready(Readiness::held());
    let service = layer.layer(inner);
    let mut calls: Vec<_> = [0, 0, 0, 0, 1, 1, 2, 2].map(|n| call(&service, n)).into();
    assert!(calls.iter_mut().all(|call| poll(call).is_pending()), "they wait for readiness");
    assert_eq!(layer.handle().statistics().of(Priority::Medium).guaranteed, 4);
    drop(calls);
    let mut calls: Vec<_> = [0, 0, 0, 0, 1, 1, 2, 2].map(|n| call(&service, n)).into();
    assert!(calls.iter_mut().all(|call| poll(call).is_pending()), "all of it is there again");
    assert!(poll(&mut call(&service, 3)).is_ready(), "and no more");
}

#[tokio::test(start_paused = true)]
async fn what_passed_ahead_is_settled_with_its_share_and_the_limit() {
    for (settlement, more) in [
        (Settlement::Keep, 2),
        (Settlement::Refund, 4),
        (Settlement::Cost(0), 4),
        (Settlement::Cost(2), 0),
    ] {
        let limit = Quota::per_hour(count::<4>()).burst(count::<4>());
        let share = Quota::per_hour(count::<4>()).burst(count::<4>());
        let layer = PriorityRateLimitLayer::new(limit)
            .per_key(KeyLimit::new(100, share).guaranteed(), client)
            .settle(move |answer: Result<&u32, &_>| {
                let _: Result<&u32, &tower_ballast_test::ScriptError> = answer;
                if answer.is_ok_and(|n| *n == 9) { settlement } else { Settlement::Keep }
            });
        let service = layer.layer(Scripted::echo());
        assert_eq!(passed(&service, 0, 4).await, 4);
        assert_eq!(passed(&service, 9, 2).await, 2);
        let ahead = layer.handle().statistics().of(Priority::Medium).guaranteed;
        assert_eq!(ahead, 2, "both ahead");
        layer.handle().set_key_quota(0, share.burst(count::<8>()));
        // Of the four that may pass ahead, so many are left, whoever asks.
        assert_eq!(passed(&service, 7, 9).await, more, "{settlement:?}");
        // So are they of what may be owed.
        let owed = layer.handle().standing().full_at.since(clock::now());
        assert_eq!(owed.as_secs() / 900, 4 + 4, "{settlement:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_costs_more_than_a_share_is_borrowed_and_what_costs_more_than_the_limit_is_refused() {
    let layer = minutely().facts(facts().cost_from(|n: &u32| NonZeroU32::new(*n).unwrap()));
    let service = layer.layer(Scripted::echo());
    assert!(!passes(&service, 5).await);
    assert!(passes(&service, 3).await, "within the limit");
    assert!(!passes(&service, 3).await);
    assert!(passes(&service, 2).await, "within its share");
}

#[tokio::test(start_paused = true)]
async fn of_two_guarantees_one_is_enough_and_a_ceiling_comes_before_both() {
    let hour = |count: NonZeroU32| Quota::per_hour(count).burst(count);
    let layer = PriorityRateLimitLayer::new(hour(count::<100>()))
        .per_key(KeyLimit::new(9, hour(count::<2>())).guaranteed(), client)
        .per_key(KeyLimit::new(9, hour(count::<5>())).name("ceiling"), client)
        .per_key(KeyLimit::new(9, hour(count::<4>())).guaranteed(), client);
    let service = layer.layer(Scripted::echo());
    assert_eq!(passed(&service, 0, 100).await, 100);
    assert_eq!(passed(&service, 1, 9).await, 4);
    let ceiling = KeyLimit::new(9, hour(count::<3>()));
    let service = layer.per_key(ceiling, client).layer(Scripted::echo());
    assert_eq!(passed(&service, 2, 9).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_share_is_not_told_as_a_limit() {
    let layer = minutely().per_key(KeyLimit::new(9, LIMIT).name("ceiling"), client);
    let mut told = Vec::new();
    let standings = layer.standings();
    let whose = standings.keep(&1_u32);
    standings.each(&whose, &mut |standing| told.push(standing.policy.to_owned()));
    assert_eq!(told, ["ceiling", "rate_limit"]);
}

#[tokio::test(start_paused = true)]
async fn a_layer_of_its_own_guarantees_as_much_and_one_in_shadow_refuses_nobody() {
    let layer = minutely();
    passed(&layer.layer(Scripted::echo()), 0, 9).await;
    let separate = layer.separate();
    let service = separate.layer(Scripted::echo());
    assert_eq!(passed(&service, 0, 9).await, 4);
    assert_eq!(passed(&service, 1, 9).await, 2);
    separate.handle().set_enforcement(Enforcement::Off);
    assert_eq!(passed(&service, 1, 9).await, 9);
    separate.handle().set_enforcement(Enforcement::Shadow);
    assert_eq!(passed(&service, 1, 9).await, 9);
    let medium = separate.handle().statistics().of(Priority::Medium);
    assert_eq!((medium.guaranteed, medium.limited), (2, 5 + 7 + 9));
}

#[tokio::test(start_paused = true)]
async fn where_one_passes_after_the_other_one_at_a_time_passes_ahead() {
    for algorithm in [Algorithm::Pacing, Algorithm::WarmUp(SECOND)] {
        let share = Quota::per_second(count::<10>());
        let layer = PriorityRateLimitLayer::with_algorithm(algorithm, LIMIT)
            .per_key(KeyLimit::new(9, share).guaranteed(), client);
        let service = layer.layer(Scripted::echo());
        assert_eq!(passed(&service, 0, 9).await, 1, "{algorithm:?}");
        assert_eq!(passed(&service, 1, 9).await, 1, "{algorithm:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_algorithm_keeps_shares_and_its_rate() {
    let algorithms = [
        Algorithm::Gcra,
        Algorithm::TokenBucket,
        Algorithm::FixedWindow,
        Algorithm::SlidingCounter,
        Algorithm::SlidingLog,
        Algorithm::Pacing,
        Algorithm::WarmUp(SECOND),
    ];
    // Half of the limit is wanted by a share, or all of it.
    for (algorithm, every) in algorithms.into_iter().flat_map(|kind| [(kind, 20), (kind, 10)]) {
        let limit = Quota::per_second(count::<100>());
        let share = Quota::per_second(count::<100>()).burst(count::<2>());
        let layer = PriorityRateLimitLayer::with_algorithm(algorithm, limit)
            .per_key(KeyLimit::new(9, share).guaranteed(), client);
        let service = layer.layer(Scripted::echo());
        let (mut own, mut others) = (0, 0);
        for millis in 0..10_000 {
            others += passed(&service, 0, 1).await;
            if millis % every == 0 {
                own += passed(&service, 1, 1).await;
            }
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(own, 10_000 / every, "{algorithm:?}: all it asks for");
        let sum = own + others;
        // One that warms up is slow at first.
        assert!((940..=1_200).contains(&sum), "{algorithm:?}: {sum}");
    }
}

/// How many of so many calls at once pass at once.
fn call_all<S>(service: &S, number: u32, times: u32) -> u32
where
    S: Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let mut calls: Vec<_> = (0..times).map(|_| call(service, number)).collect();
    calls.iter_mut().map(|call| u32::from(matches!(poll(call), Poll::Ready(Ok(_))))).sum()
}

fn call<S>(service: &S, number: u32) -> Response
where
    S: Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    Box::pin(service.clone().oneshot(number))
}

fn poll(call: &mut Response) -> Poll<Result<u32, BoxError>> {
    call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}
