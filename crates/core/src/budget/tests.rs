#![allow(clippy::float_cmp, reason = "whole tokens are exact in an f64")]

use std::{collections::VecDeque, thread, time::Duration};

use proptest::prelude::*;

use super::*;

const KIND: FailureKind = FailureKind::Transient;
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn it_starts_with_five_and_a_success_earns_a_tenth() {
    let budget = Budget::new();
    assert_eq!((0..20).filter(|_| spend(&budget)).count(), 5);
    (0..9).for_each(|_| budget.success());
    assert!(!spend(&budget));
    budget.success();
    assert!(spend(&budget));
    (0..1000).for_each(|_| budget.success());
    assert_eq!((0..20).filter(|_| spend(&budget)).count(), 10);
}

#[test]
fn ten_thousand_successes_fund_their_share_of_retries() {
    for share in [0.0001, 0.001, 0.0333, 0.1, 0.25, 1.0 / 3.0, 0.5, 0.9, 0.999, 0.9999] {
        for budget in [Budget::new(), Budget::per_request(Ratio::ZERO)] {
            let budget = budget.funding(Ratio::try_new("funding", share).unwrap());
            assert_eq!((0..5).filter(|_| spend(&budget)).count(), 5, "the initial burst");
            let allowed = (0..10_000).filter(|_| {
                drop(budget.enter());
                budget.success();
                spend(&budget)
            });
            let allowed = f64::from(u32::try_from(allowed.count()).unwrap());
            assert!((allowed - 10_000.0 * share).abs() <= 1.0, "{allowed} for {share}");
        }
    }
}

#[test]
fn a_withdrawal_dropped_unspent_is_given_back() {
    let budget = Budget::new().initial(1);
    drop(budget.withdraw(KIND, Nanos::ZERO).unwrap());
    assert_eq!((balance(&budget), budget.refunds()), (1.0, 1));

    let mut withdrawal = budget.withdraw(KIND, Nanos::ZERO).unwrap();
    withdrawal.spend();
    drop(withdrawal);
    assert_eq!((balance(&budget), budget.refunds(), budget.withdrawals()), (0.0, 1, 2));
}

#[test]
fn each_kind_of_failure_costs_its_own() {
    let budget = Budget::new().cost(FailureKind::Timeout, 3).cost(FailureKind::Throttled, 0);
    let costs = FailureKind::ALL.map(|kind| {
        let before = balance(&budget);
        let withdrawal = budget.withdraw(kind, Nanos::ZERO).unwrap();
        let cost = before - balance(&budget);
        drop(withdrawal);
        cost
    });
    assert_eq!(costs, [1.0, 0.0, 3.0, 1.0]);
}

#[test]
fn setters_come_in_any_order_and_lose_no_token() {
    assert_eq!(balance(&Budget::new().initial(50).most(100)), 50.0);
    assert_eq!(balance(&Budget::new().most(100).initial(50)), 50.0);
    assert_eq!(balance(&Budget::new().most(3)), 3.0);
    assert_eq!(balance(&Budget::new().initial(u32::MAX).most(u32::MAX)), f64::from(u32::MAX));
}

#[test]
fn a_setter_on_a_clone_changes_what_is_shared_and_keeps_the_level() {
    let budget = Budget::new();
    spend(&budget);
    let _ = budget.clone().funding(Ratio::ONE).most(20);
    budget.success();
    assert_eq!(balance(&budget), 5.0);
}

#[test]
fn a_limit_of_zero_is_closed() {
    let budget = Budget::new().most(0);
    (0..100).for_each(|_| budget.success());
    assert!(!spend(&budget));
    assert_eq!(budget.refusals(), 1);
}

#[test]
fn a_floor_allows_so_many_a_second() {
    let budget = Budget::per_request(Ratio::ZERO).initial(0).floor(2);
    let start = Nanos::from_nanos(77);
    let allowed = |at: u64| {
        let now = start + Duration::from_millis(at);
        (0..20).filter(|_| spend_at(&budget, now)).count()
    };
    assert_eq!([0, 0, 499, 500, 1500, 1000].map(allowed), [2, 0, 0, 1, 2, 0]);
}

#[test]
fn a_year_at_once_pays_one_burst() {
    let budget = Budget::new().initial(0).floor(u32::MAX);
    let mut now = Nanos::ZERO;
    for _ in 0..3 {
        now = now + 365 * 24 * 3600 * SECOND;
        assert_eq!((0..20).filter(|_| spend_at(&budget, now)).count(), 10);
    }
    assert_eq!((0..20).filter(|_| spend_at(&budget, Nanos::MAX)).count(), 10);
}

#[test]
fn in_flight_holds_a_slot_until_the_retry_has_ended() {
    let budget = Budget::in_flight(Ratio::percent::<20>()).floor(1);
    let running: Vec<Active> = (0..10).map(|_| budget.enter()).collect();
    let mut retries: Vec<_> = (0..5).map_while(|_| budget.withdraw(KIND, Nanos::ZERO)).collect();
    assert_eq!((retries.len(), balance(&budget)), (2, 0.0));

    retries.iter_mut().for_each(Withdrawal::spend);
    assert!(budget.withdraw(KIND, Nanos::ZERO).is_none());
    drop(running);
    drop(retries.pop());
    assert!(budget.withdraw(KIND, Nanos::ZERO).is_none(), "the floor is one");
    drop(retries);
    assert!(budget.withdraw(KIND, Nanos::ZERO).is_some());
    assert_eq!(balance(&budget), 1.0);
}

