use std::{
    num::NonZeroU32,
    pin::Pin,
    sync::{Arc, Barrier, Mutex},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, UNIX_EPOCH},
};

use tower::{Layer, Service, ServiceExt, service_fn};
use tower_ballast_core::{
    BoxError, Deadline, Enforcement, Facts, Key, Multiplier, Priority, Random, Ratio, Reason,
    Rejected, RetryAfter, Standing, Standings, clock, count, facts,
    ranks::{Floors, Ranks},
};
use tower_ballast_test::{Readiness, Scripted};

use super::{
    adjust::{Cause, Limits, Schedule, Signals, Span},
    *,
};

type Response = Pin<Box<dyn Future<Output = Result<u32, BoxError>> + Send>>;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_burst_passes_and_the_rest_is_told_its_moments() {
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<4>()));
    let service = layer.layer(Scripted::echo());
    for number in 0..4 {
        assert_eq!(service.clone().oneshot(number).await.unwrap(), number);
    }
    for n in 1..=3 {
        let error = service.clone().oneshot(9).await.unwrap_err();
        let rejected = Rejected::find(&*error).unwrap();
        assert_eq!(rejected.reason(), Reason::RateLimited);
        assert_eq!(rejected.after(), Some(RetryAfter::reserved(SECOND * n / 4)));
        assert!(rejected.is_unsent());
    }
    assert_eq!(layer.handle().statistics().of(Priority::Medium).limited, 3);
}

#[tokio::test(start_paused = true)]
async fn a_queue_makes_no_call_larger() {
    let (echo, layer) = (Scripted::echo(), PriorityRateLimitLayer::new(Quota::CLOSED));
    let (mut one, mut other) = (layer.layer(echo.clone()), layer.clone().queue(10).layer(echo));
    assert_eq!(size_of_val(&one.call(1_u32)), size_of_val(&other.call(1)));
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_pass_at_the_rate_of_the_limit() {
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<10>())).queue(100);
    let (service, began) = (layer.layer(Scripted::echo()), clock::now());
    let calls: Vec<_> = (0..20).map(|n| tokio::spawn(service.clone().oneshot(n))).collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let took = clock::now().since(began);
    assert!(took >= SECOND && took < SECOND + Duration::from_millis(20), "{took:?}");
    assert_eq!(layer.handle().statistics().of(Priority::Medium).waited, 10);
}

#[tokio::test(start_paused = true)]
async fn whoever_matters_most_passes_first_and_nobody_starves() {
    let known = facts().priority_from(|number: &u32| Some(Priority::ALL[*number as usize]));
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1000>()).burst(count::<1>()))
        .facts(known)
        .queue(1000)
        .longest_wait(Duration::MAX);
    let order = Arc::new(Mutex::new(Vec::new()));
    let service = layer.layer(recording(&order));
    let calls: Vec<_> = [3, 2, 1, 0]
        .into_iter()
        .flat_map(|class| vec![class; 200])
        .map(|class| tokio::spawn(service.clone().oneshot(class)))
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let order = order.lock().unwrap();
    // The first passed before anybody else was there.
    let first = |class: u32, within: usize| {
        order[1..=within].iter().filter(|served| **served == class).count()
    };
    assert_eq!((first(3, 200), first(2, 200), first(1, 200)), (1, 7, 19));
}

