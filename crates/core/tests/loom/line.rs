//! One slot, callers in line for it, and the hand-over from one to the next.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use loom::{future::block_on, model, sync::Mutex, thread};
use tower_ballast_core::queue::{Line, Place};

struct Gate(Mutex<(Line, bool)>);

/// Waits for the slot and takes it; dropped earlier, it hands its turn on.
struct Turn {
    gate: Arc<Gate>,
    place: Option<Place>,
}

impl Gate {
    fn closed() -> Arc<Self> {
        Arc::new(Self(Mutex::new((Line::new(), false))))
    }

    fn join(self: &Arc<Self>) -> Turn {
        let place = self.0.lock().unwrap().0.join();
        Turn { gate: Arc::clone(self), place: Some(place) }
    }

    fn open(&self) {
        let first = {
            let mut locked = self.0.lock().unwrap();
            locked.1 = true;
            locked.0.first_waker()
        };
        wake(first);
    }

    fn is_empty(&self) -> bool {
        self.0.lock().unwrap().0.is_empty()
    }
}

impl Future for Turn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let gate = Arc::clone(&self.gate);
        let mut locked = gate.0.lock().unwrap();
        let place = self.place.take().unwrap();
        if locked.0.is_first(&place) && locked.1 {
            locked.1 = false;
            let next = locked.0.leave(place);
            drop(locked);
            wake(next);
            return Poll::Ready(());
        }
        locked.0.park(&place, cx.waker());
        self.place = Some(place);
        Poll::Pending
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            let next = self.gate.0.lock().unwrap().0.leave(place);
            wake(next);
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[test]
fn the_first_in_line_is_woken_when_there_is_room() {
    model(|| {
        let gate = Gate::closed();
        let opener = Arc::clone(&gate);
        let turn = gate.join();
        let other = thread::spawn(move || opener.open());
        block_on(turn);
        other.join().unwrap();
        assert!(gate.is_empty());
    });
}

#[test]
fn a_caller_that_is_cancelled_hands_its_turn_on() {
    model(|| {
        let gate = Gate::closed();
        let (first, second) = (gate.join(), gate.join());
        let opener = Arc::clone(&gate);
        let cancel = thread::spawn(move || {
            let mut first = pin!(first);
            let _ = first.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        });
        // Whether or not the first one took a slot before it went, the second gets one.
        opener.open();
        cancel.join().unwrap();
        opener.open();
        block_on(second);
        assert!(gate.is_empty());
    });
}

#[test]
fn two_slots_one_after_the_other_serve_two_callers() {
    model(|| {
        let gate = Gate::closed();
        let (first, second) = (gate.join(), gate.join());
        gate.open();
        let opener = Arc::clone(&gate);
        let other = thread::spawn(move || {
            block_on(first);
            opener.open();
        });
        block_on(second);
        other.join().unwrap();
        assert!(gate.is_empty());
    });
}