#[test]
fn unlimited_never_refuses() {
    let budget = Budget::unlimited();
    assert!((0..1000).all(|_| spend(&budget)));
    assert_eq!((budget.withdrawals(), budget.refusals()), (1000, 0));
}

#[test]
fn threads_that_share_a_budget_spend_each_token_once() {
    let budget = Budget::new().funding(Ratio::percent::<50>()).most(u32::MAX).initial(0);
    let spent: usize = thread::scope(|scope| {
        let work = || {
            let spends = (0..10_000).filter(|_| {
                budget.success();
                drop(budget.withdraw(KIND, Nanos::ZERO));
                spend(&budget)
            });
            spends.count()
        };
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    let left = 10_000 - spent;
    assert_eq!(balance(&budget), f64::from(u32::try_from(left).unwrap()));
}

#[test]
fn it_moves_between_threads() {
    fn moves<T: Send + Sync + 'static>() {}
    moves::<Budget>();
    moves::<Withdrawal>();
    moves::<Active>();
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Success,
    Withdraw(usize),
    Spend,
    Refund,
    Wait(u64),
    Most(u32),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Success),
        4 => (0..4_usize).prop_map(Step::Withdraw),
        2 => Just(Step::Spend),
        2 => Just(Step::Refund),
        1 => (0..3_000_000_000_u64).prop_map(Step::Wait),
        1 => (0..20_u32).prop_map(Step::Most),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn it_does_what_one_counter_would(
        steps in prop::collection::vec(steps(), 0..80),
        funding in 0..=1_000_000_000_u64, timeout in 0..4_u32, floor in 0..3_u32,
    ) {
        let share = Ratio::try_new("funding", tokens::whole(funding)).unwrap();
        let budget = Budget::new().funding(share).cost(FailureKind::Timeout, timeout).floor(floor);
        let (mut level, mut most, mut now, mut paid) = (units(5), units(10), 1_000, None);
        let mut held = VecDeque::new();
        for step in steps {
            match step {
                Step::Success => {
                    budget.success();
                    level = (level + funding).min(most);
                }
                Step::Withdraw(kind) => {
                    let kind = FailureKind::ALL[kind];
                    let cost = units(if kind == FailureKind::Timeout { timeout } else { 1 });
                    let unpaid = paid.map_or(1_000_000_000, |paid| now - paid);
                    if floor > 0 {
                        paid = Some(now);
                        level = (level + unpaid * u64::from(floor)).min(most);
                    }
                    let withdrawal = budget.withdraw(kind, Nanos::from_nanos(now));
                    prop_assert_eq!(withdrawal.is_some(), level >= cost);
                    if let Some(withdrawal) = withdrawal {
                        level -= cost;
                        held.push_back((withdrawal, cost));
                    }
                }
                Step::Spend => if let Some((mut withdrawal, _)) = held.pop_front() {
                    withdrawal.spend();
                },
                Step::Refund => if let Some((_, cost)) = held.pop_front() {
                    level = (level + cost).min(most);
                },
                Step::Wait(nanos) => now += nanos,
                Step::Most(tokens) => {
                    let _ = budget.clone().most(tokens);
                    most = units(tokens);
                    level = level.min(most);
                }
            }
            prop_assert_eq!(balance(&budget), tokens::whole(level));
            prop_assert!(level <= most);
        }
    }

    #[test]
    fn in_flight_is_a_share_of_what_runs(
        steps in prop::collection::vec(0..4_u8, 0..200), percent in 0..=100_u32, floor in 0..4_u32,
    ) {
        let share = Ratio::try_new("share", f64::from(percent) / 100.0).unwrap();
        let budget = Budget::in_flight(share).floor(floor);
        let (mut running, mut retries) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                0 => running.push(budget.enter()),
                1 => drop(running.pop()),
                2 => drop(retries.pop()),
                _ => {
                    let before = retries.len() + 1;
                    let allowed = before * 100 <= running.len() * percent as usize
                        || before <= floor as usize;
                    retries.extend(budget.withdraw(KIND, Nanos::ZERO));
                    prop_assert_eq!(retries.len() == before, allowed);
                }
            }
        }
    }
}

fn spend(budget: &Budget) -> bool {
    spend_at(budget, Nanos::ZERO)
}

fn spend_at(budget: &Budget, now: Nanos) -> bool {
    budget.withdraw(KIND, now).is_some_and(|mut withdrawal| {
        withdrawal.spend();
        true
    })
}

fn balance(budget: &Budget) -> f64 {
    budget.balance()
}

#[test]
fn a_separate_budget_has_the_settings_and_not_the_past() {
    let budget = Budget::per_request(Ratio::percent::<30>())
        .initial(7)
        .most(20)
        .floor(2)
        .cost(FailureKind::Timeout, 5);
    let now = Nanos::from_nanos(1);
    budget.withdraw(FailureKind::Timeout, now).unwrap().spend();
    let separate = budget.separate();
    assert_eq!((separate.balance(), separate.withdrawals()), (7.0, 0));
    assert_eq!(separate.share(), budget.share());
    separate.withdraw(FailureKind::Timeout, now).unwrap().spend();
    // The floor pays a second's worth at the first withdrawal.
    assert_eq!(separate.balance(), 4.0);
    assert_eq!(Budget::in_flight(Ratio::ONE).floor(9).separate().share(), Some(Ratio::ONE));
}