#[test]
fn a_hundred_thousand_of_the_lowest_class_do_not_delay_the_highest() {
    let known =
        facts().priority_from(|number: &u32| Some(Priority::ALL[if *number == 0 { 0 } else { 3 }]));
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1>()))
        .facts(known)
        .queue(200_000)
        .longest_wait(Duration::MAX);
    let order = Arc::new(Mutex::new(Vec::new()));
    let service = layer.layer(recording(&order));
    paused(async {
        let mut low: Vec<Response> = (1..=100_001).map(|n| call(&service, n)).collect();
        let pending =
            low.iter_mut().filter_map(|call| poll(call).is_pending().then_some(())).count();
        assert_eq!((pending, layer.handle().waiting()), (100_000, 100_000));
        let mut high = call(&service, 0);
        assert!(poll(&mut high).is_pending());
        tokio::time::advance(SECOND + Duration::from_millis(1)).await;
        assert_eq!(poll(&mut high).map(Result::unwrap), Poll::Ready(0));
        drop(low);
        assert_eq!(layer.handle().waiting(), 0);
    });
    assert_eq!(*order.lock().unwrap(), [1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_greedy_client_leaves_a_modest_one_its_turn() {
    let known = facts().key_from(|number: &u32| Some(Key::of(&(*number > 0))));
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<10>()).burst(count::<1>()))
        .facts(known)
        .queue(100)
        .longest_wait(Duration::MAX);
    let (service, began) = (layer.layer(Scripted::echo()), clock::now());
    let greedy: Vec<_> = (1..=1000).map(|n| tokio::spawn(service.clone().oneshot(n))).collect();
    tokio::task::yield_now().await;
    service.clone().oneshot(0).await.unwrap();
    let waited = clock::now().since(began);
    assert!(waited <= Duration::from_millis(210), "{waited:?}");
    for call in greedy {
        call.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn who_would_wait_too_long_is_refused_at_once() {
    let due = Arc::new(Mutex::new(SECOND * 100));
    let left = Arc::clone(&due);
    let known = facts().deadline_from(move |_: &u32| Some(Deadline::after(*left.lock().unwrap())));
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<10>()).burst(count::<1>()))
        .facts(known)
        .queue(1000)
        .longest_wait(Duration::MAX);
    let service = layer.layer(Scripted::echo());
    let crowd: Vec<_> = (0..50).map(|n| tokio::spawn(service.clone().oneshot(n))).collect();
    // Ten have passed, and so it is known how long a turn takes: 40 wait, for 4 s.
    tokio::time::sleep(Duration::from_millis(950)).await;
    *due.lock().unwrap() = SECOND * 7;
    let began = clock::now();
    let error = service.clone().oneshot(1).await.unwrap_err();
    assert_eq!(clock::now(), began);
    let rejected = Rejected::find(&*error).unwrap();
    assert_eq!(rejected.reason(), Reason::RateLimited);
    assert!(rejected.after().unwrap().delay > SECOND * 3);
    *due.lock().unwrap() = SECOND * 10;
    service.clone().oneshot(1).await.unwrap();
    for call in crowd {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_after_the_longest_wait_or_at_the_deadline_less_what_is_needed() {
    for (deadline, wanted, after) in [
        (Duration::MAX, Reason::QueueTimeout, 500),
        (Duration::from_millis(300), Reason::DeadlinePassed, 200),
        (Duration::from_millis(99), Reason::DeadlinePassed, 0),
    ] {
        let began = clock::now();
        let known = facts()
            .priority_from(|number: &u32| (*number < 2).then_some(Priority::High))
            .deadline_from(move |number| (*number == 2).then_some(Deadline::at(began + deadline)));
        let layer = PriorityRateLimitLayer::new(Quota::per_hour(count::<1>()))
            .facts(known)
            .queue(10)
            .longest_wait_of(Priority::High, SECOND * 7200)
            .longest_wait_of(Priority::Medium, Duration::from_millis(500))
            .needs(Duration::from_millis(100));
        let service = layer.layer(Scripted::echo());
        service.clone().oneshot(0).await.unwrap();
        let mut next = call(&service, 1);
        assert!(poll(&mut next).is_pending());
        assert_eq!(reason(service.clone().oneshot(2).await), wanted);
        let waited = clock::now().since(began).as_millis();
        // A timer of tokio may fire a millisecond late.
        assert!((after..=after + 1).contains(&waited), "{waited} ms instead of {after}");
        assert_eq!(layer.handle().waiting(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_would_be_in_vain_is_not_sat_out() {
    let layer = PriorityRateLimitLayer::new(Quota::per_hour(count::<1>())).queue(10);
    let (service, began) = (layer.layer(Scripted::echo()), clock::now());
    service.clone().oneshot(0).await.unwrap();
    assert_eq!(reason(service.oneshot(1).await), Reason::QueueTimeout);
    assert_eq!(clock::now(), began);
}

#[tokio::test(start_paused = true)]
async fn a_raised_quota_reaches_who_waits() {
    let layer = PriorityRateLimitLayer::new(Quota::per_hour(count::<1>()))
        .queue(10)
        .longest_wait(SECOND * 7200);
    let service = layer.layer(Scripted::echo());
    service.clone().oneshot(0).await.unwrap();
    let waits = tokio::spawn(service.clone().oneshot(1));
    tokio::time::sleep(SECOND).await;
    let began = clock::now();
    layer.handle().set_quota(Quota::per_second(count::<100>()));
    waits.await.unwrap().unwrap();
    assert!(clock::now().since(began) < SECOND);
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_and_not_used_is_given_back() {
    let layer =
        PriorityRateLimitLayer::new(Quota::per_hour(count::<2>()).burst(count::<2>())).queue(1);
    let scripted = Scripted::echo();
    scripted.script().always_ready(Readiness::held());
    let service = layer.layer(scripted);
    let mut call = call(&service, 1);
    assert!(poll(&mut call).is_pending());
    assert_eq!(layer.handle().standing().remaining, 1);
    drop(call);
    assert_eq!(layer.handle().standing().remaining, 2);
}

#[tokio::test(start_paused = true)]
async fn a_cost_is_settled_by_its_outcome() {
    let known = facts().cost_from(|_: &u32| NonZeroU32::new(10).unwrap());
    let layer = PriorityRateLimitLayer::new(Quota::per_hour(count::<100>()).burst(count::<100>()))
        .facts(known)
        .settle(|outcome: Result<&u32, &BoxError>| match outcome {
            Ok(0) => Settlement::Refund,
            Ok(99) => Settlement::Drain,
            Ok(cost) => Settlement::Cost(*cost),
            Err(_) => Settlement::Keep,
        });
    let service = layer.layer(service_fn(|n: u32| async move { Ok::<_, BoxError>(n) }));
    for (actual, left) in [(3, 97), (0, 97), (30, 67), (99, 0)] {
        service.clone().oneshot(actual).await.unwrap();
        assert_eq!(layer.handle().standing().remaining, left, "after a cost of {actual}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_costs_more_than_ever_passes_is_refused_without_a_moment() {
    let known = facts().cost_from(|_: &u32| NonZeroU32::new(11).unwrap());
    for queue in [0, 10] {
        let layer =
            PriorityRateLimitLayer::new(Quota::per_second(count::<10>())).facts(known).queue(queue);
        let error = layer.layer(Scripted::echo()).oneshot(1).await.unwrap_err();
        let rejected = Rejected::find(&*error).unwrap();
        assert_eq!((rejected.reason(), rejected.after()), (Reason::RateLimited, None));
    }
}

#[tokio::test(start_paused = true)]
async fn shadow_refuses_nobody_and_counts_all() {
    let layer =
        PriorityRateLimitLayer::new(Quota::CLOSED).enforcement(Enforcement::Shadow).queue(9);
    let service = layer.layer(Scripted::echo());
    for number in 0..5 {
        assert_eq!(service.clone().oneshot(number).await.unwrap(), number);
    }
    assert_eq!(layer.handle().statistics().of(Priority::Medium).limited, 5);
    layer.handle().set_enforcement(Enforcement::Percent(Ratio::ONE));
    assert_eq!(reason(service.oneshot(1).await), Reason::RateLimited);
}

#[tokio::test(start_paused = true)]
async fn floors_are_kept_by_a_layer_of_its_own() {
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1>()))
        .queue(7)
        .floors(Floors::none());
    let separate = layer.clone().separate();
    assert_eq!(separate.handle().quota(), layer.handle().quota());
    layer.layer(Scripted::echo()).oneshot(0).await.unwrap();
    assert_eq!(separate.handle().standing().remaining, 1);
    let floors = separate.layer(Scripted::echo()).shared.door.with_ranks(Ranks::floors);
    assert_eq!(floors, Floors::none());
}

#[test]
fn a_hundred_thousand_random_cancels_leave_nothing() {
    let known = facts()
        .priority_from(|number: &u32| Some(Priority::ALL[(*number % 4) as usize]))
        .key_from(|number: &u32| Some(Key::of(&(number % 7))));
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1000>()))
        .facts(known)
        .queue(50)
        .longest_wait(SECOND * 10);
    let service = layer.layer(Scripted::echo());
    let random = Random::seeded(11);
    paused(async {
        let mut calls: Vec<Response> = Vec::new();
        for number in 0..100_000 {
            if random.below(2) == 0 {
                calls.push(call(&service, number));
            }
            if !calls.is_empty() {
                let index = usize::try_from(random.below(calls.len() as u64)).unwrap();
                if random.below(3) == 0 || poll(&mut calls[index]).is_ready() {
                    drop(calls.swap_remove(index));
                }
            }
            if random.below(100) == 0 {
                tokio::time::advance(Duration::from_millis(random.below(20))).await;
            }
            if random.below(1000) == 0 {
                layer.handle().set_quota(Quota::per_second(count::<500>()));
                layer.handle().set_quota(Quota::per_second(count::<1000>()));
            }
        }
        drop(calls);
        assert_eq!(layer.handle().waiting(), 0);
        tokio::time::advance(SECOND * 2).await;
        assert_eq!(layer.handle().standing().remaining, 1000);
        service.clone().oneshot(0).await.unwrap();
    });
}

/// A thousand for all, ten for a tenant, three for a user.
fn stacked() -> PriorityRateLimitLayer<(), (), Refuse, impl Keys<(u32, u32)> + Clone> {
    let hour = |count: u32| {
        Quota::per_hour(NonZeroU32::new(count).unwrap()).burst(NonZeroU32::new(count).unwrap())
    };
    PriorityRateLimitLayer::new(hour(1000))
        .per_key(KeyLimit::new(100, hour(10)).name("tenant"), |(tenant, _): &(u32, u32)| {
            Some(Key::of(tenant))
        })
        .per_key(KeyLimit::new(100, hour(3)), |(_, user): &(u32, u32)| {
            (*user > 0).then(|| Key::of(user))
        })
}

#[tokio::test(start_paused = true)]
async fn stacked_limits_are_taken_together_or_not_at_all() {
    let layer = stacked();
    let service = layer.layer(service_fn(|_: (u32, u32)| async { Ok::<u32, BoxError>(1) }));
    let passed = async |tenant, user, times| {
        let mut passed = 0;
        for _ in 0..times {
            passed += u32::from(service.clone().oneshot((tenant, user)).await.is_ok());
        }
        passed
    };
    assert_eq!(passed(1, 1, 20).await, 3, "the user's own limit");
    assert_eq!(passed(1, 2, 20).await, 3, "another user of that tenant");
    // What the refused ones took of the tenant's limit went back: four are left of ten.
    assert_eq!(passed(1, 0, 20).await, 4, "no user, and so only the tenant's limit");
    assert_eq!(passed(2, 1, 20).await, 0, "the user's limit holds in any tenant");
    assert_eq!(passed(2, 3, 20).await, 3);
    assert_eq!(layer.handle().standing().remaining, 1000 - 13);
    let refused = service.clone().oneshot((1, 9)).await;
    let rejected = Rejected::find(&*refused.unwrap_err()).unwrap().clone();
    assert_eq!(rejected.reason(), Reason::RateLimited);
    assert!(!rejected.after().unwrap().reserved, "many may be told the moment of a key");
}

#[test]
#[should_panic(expected = "at most 4 limits by key; `key` is one too many")]
fn a_fifth_limit_by_key_is_not_lost_in_silence() {
    let limit = || KeyLimit::new(10, Quota::per_hour(count::<1>()));
    let none = |_: &(u32, u32)| None::<Key>;
    let layer = stacked().per_key(limit(), none).per_key(limit(), none);
    let _ = layer.clone().per_key(limit(), none);
}

#[test]
fn limits_by_key_that_are_added_at_one_time_all_find_room() {
    let (layer, barrier) = (PriorityRateLimitLayer::new(Quota::CLOSED), Barrier::new(4));
    thread::scope(|scope| {
        for name in ["a", "b", "c", "d"] {
            let (layer, barrier) = (layer.clone(), &barrier);
            scope.spawn(move || {
                barrier.wait();
                let limit = KeyLimit::new(10, Quota::CLOSED).name(name);
                let _ = layer.per_key(limit, |_: &u32| None::<Key>);
            });
        }
    });
    let shared = layer.layer(()).shared;
    let names: Vec<_> = shared.levels.iter().map(|limit| limit.name.to_string()).collect();
    assert!(["a", "b", "c", "d"].iter().all(|name| names.contains(&(*name).to_owned())));
}

#[tokio::test(start_paused = true)]
async fn what_a_full_common_limit_refuses_is_given_back_to_the_key() {
    let second = Quota::per_second(count::<2>());
    for queue in [0, 5] {
        let layer = PriorityRateLimitLayer::new(second.burst(count::<1>()))
            .per_key(
                KeyLimit::new(10, Quota::per_hour(count::<10>()).burst(count::<10>())),
                |_: &u32| Some(Key::of("all")),
            )
            .queue(queue);
        let service = layer.layer(Scripted::echo());
        let mut calls: Vec<Response> = (0..9).map(|n| call(&service, n)).collect();
        let done = calls.iter_mut().filter_map(|call| poll(call).is_ready().then_some(())).count();
        assert_eq!(done, 9 - queue as usize, "one passed and the rest was refused, or waits");
        drop(calls);
        let mut left = 0;
        each(&layer.standings(), &0, &mut |standing| {
            if standing.policy == "key" {
                left = standing.remaining;
            }
        });
        assert_eq!(left, 9, "only what passed is taken");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_may_have_another_quota_and_all_of_them_change_live() {
    let layer = stacked();
    let service = layer.layer(service_fn(|_: (u32, u32)| async { Ok::<u32, BoxError>(1) }));
    let passes = async |tenant| service.clone().oneshot((tenant, 0)).await.is_ok();
    layer.handle().set_exception(0, Key::of(&7_u32), Some(Quota::CLOSED));
    assert!(!passes(7).await && passes(8).await);
    layer.handle().set_exception(0, Key::of(&7_u32), None);
    assert!(passes(7).await);
    layer.handle().set_key_quota(0, Quota::CLOSED);
    assert!(!passes(7).await && !passes(9).await);
    assert_eq!(layer.handle().evictions(), 0);
    // A layer of its own has the same limits, and nothing used of them.
    let separate = stacked().separate();
    let other = separate.layer(service_fn(|_: (u32, u32)| async { Ok::<u32, BoxError>(1) }));
    assert!(other.oneshot((7, 0)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn signals_lower_the_rate_and_the_queue_is_one_of_them() {
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<100>()).burst(count::<1>()))
        .queue(100)
        .adjust(Limits::new().queue(5).load(Ratio::percent::<80>()));
    let (service, handle) = (layer.layer(Scripted::echo()), layer.handle());
    assert_eq!(handle.observe(Signals::default(), SECOND), None);
    let calls: Vec<_> = (0..12).map(|n| tokio::spawn(service.clone().oneshot(n))).collect();
    tokio::task::yield_now().await;
    let change = handle.observe(Signals::default(), SECOND).unwrap();
    assert_eq!((change.cause, handle.present_quota().count()), (Cause::Queue, 70));
    assert_eq!(handle.quota().count(), 100);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    // Another quota is adjusted just the same, and all comes back with time.
    handle.set_quota(Quota::per_second(count::<1000>()));
    assert_eq!(handle.present_quota().count(), 700);
    for _ in 0..10 {
        tokio::time::advance(SECOND).await;
        handle.observe(Signals::default(), SECOND);
    }
    assert_eq!(handle.present_quota().count(), 1000);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_at_its_moment_passes_before_newcomers() {
    for queue in [0, 3] {
        let known = facts().key_from(|number: &u32| Some(Key::of(number)));
        let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1>()))
            .facts(known)
            .queue(queue)
            .longest_wait(Duration::ZERO);
        let service = layer.layer(Scripted::echo());
        service.clone().oneshot(0).await.unwrap();
        let error = service.clone().oneshot(7).await.unwrap_err();
        let after = Rejected::find(&*error).unwrap().after().unwrap();
        assert!(after.reserved);
        tokio::time::advance(after.delay).await;
        // Somebody else is quicker by a hair.
        service.clone().oneshot(8).await.unwrap();
        assert!(service.clone().oneshot(9).await.is_err());
        service.clone().oneshot(7).await.unwrap();
        assert!(service.clone().oneshot(7).await.is_err(), "once");
    }
}

/// The class of a number below ten is its index, its cost is what is above.
fn classed() -> impl Facts<u32> + Clone {
    facts()
        .priority_from(|number: &u32| Some(Priority::ALL[(*number % 10) as usize]))
        .cost_from(|number: &u32| NonZeroU32::new(*number / 10 + 1).unwrap())
}

#[tokio::test(start_paused = true)]
async fn changed_floors_reach_whoever_is_next_by_them() {
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1>()))
        .facts(classed())
        .queue(10)
        .longest_wait(Duration::MAX)
        .floors(Floors::none().low(Ratio::percent::<50>()));
    let service = layer.layer(Scripted::echo());
    service.clone().oneshot(0).await.unwrap();
    let low = tokio::spawn(service.clone().oneshot(2));
    let high: Vec<_> = (0..3).map(|_| tokio::spawn(service.clone().oneshot(0))).collect();
    // Two of the high ones have passed, and the low one has earned the next turn.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(layer.handle().waiting(), 2);
    layer.handle().set_floors(Floors::none());
    for call in high {
        tokio::time::timeout(SECOND * 2, call).await.unwrap().unwrap().unwrap();
    }
    low.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_that_makes_another_the_next_one_has_it_woken() {
    let known = facts()
        .key_from(|number: &u32| Some(Key::of(&(number % 10))))
        .cost_from(|number: &u32| NonZeroU32::new(*number / 10 + 1).unwrap());
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<10>()))
        .facts(known)
        .queue(10)
        .longest_wait(Duration::MAX)
        .newest_first(Priority::Medium, true);
    let service = layer.layer(Scripted::echo());
    service.clone().oneshot(90).await.unwrap();
    let mut calls = vec![call(&service, 1), call(&service, 2)];
    assert!(calls.iter_mut().all(|call| poll(call).is_pending()));
    let other = tokio::spawn(calls.pop().unwrap());
    tokio::task::yield_now().await;
    // The newest of the first client costs more than what is left of its share.
    let mut newest = call(&service, 51);
    assert!(poll(&mut newest).is_pending());
    tokio::time::timeout(SECOND * 2, other).await.unwrap().unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_class_that_was_slow_once_may_wait_again() {
    let layer = PriorityRateLimitLayer::new(Quota::per(SECOND * 5, count::<1>()))
        .queue(10)
        .longest_wait(SECOND * 10);
    let service = layer.layer(Scripted::echo());
    service.clone().oneshot(0).await.unwrap();
    service.clone().oneshot(1).await.unwrap();
    layer.handle().set_quota(Quota::per_second(count::<10>()).burst(count::<1>()));
    layer.handle().set_longest_wait(Priority::Medium, SECOND);
    tokio::time::advance(SECOND * 100).await;
    for number in 0..10 {
        service.clone().oneshot(number).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_takes_a_turn_after_its_deadline() {
    let known = facts().deadline_from(|_: &u32| Some(Deadline::after(SECOND)));
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<10>()).burst(count::<1>()))
        .facts(known)
        .queue(10)
        .longest_wait(Duration::MAX);
    let service = layer.layer(Scripted::echo());
    service.clone().oneshot(0).await.unwrap();
    let mut late = call(&service, 1);
    assert!(poll(&mut late).is_pending());
    // The thread was busy: the turn and the deadline are seen at one time.
    tokio::time::advance(SECOND * 2).await;
    let Poll::Ready(outcome) = poll(&mut late) else { panic!("it waits on") };
    assert_eq!(reason(outcome), Reason::DeadlinePassed);
    assert_eq!(layer.handle().standing().remaining, 1);
}

#[tokio::test(start_paused = true)]
async fn who_has_no_deadline_misses_none_whatever_it_needs() {
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<10>()).burst(count::<1>()))
        .queue(10)
        .needs(Duration::MAX);
    let service = layer.layer(Scripted::echo());
    service.clone().oneshot(0).await.unwrap();
    service.clone().oneshot(1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_only_one_that_waits_is_also_refused_if_it_would_be_for_too_long() {
    let known = facts().deadline_from(|_: &u32| Some(Deadline::after(SECOND * 3 / 2)));
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1>())).facts(known).queue(10);
    let (service, began) = (layer.layer(Scripted::echo()), clock::now());
    service.clone().oneshot(0).await.unwrap();
    assert_eq!(reason(service.clone().oneshot(1).await), Reason::RateLimited);
    assert_eq!(clock::now(), began);
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_more_than_ever_passes_is_refused_also_when_others_wait() {
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<10>()))
        .facts(classed())
        .queue(10)
        .longest_wait(Duration::MAX);
    let service = layer.layer(Scripted::echo());
    service.clone().oneshot(91).await.unwrap();
    let mut waits = call(&service, 91);
    assert!(poll(&mut waits).is_pending());
    let mut absurd = call(&service, u32::MAX / 10 * 10 + 1);
    let Poll::Ready(outcome) = poll(&mut absurd) else { panic!("it waits for nothing") };
    let error = outcome.unwrap_err();
    let rejected = Rejected::find(&*error).unwrap();
    assert_eq!((rejected.reason(), rejected.after()), (Reason::RateLimited, None));
}

#[tokio::test(start_paused = true)]
async fn who_waits_goes_on_waiting_while_the_quota_is_closed() {
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1>()))
        .queue(10)
        .longest_wait(SECOND * 10);
    let service = layer.layer(Scripted::echo());
    service.clone().oneshot(0).await.unwrap();
    let waits: Vec<_> = (1..=2).map(|n| tokio::spawn(service.clone().oneshot(n))).collect();
    tokio::task::yield_now().await;
    layer.handle().set_quota(Quota::CLOSED);
    tokio::time::sleep(SECOND * 5).await;
    assert_eq!(layer.handle().waiting(), 2);
    let error = service.clone().oneshot(3).await.unwrap_err();
    assert_eq!(Rejected::find(&*error).unwrap().after(), None, "nobody knows when");
    layer.handle().set_quota(Quota::per_second(count::<1>()));
    for call in waits {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_told_a_moment_while_the_quota_is_closed() {
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1>())).queue(10);
    let service = layer.layer(Scripted::echo());
    service.clone().oneshot(0).await.unwrap();
    let waits = tokio::spawn(service.clone().oneshot(1));
    tokio::task::yield_now().await;
    layer.handle().set_quota(Quota::CLOSED);
    let error = waits.await.unwrap().unwrap_err();
    let rejected = Rejected::find(&*error).unwrap();
    assert_eq!((rejected.reason(), rejected.after()), (Reason::QueueTimeout, None));
}

