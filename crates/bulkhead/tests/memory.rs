//! What a queue has taken is given back.

#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

use std::{
    future::{Pending, pending},
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use allocation_counter::measure;
use tower::{Layer, Service, ServiceExt};
use tower_ballast_bulkhead::BulkheadLayer;
use tower_ballast_core::{BoxError, Key, Priority, Random, facts};

#[derive(Debug, Clone)]
struct Hanging;

impl Service<u64> for Hanging {
    type Response = ();
    type Error = BoxError;
    type Future = Pending<Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: u64) -> Self::Future {
        pending()
    }
}

type Call = Pin<Box<dyn Future<Output = Result<(), BoxError>>>>;

/// All at once, and then 40 at a time.
#[test]
fn a_hundred_thousand_cancels_leave_no_memory() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(async {
        let known = facts()
            .priority_from(|number: &u64| {
                Priority::ALL.into_iter().nth(usize::try_from(number % 4).unwrap())
            })
            .key_from(|number: &u64| Some(Key::of(&(number % 1000))));
        let layer = BulkheadLayer::new(3).queue(200_000).longest_wait(Duration::MAX).facts(known);
        let (handle, service) = (layer.handle(), layer.layer(Hanging));
        for at_once in [100_000, 40] {
            let random = Random::seeded(11);
            let info = measure(|| {
                let mut calls: Vec<Call> = Vec::new();
                let leave = |calls: &mut Vec<Call>| {
                    let index = random.below(calls.len() as u64);
                    drop(calls.swap_remove(usize::try_from(index).unwrap()));
                };
                for number in 0..100_000 {
                    let mut call: Call = Box::pin(service.clone().oneshot(number));
                    let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                    assert!(polled.is_pending());
                    calls.push(call);
                    if calls.len() > at_once {
                        leave(&mut calls);
                    }
                }
                while !calls.is_empty() {
                    leave(&mut calls);
                }
            });
            assert_eq!((handle.in_flight(), handle.waiting()), (0, 0));
            assert_eq!(info.bytes_current, 0, "after {at_once} at once");
        }
    });
}
