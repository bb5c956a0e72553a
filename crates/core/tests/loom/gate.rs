//! A gate that lets one in, and all that may happen around the hand-over to who waits.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use loom::{future::block_on, model, thread};
use tower_ballast_core::{
    clock::Nanos,
    gate::{Gate, Joined, Look},
    ranks::{Place, Rank},
};

/// Inside, or on the way there; gives back what it has.
struct Visit {
    gate: Arc<Gate>,
    place: Option<Place>,
}

impl Visit {
    fn begin(gate: &Arc<Gate>) -> Self {
        let place = if gate.try_enter() {
            None
        } else {
            match gate.join(Rank::default(), Nanos::ZERO, |_| true) {
                Joined::Entered => None,
                Joined::Waits(place) => Some(place),
                other => panic!("{other:?}"),
            }
        };
        Self { gate: Arc::clone(gate), place }
    }
}

impl Future for Visit {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let gate = Arc::clone(&self.gate);
        let place = &mut self.place;
        if place.is_none() || gate.look(place, Nanos::ZERO, cx.waker()) == Look::Entered {
            assert!(gate.inside() <= 1);
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        match self.place.take() {
            Some(place) => self.gate.quit(place),
            None => self.gate.exit(),
        }
    }
}

fn visit(gate: &Arc<Gate>) {
    let mut visit = Visit::begin(gate);
    block_on(pin!(&mut visit));
}

fn assert_idle(gate: &Gate) {
    assert_eq!((gate.inside(), gate.waiting()), (0, 0));
    assert!(gate.try_enter(), "a flag was left behind");
}

#[test]
fn who_waits_is_let_in_when_who_is_inside_goes() {
    model(|| {
        let gate = Arc::new(Gate::new(1));
        let other = thread::spawn({
            let gate = Arc::clone(&gate);
            move || visit(&gate)
        });
        visit(&gate);
        other.join().unwrap();
        assert_idle(&gate);
    });
}

#[test]
fn who_goes_away_from_the_front_hands_on() {
    model(|| {
        let gate = Arc::new(Gate::new(1));
        let holder = Visit::begin(&gate);
        let mut cancelled = Visit::begin(&gate);
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut cancelled).poll(cx).is_pending());
        let waits = thread::spawn({
            let gate = Arc::clone(&gate);
            move || visit(&gate)
        });
        let leaves = thread::spawn(move || drop(cancelled));
        drop(holder);
        leaves.join().unwrap();
        waits.join().unwrap();
        assert_idle(&gate);
    });
}

#[test]
fn a_raised_limit_reaches_who_waits() {
    model(|| {
        let gate = Arc::new(Gate::new(0));
        let waits = thread::spawn({
            let gate = Arc::clone(&gate);
            move || visit(&gate)
        });
        gate.resize(1);
        waits.join().unwrap();
        assert_idle(&gate);
    });
}

#[test]
fn the_last_to_go_is_heard_by_who_drains() {
    model(|| {
        let gate = Arc::new(Gate::new(1));
        let holder = Visit::begin(&gate);
        let waits = Visit::begin(&gate);
        let first = thread::spawn(move || drop(holder));
        let second = thread::spawn(move || drop(waits));
        block_on(gate.idle());
        first.join().unwrap();
        second.join().unwrap();
        assert_idle(&gate);
    });
}
