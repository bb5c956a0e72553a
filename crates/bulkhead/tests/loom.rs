//! Every interleaving of a few threads on what the parts of a bulkhead lend each other, model-checked by loom.
//!
//! Run it with
//! `RUSTFLAGS="--cfg ballast_loom" CARGO_TARGET_DIR=target/loom LOOM_MAX_PREEMPTIONS=2
//! cargo test -p tower-ballast-bulkhead --test loom --release`. In ordinary builds it is empty.

#![cfg(ballast_loom)]

use std::{
    sync::Arc,
    task::{Wake, Waker},
};

use loom::{
    model::Builder,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
};
use tower_ballast_bulkhead::model::Halves;
use tower_ballast_core::Ratio;

const HALF: Ratio = Ratio::percent::<50>();
const ALL: Ratio = Ratio::ONE;

/// A settlement looks at each part several times, which is more than loom expects of a model.
fn model(check: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.max_branches = 20_000;
    builder.check(check);
}

#[test]
fn no_place_is_lost_or_made_between_two_parts() {
    model(|| {
        let halves = Halves::new(1, ALL);
        let other = {
            let halves = halves.clone();
            thread::spawn(move || halves.enter(1))
        };
        let (ours, theirs) = (halves.enter(0), other.join().unwrap());
        let inside = u32::from(ours.is_some()) + u32::from(theirs.is_some());
        assert_eq!((inside, halves.inside(), halves.places()), (1, 1, 1));
        drop((ours, theirs));
        let again = [1, 0].map(|part| halves.enter(part));
        assert_eq!((halves.inside(), halves.places()), (1, 1));
        drop(again);
    });
}

#[test]
fn a_change_of_the_limit_beside_traffic_makes_no_places() {
    model(|| {
        let halves = Halves::new(2, HALF);
        let held = halves.join(1);
        let resizes = {
            let halves = halves.clone();
            thread::spawn(move || halves.resize(1))
        };
        let late = halves.join(1);
        resizes.join().unwrap();
        assert!(halves.places() <= 2);
        drop((held, late));
        let again = [0, 1].map(|part| halves.join(part));
        assert_eq!((halves.inside(), halves.places()), (1, 1));
        drop(again);
    });
}

/// One waits in a part while somebody leaves the other: it is inside, or woken and then inside.
fn nobody_sleeps_through_what_comes_back(part: usize) {
    model(move || {
        let (halves, flag) = (Halves::new(1, ALL), Arc::<Flag>::default());
        let held = halves.join(1 - part);
        let leaves = thread::spawn(move || drop(held));
        let mut waits = halves.join(part);
        let waker = Waker::from(Arc::clone(&flag));
        let is_inside = waits.look(&waker);
        leaves.join().unwrap();
        assert!(is_inside || flag.is_up(), "it sleeps, and a place is free");
        assert!(waits.look(&waker));
    });
}

#[test]
fn whose_share_it_is_does_not_sleep_through_a_place_that_comes_back() {
    nobody_sleeps_through_what_comes_back(0);
}

#[test]
fn who_borrows_does_not_sleep_through_a_place_that_comes_back() {
    nobody_sleeps_through_what_comes_back(1);
}

/// Of two that wait, in two parts, the first may have the place, and gives up just then.
#[test]
fn who_gives_up_its_turn_leaves_the_place_to_who_waits_in_another_part() {
    model(|| {
        let (halves, flag) = (Halves::new(1, ALL), Arc::<Flag>::default());
        let held = halves.join(1);
        let (first, mut second) = (halves.join(0), halves.join(1));
        let waker = Waker::from(Arc::clone(&flag));
        assert!(!second.look(&waker));
        let leaves = thread::spawn(move || drop(held));
        drop(first);
        leaves.join().unwrap();
        assert!(flag.is_up(), "it sleeps, and a place is free");
        assert!(second.look(&waker));
        drop(second);
        assert_eq!((halves.inside(), halves.places()), (0, 1));
    });
}

struct Flag(AtomicBool);

impl Flag {
    fn is_up(&self) -> bool {
        self.0.load(SeqCst)
    }
}

impl Default for Flag {
    fn default() -> Self {
        Self(AtomicBool::new(false))
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}
