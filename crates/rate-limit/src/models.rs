//! Models of the door, which is not public, for `tests/loom.rs`.

use std::{
    sync::Arc,
    task::{Wake, Waker},
    time::Duration,
};

use loom::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
};
use tower_ballast_core::{clock::Nanos, count, ranks::Rank};

use crate::{
    Quota,
    door::{Door, Joined, Look},
    gate::{Algorithm, Gate},
};

const NOW: Nanos = Nanos::from_nanos(1_000_000_000_000);

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

/// One a minute, which has passed.
fn full() -> Arc<Door> {
    let quota = Quota::per_minute(count::<1>());
    let door = Door::new(Gate::new(Algorithm::Gcra, quota));
    assert!(door.try_pass(NOW, 1).is_ok());
    Arc::new(door)
}

/// Joins, looks once, and says when it passes as far as it knows.
fn wait(door: &Door, flag: &Arc<Flag>) -> Nanos {
    let rank = Rank { cost: 1, ..Rank::default() };
    let mut place = match door.join(rank, NOW, |_, _| true) {
        Joined::Passed => return NOW,
        Joined::Waits(place) => Some(place),
        other => panic!("{other:?}"),
    };
    let waker = Waker::from(Arc::clone(flag));
    let look = door.look(&mut place, NOW, &waker);
    // In the model it then sleeps for ever.
    std::mem::forget(place);
    match look {
        Look::Passed => NOW,
        Look::Opens(moment) => moment,
        Look::NotYet | Look::Never | Look::Evicted => Nanos::MAX,
    }
}

fn flag() -> Arc<Flag> {
    Arc::new(Flag(AtomicBool::new(false)))
}

/// What is given back while somebody joins is seen by it, or it is woken for it.
pub fn nobody_sleeps_through_what_is_given_back() {
    loom::model(|| {
        let (door, flag) = (full(), flag());
        let gives = {
            let door = Arc::clone(&door);
            thread::spawn(move || {
                door.gate.give_back(NOW, 1);
                door.stir();
            })
        };
        let opens = wait(&door, &flag);
        gives.join().unwrap();
        assert!(
            opens <= NOW + Duration::from_nanos(1) || flag.0.load(SeqCst),
            "it sleeps, and the gate is open"
        );
    });
}

/// The same for a quota that is raised.
pub fn nobody_sleeps_through_a_change_of_the_quota() {
    loom::model(|| {
        let (door, flag) = (full(), flag());
        let raises = {
            let door = Arc::clone(&door);
            thread::spawn(move || {
                let burst = Quota::per(Duration::from_nanos(1), count::<1>());
                door.gate.configure(NOW, burst);
                door.stir();
            })
        };
        let opens = wait(&door, &flag);
        raises.join().unwrap();
        assert!(
            opens <= NOW + Duration::from_nanos(1) || flag.0.load(SeqCst),
            "it sleeps by the old quota"
        );
    });
}

/// Whoever stood before and leaves wakes its successor, and passes nothing over.
pub fn who_leaves_wakes_its_successor() {
    loom::model(|| {
        let (door, flag) = (full(), flag());
        let rank = Rank { cost: 1, ..Rank::default() };
        let Joined::Waits(first) = door.join(rank, NOW, |_, _| true) else { panic!("it is full") };
        let leaves = {
            let door = Arc::clone(&door);
            thread::spawn(move || door.quit(first))
        };
        let Joined::Waits(second) = door.join(rank, NOW, |_, _| true) else { panic!("it is full") };
        let (mut second, waker) = (Some(second), Waker::from(Arc::clone(&flag)));
        let look = door.look(&mut second, NOW, &waker);
        leaves.join().unwrap();
        let knows = matches!(look, Look::Opens(_)) || flag.0.load(SeqCst);
        assert!(knows, "nobody sets a timer");
        door.quit(second.unwrap());
        assert!(door.try_pass(NOW, 1).is_err_and(|later| later.is_some()), "nobody waits");
    });
}