#[tokio::test(start_paused = true)]
async fn what_is_settled_while_a_key_is_closed_does_not_close_it_for_ever() {
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1000>()))
        .per_key(KeyLimit::new(10, Quota::per_second(count::<10>())), |_: &u32| Some(Key::of("a")))
        .settle(|_: Result<&u32, &BoxError>| Settlement::Cost(2));
    let mut service = layer.layer(service_fn(|n: u32| async move { Ok::<_, BoxError>(n) }));
    let answer = service.ready().await.unwrap().call(1);
    layer.handle().set_exception(0, Key::of("a"), Some(Quota::CLOSED));
    answer.await.unwrap();
    layer.handle().set_exception(0, Key::of("a"), None);
    tokio::time::advance(SECOND * 3600).await;
    assert!(service.clone().oneshot(1).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_given_back_while_a_key_is_closed_wipes_out_no_debt() {
    let quota = Quota::per_hour(count::<10>()).burst(count::<10>());
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1000>()))
        .per_key(KeyLimit::new(10, quota), |_: &u32| Some(Key::of("a")))
        .settle(|_: Result<&u32, &BoxError>| Settlement::Refund);
    let mut service = layer.layer(service_fn(|n: u32| async move { Ok::<_, BoxError>(n) }));
    let mut answers: Vec<_> = (0..10).map(|n| service.call(n)).collect();
    layer.handle().set_key_quota(0, Quota::CLOSED);
    answers.pop().unwrap().await.unwrap();
    layer.handle().set_key_quota(0, quota);
    let mut left = None;
    each(&layer.standings(), &0, &mut |standing| {
        left = left.or((standing.policy == "key").then_some(standing.remaining));
    });
    assert_eq!(left, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_layer_of_its_own_serves_the_newest_first_if_the_other_does() {
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1>()))
        .queue(9)
        .longest_wait(Duration::MAX)
        .newest_first(Priority::Medium, true);
    for layer in [layer.clone().separate(), layer.fork()] {
        let service = layer.layer(Scripted::echo());
        service.clone().oneshot(0).await.unwrap();
        let (mut old, mut new) = (call(&service, 1), call(&service, 2));
        assert!(poll(&mut old).is_pending() && poll(&mut new).is_pending());
        tokio::time::advance(SECOND * 3 / 2).await;
        assert!(poll(&mut old).is_pending() && poll(&mut new).is_ready());
    }
}

