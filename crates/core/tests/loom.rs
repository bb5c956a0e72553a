//! Every interleaving of a few threads on the lock-free parts, model-checked by loom.
//!
//! Run it with
//! `RUSTFLAGS="--cfg ballast_loom" CARGO_TARGET_DIR=target/loom LOOM_MAX_PREEMPTIONS=2
//! cargo test -p tower-ballast-core --test loom --release`. In ordinary builds it is empty.

#![cfg(ballast_loom)]

#[path = "loom/epochs.rs"]
mod epochs;
#[path = "loom/flights.rs"]
mod flights;
#[path = "loom/gate.rs"]
mod gate;
#[path = "loom/journeys.rs"]
mod journeys;
#[path = "loom/keys.rs"]
mod keys;
#[path = "loom/line.rs"]
mod line;

use std::sync::Arc;

use loom::{model, sync::Mutex, thread};
use tower_ballast_core::{
    Budget, FailureKind, Ratio,
    budget::Withdrawal,
    clock::Nanos,
    count,
    permit::Permits,
    window::{CountWindow, Striped, Tally},
};

#[test]
fn the_last_token_is_withdrawn_once() {
    model(|| {
        let budget = Budget::new().initial(1);
        let other = spawn(&budget, |budget| withdraw(budget).map(spend).is_some());
        let ours = withdraw(&budget).map(spend).is_some();
        assert!(ours ^ other.join().unwrap());
        assert_eq!((budget.withdrawals(), budget.refusals()), (1, 1));
        assert_level(&budget, 0.0);
    });
}

#[test]
fn no_success_is_lost_beside_a_withdrawal() {
    model(|| {
        let budget = Budget::new().funding(Ratio::percent::<50>()).initial(1);
        let other = spawn(&budget, |budget| budget.success());
        let spent = withdraw(&budget).map(spend).is_some();
        budget.success();
        other.join().unwrap();
        assert!(spent);
        assert_level(&budget, 1.0);
    });
}

#[test]
fn a_retry_that_is_cancelled_gives_its_token_back() {
    model(|| {
        let budget = Budget::new().initial(1);
        let cancelled = spawn(&budget, |budget| drop(withdraw(budget)));
        let spent = withdraw(&budget).map(spend).is_some();
        cancelled.join().unwrap();
        assert_level(&budget, if spent { 0.0 } else { 1.0 });
    });
}

#[test]
fn deposits_and_refunds_never_pass_the_most() {
    model(|| {
        let budget = Budget::new().funding(Ratio::ONE).initial(1).most(1);
        let cancelled = spawn(&budget, |budget| drop(withdraw(budget)));
        budget.success();
        assert!(budget.balance() <= 1.0);
        cancelled.join().unwrap();
        assert_level(&budget, 1.0);
    });
}

#[test]
fn a_second_is_paid_to_one_of_those_who_see_it_pass() {
    model(|| {
        let budget = Budget::per_request(Ratio::ZERO).initial(0).floor(1);
        let other = spawn(&budget, |budget| withdraw(budget).map(spend).is_some());
        let ours = withdraw(&budget).map(spend).is_some();
        // Who comes second may look before the first has paid, but never gets a token of its own.
        let theirs = other.join().unwrap();
        assert!(!(ours && theirs));
        assert_level(&budget, if ours || theirs { 0.0 } else { 1.0 });
    });
}

#[test]
fn retries_in_flight_stay_below_their_share() {
    model(|| {
        let budget = Budget::in_flight(Ratio::percent::<50>()).floor(0);
        let running = [budget.enter(), budget.enter()];
        let other = spawn(&budget, |budget| withdraw(budget).map(spend));
        let ours = withdraw(&budget).map(spend);
        let theirs = other.join().unwrap();
        assert!(ours.is_some() ^ theirs.is_some());
        drop((ours, theirs));
        assert_level(&budget, 1.0);
        drop(running);
        assert_level(&budget, 0.0);
    });
}

#[test]
fn what_is_added_while_draining_is_drained_once() {
    model(|| {
        let counter = Arc::new(Striped::new());
        let add = {
            let counter = counter.clone();
            thread::spawn(move || {
                counter.add();
                counter.add();
            })
        };
        counter.add();
        let first = counter.drain();
        add.join().unwrap();
        assert_eq!(first + counter.drain(), 3);
        assert_eq!(counter.sum(), 0);
    });
}

