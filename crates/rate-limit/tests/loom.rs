//! Every interleaving of a few threads on the gates without a lock and on the door, model-checked by loom.
//!
//! Run it with
//! `RUSTFLAGS="--cfg ballast_loom" CARGO_TARGET_DIR=target/loom LOOM_MAX_PREEMPTIONS=2
//! cargo test -p tower-ballast-rate-limit --test loom --release`. In ordinary builds it is empty.

#![cfg(ballast_loom)]

use std::{
    num::NonZeroU32,
    sync::Arc,
    task::{Wake, Waker},
    time::Duration,
};

use loom::{
    model,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
};
use tower_ballast_core::{clock::Nanos, count};
use tower_ballast_rate_limit::{
    Quota,
    gate::{Algorithm, Gate},
    model::Full,
};

const NOW: Nanos = Nanos::from_nanos(1_000_000_000_000);

/// Slow enough for nothing to come back.
fn quota(burst: NonZeroU32) -> Quota {
    Quota::per(Duration::from_secs(60), burst).burst(burst)
}

fn gates(burst: NonZeroU32) -> [Arc<Gate>; 2] {
    [Algorithm::Gcra, Algorithm::FixedWindow]
        .map(|algorithm| Arc::new(Gate::new(algorithm, quota(burst))))
}

fn take(gate: &Gate) -> u32 {
    u32::from(gate.take(NOW, 1).is_ok())
}

fn spawn<T: 'static>(
    gate: &Arc<Gate>,
    work: impl FnOnce(&Gate) -> T + 'static,
) -> thread::JoinHandle<T> {
    let gate = Arc::clone(gate);
    thread::spawn(move || work(&gate))
}

#[test]
fn the_last_of_a_quota_goes_to_one() {
    model(|| {
        for gate in gates(count::<1>()) {
            let other = spawn(&gate, take);
            let ours = take(&gate);
            assert_eq!(ours + other.join().unwrap(), 1);
        }
    });
}

#[test]
fn what_is_given_back_passes_once_more() {
    model(|| {
        for gate in gates(count::<1>()) {
            assert_eq!(take(&gate), 1);
            let cancels = spawn(&gate, |gate| gate.give_back(NOW, 1));
            let early = take(&gate);
            cancels.join().unwrap();
            assert_eq!(early + take(&gate), 1);
        }
    });
}

#[test]
fn a_change_beside_traffic_makes_no_permits() {
    model(|| {
        for gate in gates(count::<2>()) {
            // Few at long intervals become many at short ones, and the other way round.
            let many = Quota::per(Duration::from_secs(60), count::<60>()).burst(count::<2>());
            let changes = spawn(&gate, move |gate| gate.configure(NOW, many));
            let passed = take(&gate) + take(&gate) + take(&gate);
            changes.join().unwrap();
            let left = gate.standing(NOW).remaining;
            assert!(passed <= gate.standing(NOW).limit);
            assert_eq!(passed + left, gate.standing(NOW).limit);
        }
    });
}

#[test]
fn reservations_of_two_have_slots_of_their_own() {
    model(|| {
        for gate in gates(count::<1>()) {
            let minute = Duration::from_secs(60);
            let other = spawn(&gate, move |gate| gate.reserve(NOW, 1, minute));
            let ours = gate.reserve(NOW, 1, minute);
            assert_ne!(ours, other.join().unwrap());
        }
    });
}

#[test]
fn two_that_drain_at_one_time_leave_no_debt() {
    model(|| {
        for gate in gates(count::<2>()) {
            let other = spawn(&gate, |gate| gate.drain(NOW));
            gate.drain(NOW);
            other.join().unwrap();
            assert_eq!(gate.standing(NOW).remaining, 0);
            gate.give_back(NOW, 1);
            assert_eq!(take(&gate), 1);
        }
    });
}

/// A newcomer looks once while something happens that lets it pass: it sees that, or it is woken.
fn nobody_sleeps_through(what: fn(&Full)) {
    model(move || {
        let (door, flag) = (Arc::new(Full::new(NOW)), Arc::<Flag>::default());
        let happens = {
            let door = Arc::clone(&door);
            thread::spawn(move || what(&door))
        };
        let mut place = door.join();
        let opens = door.look(&mut place, &Waker::from(Arc::clone(&flag)));
        happens.join().unwrap();
        let is_soon = opens <= NOW + Duration::from_nanos(1);
        assert!(is_soon || flag.is_up(), "it sleeps, and may pass");
    });
}

#[test]
fn nobody_sleeps_through_what_is_given_back() {
    nobody_sleeps_through(Full::give_back);
}

#[test]
fn nobody_sleeps_through_a_change_of_the_quota() {
    nobody_sleeps_through(Full::raise);
}

#[test]
fn who_leaves_wakes_its_successor() {
    model(|| {
        let (door, flag) = (Arc::new(Full::new(NOW)), Arc::<Flag>::default());
        let first = door.join().unwrap();
        let leaves = {
            let door = Arc::clone(&door);
            thread::spawn(move || door.quit(first))
        };
        let mut second = door.join();
        let opens = door.look(&mut second, &Waker::from(Arc::clone(&flag)));
        leaves.join().unwrap();
        assert!(opens < Nanos::MAX || flag.is_up(), "nobody sets a timer");
        assert!(door.is_busy());
        door.quit(second.unwrap());
        assert!(!door.is_busy());
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