#[tokio::test(start_paused = true)]
async fn shadow_refuses_nobody_that_waits_for_readiness() {
    let known = facts().deadline_from(|_: &u32| Some(Deadline::after(SECOND)));
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<10>()))
        .facts(known)
        .enforcement(Enforcement::Shadow)
        .queue(9);
    let scripted = Scripted::echo();
    scripted.script().always_ready(Readiness::held());
    let mut call = call(&layer.layer(scripted), 1);
    assert!(poll(&mut call).is_pending());
    tokio::time::advance(SECOND * 2).await;
    assert!(poll(&mut call).is_pending());
    let statistics = layer.handle().statistics().of(Priority::Medium);
    assert_eq!((statistics.deadline_passed, layer.handle().standing().remaining), (1, 10));
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_let_go_when_refusals_are_carried_out_no_more() {
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1>())).queue(9);
    let service = layer.layer(Scripted::echo());
    service.clone().oneshot(0).await.unwrap();
    let waits = tokio::spawn(service.clone().oneshot(1));
    tokio::task::yield_now().await;
    layer.handle().set_quota(Quota::CLOSED);
    layer.handle().set_enforcement(Enforcement::Shadow);
    assert_eq!(waits.await.unwrap().unwrap(), 1);
    assert_eq!(layer.handle().statistics().of(Priority::Medium).queue_timeout, 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_reservation_takes_nothing() {
    let quota = Quota::per(SECOND * 10, count::<10>()).burst(count::<10>());
    for algorithm in [
        gate::Algorithm::Gcra,
        gate::Algorithm::TokenBucket,
        gate::Algorithm::FixedWindow,
        gate::Algorithm::SlidingCounter,
        gate::Algorithm::SlidingLog,
    ] {
        let handle = PriorityRateLimitLayer::with_algorithm(algorithm, quota).handle();
        handle.try_reserve(count::<5>(), Duration::ZERO).unwrap().spend();
        let before = handle.standing();
        let refused = handle.try_reserve(count::<6>(), Duration::ZERO).unwrap_err();
        assert!(refused.after().is_some());
        assert_eq!(handle.standing(), before, "{algorithm:?}");
    }
}

#[test]
fn of_two_changes_at_one_time_the_same_is_last_everywhere() {
    let (handle, barrier) = (PriorityRateLimitLayer::new(Quota::CLOSED).handle(), Barrier::new(2));
    let change = |count| {
        for round in 0..5000 {
            barrier.wait();
            handle.set_quota(Quota::per_second(count));
            barrier.wait();
            assert_eq!(handle.present_quota(), handle.quota(), "in round {round}");
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| change(count::<10>()));
        change(count::<20>());
    });
}

