use std::time::Duration;

use tower::{Layer, Service, ServiceExt};
use tower_ballast_core::{BoxError, Key, Standings, clock, count};
use tower_ballast_test::{ScriptError, Scripted};

use crate::{KeyLimit, Keys, PriorityRateLimitLayer, Quota, Refuse, Settlement, Tier};

const PAID: Tier = Tier::of::<1>();
const PARTNER: Tier = Tier::of::<8>();

const AMPLE: Quota = Quota::per_second(count::<1000>());
const TWO: Quota = Quota::per_hour(count::<4>()).burst(count::<2>());
const FIVE: Quota = Quota::per_hour(count::<4>()).burst(count::<5>());
const NINE: Quota = Quota::per_hour(count::<4>()).burst(count::<9>());

/// From 10 on they are of the paid tier, from 20 on partners, each with the key of its last digit.
#[allow(
    clippy::trivially_copy_pass_by_ref,
    clippy::unnecessary_wraps,
    reason = "as a limit reads keys from requests"
)]
fn whose(number: &u32) -> Option<(Key, Option<Tier>)> {
    let tier = match number / 10 {
        0 => None,
        1 => Some(PAID),
        _ => Some(PARTNER),
    };
    Some((key(*number), tier))
}

fn key(number: u32) -> Key {
    Key::of(&(number % 10))
}

fn tiered() -> PriorityRateLimitLayer<(), (), Refuse, impl Keys<u32> + Clone> {
    PriorityRateLimitLayer::new(AMPLE).per_key(KeyLimit::new(100, TWO).tier(PAID, FIVE), whose)
}

type Set<'a> = Box<dyn Fn(Option<Quota>) + 'a>;

async fn passed<S>(service: &S, number: u32) -> u32
where
    S: Service<u32, Response = u32, Error = BoxError> + Clone,
{
    let mut passed = 0;
    while passed < 100 && service.clone().oneshot(number).await.is_ok() {
        passed += 1;
    }
    passed
}

#[tokio::test(start_paused = true)]
async fn a_tier_has_its_quota_and_one_without_has_the_usual_one() {
    for layer in [tiered(), tiered().separate()] {
        let service = layer.layer(Scripted::echo());
        for (number, most) in [(1, 2), (12, 5), (3, 2), (14, 5), (25, 2)] {
            assert_eq!(passed(&service, number).await, most, "of {number}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_owes_what_it_owes_in_whatever_tier() {
    let service = tiered().layer(Scripted::echo());
    assert_eq!(passed(&service, 1).await, 2);
    assert_eq!(passed(&service, 11).await, 3, "two of five are used");
    assert_eq!(passed(&service, 1).await, 0);
}

#[tokio::test(start_paused = true)]
async fn an_exception_comes_before_the_tier() {
    let limit = KeyLimit::new(100, TWO).tier(PAID, FIVE).exception(key(1), NINE);
    let service = PriorityRateLimitLayer::new(AMPLE).per_key(limit, whose).layer(Scripted::echo());
    assert_eq!([passed(&service, 11).await, passed(&service, 12).await], [9, 5]);
}

#[tokio::test(start_paused = true)]
async fn a_closure_says_a_key_or_a_key_and_a_tier_or_a_key_and_perhaps_a_tier() {
    let limit = || KeyLimit::new(100, TWO).tier(PAID, FIVE).tier(PARTNER, NINE);
    let layer = PriorityRateLimitLayer::new(AMPLE)
        .per_key(limit().tier(PAID, NINE), |n: &u32| (*n > 0).then_some((Key::of(n), PAID)))
        .per_key(limit(), |n: &u32| Some((Key::of(n), (*n > 1).then_some(PARTNER))))
        .per_key(limit(), |n: &u32| (*n == 3).then(|| Key::of(n)));
    let service = layer.layer(Scripted::echo());
    let mut found = [0; 4];
    for (number, found) in (0..).zip(&mut found) {
        *found = passed(&service, number).await;
    }
    assert_eq!(found, [2, 2, 9, 2]);
}

#[tokio::test(start_paused = true)]
async fn what_is_settled_is_settled_by_the_quota_of_the_tier() {
    // A request of the tier is owed for an hour, a usual one for a minute.
    let (minute, hour) = (Quota::per_minute(count::<1>()), Quota::per_hour(count::<1>()));
    for (settlement, owed) in [(Settlement::Refund, 0), (Settlement::Cost(3), 3)] {
        let limit = KeyLimit::new(100, minute.burst(count::<9>())).tier(PAID, hour);
        let layer = PriorityRateLimitLayer::new(AMPLE)
            .per_key(limit, whose)
            .settle(move |_: Result<&u32, &ScriptError>| settlement);
        let service = layer.layer(Scripted::echo());
        service.clone().oneshot(11).await.unwrap();
        let limit = service.shared.levels.get(0).unwrap();
        let (now, hours) = (clock::now(), |n| Duration::from_secs(3600) * n);
        assert_eq!(limit.table().full_at(key(1)).since(now), hours(owed));
        let (standings, mut told) = (layer.standings(), None);
        standings.each(&standings.keep(&11), &mut |standing| {
            told = told.or((standing.policy == "key").then_some((
                standing.remaining,
                standing.quota,
                standing.window,
            )));
        });
        assert_eq!(told, Some((u64::from(owed == 0), 1, hours(1))), "by the quota of the tier");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_of_keys_changes_live_and_what_a_key_owes_stays() {
    let layer = tiered();
    let (handle, service) = (layer.handle(), layer.layer(Scripted::echo()));
    let ways: [(u32, u32, Set<'_>); 3] = [
        (1, 2, Box::new(|quota| handle.set_key_quota(0, quota.unwrap_or(TWO)))),
        (12, 5, Box::new(|quota| handle.set_tier_quota(0, PAID, quota))),
        (3, 2, Box::new(|quota| handle.set_exception(0, key(3), quota))),
    ];
    for (number, most, set) in ways {
        assert_eq!(passed(&service, number).await, most);
        set(Some(NINE));
        assert_eq!(passed(&service, number).await, 9 - most, "raised at once, by what is more");
        set(Some(Quota::CLOSED));
        tokio::time::advance(Duration::from_secs(900)).await;
        assert_eq!(passed(&service, number).await, 0, "closed at once");
        set(Some(NINE));
        assert_eq!(passed(&service, number).await, 1, "it owes what it owed, less what is paid");
        set(None);
        assert_eq!(passed(&service, number).await, 0, "lowered at once");
        tokio::time::advance(Duration::from_secs(900 * 8)).await;
        assert_eq!(passed(&service, number).await, 1, "nine are owed, and eight are paid");
        tokio::time::advance(Duration::from_secs(3600 * 24)).await;
    }
    assert_eq!(passed(&service, 12).await, 2, "a tier without a quota has the usual one");
    handle.set_tier_quota(0, PARTNER, Some(Quota::CLOSED));
    assert_eq!(passed(&service, 25).await, 0);
    handle.set_tier_quota(0, PARTNER, None);
    assert_eq!(passed(&service, 25).await, 2);
    handle.set_tier_quota(7, PARTNER, Some(Quota::CLOSED));
}
