//! A shared call, its end, and the hand-over from one who polls it to another.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use loom::{future::block_on, model, sync::Mutex, thread};
use tower_ballast_core::flights::{Boarding, Flights, Landed, Seat};

type Calls = Flights<u8, u8, ()>;

/// A call that ends when a thread says so.
#[derive(Default)]
struct Call(Mutex<(bool, Option<Waker>)>);

impl Call {
    fn work(self: &Arc<Self>) -> impl Future<Output = ()> + Send + 'static {
        let call = Arc::clone(self);
        poll_fn(move |cx| {
            let mut locked = call.0.lock().unwrap();
            locked.1 = Some(cx.waker().clone());
            if locked.0 { Poll::Ready(()) } else { Poll::Pending }
        })
    }

    fn finish(&self) {
        let waker = {
            let mut locked = self.0.lock().unwrap();
            locked.0 = true;
            locked.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

fn board(flights: &Calls, call: &Arc<Call>) -> Seat<u8, u8, ()> {
    match flights.board(1) {
        Boarding::First(start) => start.with(call.work(), |()| 7),
        Boarding::Joined(seat) => seat,
    }
}

#[test]
fn who_stays_is_answered_though_the_one_who_polls_goes_away_at_the_end() {
    model(|| {
        let (flights, call) = (Calls::new(), Arc::new(Call::default()));
        let (mut first, second) = (board(&flights, &call), board(&flights, &call));
        let _ = Pin::new(&mut first).poll(&mut Context::from_waker(Waker::noop()));
        let ending = Arc::clone(&call);
        let end = thread::spawn(move || ending.finish());
        let leave = thread::spawn(move || drop(first));
        assert_eq!(block_on(second), Landed::Shared(7));
        end.join().unwrap();
        leave.join().unwrap();
        assert!(flights.is_empty());
    });
}

#[test]
fn two_who_come_at_once_make_one_call() {
    model(|| {
        let (flights, call) = (Calls::new(), Arc::new(Call::default()));
        let (others, same) = (flights.clone(), Arc::clone(&call));
        let other = thread::spawn(move || block_on(board(&others, &same)));
        call.finish();
        let ours = block_on(board(&flights, &call));
        let theirs = other.join().unwrap();
        assert!(ours == Landed::Led(()) || theirs == Landed::Led(()));
        assert!(flights.is_empty());
    });
}

#[test]
fn who_joins_while_the_only_other_one_leaves_is_answered() {
    model(|| {
        let (flights, call) = (Calls::new(), Arc::new(Call::default()));
        call.finish();
        let first = board(&flights, &call);
        let leave = thread::spawn(move || drop(first));
        assert_ne!(block_on(board(&flights, &call)), Landed::Failed);
        leave.join().unwrap();
        assert!(flights.is_empty());
    });
}

#[test]
fn two_who_waited_in_vain_make_one_more_call() {
    model(|| {
        let (flights, call) = (Calls::new(), Arc::new(Call::default()));
        let (one, other) = (board(&flights, &call), board(&flights, &call));
        flights.detach_all();
        let next = Arc::new(Call::default());
        next.finish();
        let (others, same) = (flights.clone(), Arc::clone(&next));
        let waiting = thread::spawn(move || block_on(board_again(&others, &other, &same)));
        let ours = block_on(board_again(&flights, &one, &next));
        let theirs = waiting.join().unwrap();
        let led = [&ours, &theirs].into_iter().filter(|landed| matches!(landed, Landed::Led(())));
        assert_eq!(led.count(), 1);
        assert!([ours, theirs].contains(&Landed::Shared(7)));
        assert!(flights.is_empty());
    });
}

fn board_again(flights: &Calls, seat: &Seat<u8, u8, ()>, call: &Arc<Call>) -> Seat<u8, u8, ()> {
    match flights.board_again(seat) {
        Boarding::First(start) => start.with(call.work(), |()| 7),
        Boarding::Joined(seat) => seat,
    }
}