/// Ten a second, so many at once; the number of a request is its client.
fn by_client(burst: NonZeroU32) -> PriorityRateLimitLayer<impl Facts<u32> + Clone> {
    let known = facts().key_from(|number: &u32| Some(Key::of(number)));
    PriorityRateLimitLayer::new(Quota::per_second(count::<10>()).burst(burst)).facts(known)
}

#[tokio::test(start_paused = true)]
async fn the_refusals_of_one_client_push_nobody_elses_moment() {
    let service = by_client(count::<1>()).layer(Scripted::echo());
    service.clone().oneshot(0).await.unwrap();
    for _ in 0..300 {
        service.clone().oneshot(0).await.unwrap_err();
    }
    let told = after(service.oneshot(7).await);
    assert_eq!(told, RetryAfter::reserved(SECOND / 2), "four of the other are before it");
}

#[tokio::test(start_paused = true)]
async fn who_asks_again_is_told_its_own_moment_again() {
    let service = by_client(count::<1>()).layer(Scripted::echo());
    service.clone().oneshot(0).await.unwrap();
    let told: Vec<_> = [1, 1, 1, 1, 2, 1].map(|n| service.clone().oneshot(n)).into();
    let mut after_all = Vec::new();
    for call in told {
        after_all.push(after(call.await));
    }
    let slots = [1, 2, 3, 4, 5].map(|n| RetryAfter::reserved(SECOND * n / 10));
    assert_eq!(after_all[..5], slots);
    assert_eq!(after_all[5], RetryAfter::hint(SECOND / 10), "others of its own come then as well");
}

