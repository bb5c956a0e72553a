//! A concurrency window for a client: halved on timeouts, opened by successes.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tower_ballast::{
    BoxError, BulkheadLayer, Reason, Rejected,
    bulkhead::BulkheadHandle,
    core::clock::{self, Nanos},
};

const LEAST: u32 = 1;
const FIRST: u32 = 100;
const MOST: u32 = 1_000;

/// What is seen of the attempts, and what the bulkhead is told.
#[derive(Clone)]
pub(super) struct Window {
    bulkhead: BulkheadHandle,
    /// At most one halving in this time: the timeouts of one moment are one event.
    pause: Duration,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    successes: u32,
    halved: Option<Nanos>,
}

impl Window {
    /// The window of a client whose attempts may take so long, and the bulkhead that keeps it.
    pub(super) fn new(attempt: Duration) -> (BulkheadLayer, Self) {
        let layer = BulkheadLayer::new(FIRST);
        let seen = Seen { successes: 0, halved: None };
        let seen = Arc::new(Mutex::new(seen));
        let window = Self { bulkhead: layer.handle(), pause: attempt, seen };
        (layer, window)
    }

    /// Takes in how an attempt ended.
    pub(super) fn see<T>(&self, outcome: &Result<T, BoxError>) {
        match outcome {
            Ok(_) => self.succeeded(),
            Err(error) => {
                let reason = Rejected::find(&**error).map(Rejected::reason);
                if reason == Some(Reason::Timeout) {
                    self.timed_out();
                }
            }
        }
    }

    fn succeeded(&self) {
        let mut seen = self.seen.lock().unwrap();
        seen.successes += 1;
        let limit = self.bulkhead.limit();
        if seen.successes >= limit {
            seen.successes = 0;
            self.bulkhead.set_limit((limit + 1).min(MOST));
        }
    }

    fn timed_out(&self) {
        let mut seen = self.seen.lock().unwrap();
        let now = clock::now();
        if seen.halved.is_none_or(|halved| now.since(halved) >= self.pause) {
            seen.halved = Some(now);
            seen.successes = 0;
            let used = self.bulkhead.limit().min(self.bulkhead.in_flight());
            self.bulkhead.set_limit((used / 2).max(LEAST));
        }
    }
}