#[test]
fn two_rotations_count_no_success_twice() {
    model(|| {
        let breaker = Arc::new(Breaker::new());
        let other = {
            let breaker = breaker.clone();
            thread::spawn(move || {
                breaker.successes.add();
                breaker.fail();
            })
        };
        breaker.successes.add();
        breaker.fail();
        other.join().unwrap();
        assert_eq!(breaker.read(), Tally { calls: 4, failures: 2, slow: 0 });
    });
}

#[test]
fn a_failure_sees_every_success_that_ended_before_it() {
    model(|| {
        let breaker = Arc::new(Breaker::new());
        let early = {
            let breaker = breaker.clone();
            thread::spawn(move || breaker.successes.add())
        };
        let late = {
            let breaker = breaker.clone();
            thread::spawn(move || breaker.successes.add())
        };
        early.join().unwrap();
        let seen = breaker.fail();
        assert!((2..=3).contains(&seen.calls), "the early one and the failure: {seen:?}");
        late.join().unwrap();
        assert_eq!(breaker.read().calls, 3);
    });
}

#[test]
fn the_last_permit_goes_to_one() {
    model(|| {
        let permits = Arc::new(Permits::new(1));
        let other = on_permits(&permits, Permits::try_acquire);
        let ours = permits.try_acquire();
        let theirs = other.join().unwrap();
        assert!(ours.is_some() ^ theirs.is_some());
        drop((ours, theirs));
        assert_eq!(permits.in_use(), 0);
    });
}

#[test]
fn a_permit_dropped_elsewhere_can_be_had_again() {
    model(|| {
        let permits = Arc::new(Permits::new(1));
        let held = permits.try_acquire();
        let drops = thread::spawn(move || drop(held));
        let early = permits.try_acquire();
        assert!(permits.in_use() <= 1);
        drops.join().unwrap();
        drop(early);
        assert!(permits.try_acquire().is_some());
        assert_eq!(permits.in_use(), 0);
    });
}

#[test]
fn a_limit_changed_amid_traffic_loses_no_permit() {
    model(|| {
        let permits = Arc::new(Permits::new(1));
        let resizes = on_permits(&permits, |permits| permits.resize(2));
        let drops = on_permits(&permits, |permits| drop(permits.try_acquire()));
        let held = permits.try_acquire();
        resizes.join().unwrap();
        drops.join().unwrap();
        assert_eq!((permits.limit(), permits.in_use()), (2, u32::from(held.is_some())));
    });
}

/// The striped counter as a breaker uses it: successes only add, and a failure folds them into
/// the window under the lock.
struct Breaker {
    successes: Striped,
    window: Mutex<CountWindow>,
}

impl Breaker {
    fn new() -> Self {
        Self { successes: Striped::new(), window: Mutex::new(CountWindow::new(count::<10>())) }
    }

    fn fail(&self) -> Tally {
        let mut window = self.window.lock().unwrap();
        window.record_successes(self.successes.drain());
        window.record(true, false);
        window.tally()
    }

    fn read(&self) -> Tally {
        let mut window = self.window.lock().unwrap();
        window.record_successes(self.successes.drain());
        window.tally()
    }
}

fn withdraw(budget: &Budget) -> Option<Withdrawal> {
    budget.withdraw(FailureKind::Transient, Nanos::ZERO)
}

fn spend(mut withdrawal: Withdrawal) -> Withdrawal {
    withdrawal.spend();
    withdrawal
}

fn spawn<T: 'static>(
    budget: &Budget,
    work: impl FnOnce(&Budget) -> T + 'static,
) -> thread::JoinHandle<T> {
    let budget = budget.clone();
    thread::spawn(move || work(&budget))
}

fn on_permits<T: 'static>(
    permits: &Arc<Permits>,
    work: impl FnOnce(&Arc<Permits>) -> T + 'static,
) -> thread::JoinHandle<T> {
    let permits = permits.clone();
    thread::spawn(move || work(&permits))
}

fn assert_level(budget: &Budget, tokens: f64) {
    assert!((budget.balance() - tokens).abs() < 1e-9, "{} tokens", budget.balance());
}