#[tokio::test(start_paused = true)]
async fn each_of_the_requests_of_a_client_has_its_moment() {
    let service = by_client(count::<2>()).layer(Scripted::echo());
    for number in 0..2 {
        service.clone().oneshot(number).await.unwrap();
    }
    let told = [after(service.clone().oneshot(7).await), after(service.clone().oneshot(7).await)];
    for (n, told) in (1..).zip(told) {
        assert_eq!(told, RetryAfter::reserved(SECOND * n / 10));
        tokio::time::advance(SECOND / 10).await;
        // A newcomer is quicker, if it can be.
        let _ = service.clone().oneshot(100 + n).await;
        service.clone().oneshot(7).await.unwrap();
    }
    assert!(service.oneshot(7).await.is_err(), "both are used up");
}

#[tokio::test(start_paused = true)]
async fn a_promise_is_used_up_also_by_who_passes_without_it() {
    for queue in [0, 1] {
        let layer = by_client(count::<1>()).queue(queue).longest_wait(Duration::ZERO);
        let service = layer.layer(Scripted::echo());
        service.clone().oneshot(0).await.unwrap();
        let told = after(service.clone().oneshot(7).await);
        tokio::time::advance(told.delay).await;
        service.clone().oneshot(7).await.unwrap();
        assert!(service.clone().oneshot(7).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn moments_come_nearer_when_the_quota_is_raised() {
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1>()));
    let service = layer.layer(Scripted::echo());
    for number in 0..100 {
        let _ = service.clone().oneshot(number).await;
    }
    layer.handle().set_quota(Quota::per_second(count::<1000>()).burst(count::<1>()));
    service.clone().oneshot(0).await.unwrap_err();
    let told = after(service.oneshot(0).await);
    assert!(told.reserved && told.delay <= Duration::from_millis(33), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_promise_lets_nobody_pass_before_a_higher_class_that_waits() {
    let known = facts()
        .key_from(|number: &u32| Some(Key::of(number)))
        .priority_from(|number: &u32| (*number > 99).then_some(Priority::High));
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<10>()).burst(count::<1>()))
        .facts(known)
        .queue(9)
        .longest_wait_of(Priority::Medium, Duration::ZERO)
        .longest_wait_of(Priority::High, SECOND * 9);
    let service = layer.layer(Scripted::echo());
    service.clone().oneshot(0).await.unwrap();
    let told = after(service.clone().oneshot(7).await);
    let mut waiting: Vec<_> = (100..103).map(|n| call(&service, n)).collect();
    assert!(waiting.iter_mut().all(|call| poll(call).is_pending()));
    tokio::time::advance(told.delay).await;
    assert!(service.clone().oneshot(7).await.is_err(), "three of a higher class wait");
    drop(waiting);
    service.clone().oneshot(8).await.unwrap();
    service.oneshot(7).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_told_with_the_moment_that_a_refusal_is_told() {
    use gate::Algorithm::{
        FixedWindow, Gcra, Pacing, SlidingCounter, SlidingLog, TokenBucket, WarmUp,
    };
    let warm = WarmUp(SECOND * 30);
    for algorithm in [Gcra, TokenBucket, FixedWindow, SlidingCounter, SlidingLog, Pacing, warm] {
        tokio::time::advance(Duration::from_millis(12_345)).await;
        let minute = Quota::per_minute(count::<60>()).burst(count::<60>());
        let layer = PriorityRateLimitLayer::with_algorithm(algorithm, minute);
        let service = layer.layer(Scripted::echo());
        let left = || {
            let mut left = (0, Duration::ZERO);
            let tell = &mut |told: &Standing<'_>| left = (told.remaining, told.reset);
            each(&layer.handle(), &0, tell);
            left
        };
        assert_eq!(left().1, Duration::ZERO, "{algorithm:?}: all is there");
        while service.clone().oneshot(1).await.is_ok() {
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        let (remaining, reset) = left();
        let gate_says = layer.layer(()).shared.door.gate.when(clock::now(), 1).unwrap();
        assert_eq!((remaining, reset), (0, gate_says.since(clock::now())), "{algorithm:?}");
        tokio::time::advance(reset).await;
        assert!(service.oneshot(1).await.is_ok(), "{algorithm:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_in_debt_is_told_when_that_is_paid() {
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1000>()))
        .per_key(KeyLimit::new(10, Quota::per_second(count::<10>())), |_: &u32| Some(Key::of("a")))
        .settle(|_: Result<&u32, &BoxError>| Settlement::Cost(600));
    let service = layer.layer(service_fn(|n: u32| async move { Ok::<_, BoxError>(n) }));
    let left = || {
        let mut left = None;
        each(&layer.standings(), &0, &mut |told| {
            left = left.or(Some((told.remaining, told.reset)));
        });
        left.unwrap()
    };
    assert_eq!(left(), (10, Duration::ZERO));
    service.clone().oneshot(1).await.unwrap();
    let told = after(service.clone().oneshot(1).await);
    assert_eq!((left(), told.delay), ((0, SECOND * 591 / 10), SECOND * 591 / 10));
    tokio::time::advance(told.delay + SECOND / 40).await;
    assert_eq!(left(), (1, SECOND * 3 / 40));
}

#[tokio::test(start_paused = true)]
async fn each_limit_is_told_by_the_key_that_its_own_closure_gives() {
    let ten = Quota::per_hour(count::<10>()).burst(count::<10>());
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1000>()))
        .per_key(KeyLimit::new(100, ten).name("tenant"), |pair: &(u32, u32)| Some(Key::of(&pair.0)))
        .per_key(KeyLimit::new(100, ten).name("user"), |pair: &(u32, u32)| {
            (pair.1 > 0).then(|| Key::of(&pair.1))
        });
    let service = layer.layer(service_fn(|_: (u32, u32)| async { Ok::<u32, BoxError>(1) }));
    for pair in [(1, 5), (1, 6), (1, 6), (2, 6), (1, 0)] {
        service.clone().oneshot(pair).await.unwrap();
    }
    let left = |pair| {
        let mut told = Vec::new();
        each(&layer.standings(), &pair, &mut |left| {
            told.push((left.policy.to_owned(), left.remaining));
        });
        told
    };
    let of = |policy: &str, left| (policy.to_owned(), left);
    let common = || of("rate_limit", 995);
    assert_eq!(left((1, 6)), [of("tenant", 6), of("user", 7), common()]);
    assert_eq!(left((2, 5)), [of("tenant", 9), of("user", 9), common()]);
    assert_eq!(left((3, 0)), [of("tenant", 10), common()], "who has no key has no such limit");
    let mut told = 0;
    each(&layer.handle(), &(1, 6), &mut |left| told += left.remaining);
    assert_eq!(told, 995);
}

#[tokio::test(start_paused = true)]
async fn the_highest_class_takes_the_place_of_the_newest_of_the_lowest() {
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1>()))
        .facts(classed())
        .queue(2)
        .longest_wait(SECOND * 100);
    let service = layer.layer(Scripted::echo());
    service.clone().oneshot(0).await.unwrap();
    let mut batch: Vec<Response> = (0..2).map(|_| call(&service, 3)).collect();
    let mut high: Vec<Response> = (0..2).map(|_| call(&service, 0)).collect();
    assert!(batch.iter_mut().chain(&mut high).all(|call| poll(call).is_pending()));
    let before = layer.handle().waiting();
    for evicted in [1, 0] {
        high.push(call(&service, 0));
        assert!(high.last_mut().is_some_and(|call| poll(call).is_pending()));
        assert_eq!(layer.handle().waiting(), before);
        let Poll::Ready(outcome) = poll(&mut batch[evicted]) else { panic!("it keeps its place") };
        let error = outcome.unwrap_err();
        let rejected = Rejected::find(&*error).unwrap();
        assert!(rejected.reason() == Reason::QueueFull && rejected.after().is_some());
    }
    // None is left to be put out, and other classes put nobody out.
    assert_eq!(reason(service.clone().oneshot(0).await), Reason::QueueFull);
    drop(high);
    assert_eq!(layer.handle().waiting(), 0);
    assert_eq!(layer.handle().statistics().of(Priority::Batch).queue_full, 2);
}

#[tokio::test(start_paused = true)]
async fn a_greedy_client_of_the_highest_class_puts_nobody_out() {
    let known = facts()
        .key_from(|number: &u32| Some(Key::of(number)))
        .priority_from(|number: &u32| Some(Priority::ALL[if *number == 0 { 0 } else { 3 }]));
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1>()))
        .facts(known)
        .queue(10)
        .longest_wait(SECOND * 100);
    let service = layer.layer(Scripted::echo());
    service.clone().oneshot(99).await.unwrap();
    let mut calls: Vec<Response> = (1..=5).map(|n| call(&service, n)).collect();
    calls.extend((0..20).map(|_| call(&service, 0)));
    let waiting = calls.iter_mut().filter_map(|call| poll(call).is_pending().then_some(())).count();
    assert_eq!(waiting, 5 + 5, "half of its class, and all of the lowest");
}

#[tokio::test(start_paused = true)]
async fn a_schedule_is_followed_by_itself_and_told() {
    let since = clock::wall().duration_since(UNIX_EPOCH).unwrap();
    let hour = |number: u32| Duration::from_secs(since.as_secs() % 86_400) + SECOND * 3600 * number;
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1>()))
        .queue(10)
        .schedule(Schedule::new([Span::new(hour(1), hour(2), Multiplier::TWO)]))
        .on_event(move |event| log.lock().unwrap().push(event.reason));
    let service = layer.layer(Scripted::echo());
    let shared = layer.layer(()).shared;
    let present = || shared.door.gate.quota().count();
    for (pause, expected) in [(60, 1), (3600, 2), (1200, 2), (3600, 1), (86_400, 1)] {
        tokio::time::advance(SECOND * pause).await;
        service.clone().oneshot(0).await.unwrap();
        assert_eq!(present(), expected, "after {pause} s more");
    }
    assert_eq!(*told.lock().unwrap(), ["schedule", "schedule"], "a day later it is as it was");

    let separate = layer.separate();
    assert_eq!(separate.handle().present_quota().count(), present());
}

fn recording(
    order: &Arc<Mutex<Vec<u32>>>,
) -> impl Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + Send + use<> {
    let log = Arc::clone(order);
    service_fn(move |number: u32| {
        log.lock().unwrap().push(number);
        async move { Ok::<_, BoxError>(number) }
    })
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

fn each<R>(limits: &impl Standings<R>, request: &R, tell: &mut dyn FnMut(&Standing<'_>)) {
    limits.each(&limits.keep(request), tell);
}

fn reason(outcome: Result<u32, BoxError>) -> Reason {
    Rejected::find(&*outcome.unwrap_err()).unwrap().reason()
}

fn after(outcome: Result<u32, BoxError>) -> RetryAfter {
    Rejected::find(&*outcome.unwrap_err()).unwrap().after().unwrap()
}

fn paused<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(work)
}
