//! What others do, as policies for tower's own retry.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use tokio::time::{Sleep, sleep};
use tower::retry::{Policy, RetryLayer};
use tower_ballast::{
    Backoff, BoxError,
    core::{
        Random,
        backoff::Delays,
        clock::{self, Nanos},
    },
};
use tower_ballast_test::simulator::{Call, stretched};

use super::seconds;

/// Up to three attempts, within the budget of Finagle's `RetryBudget` and tower's `TpsBudget` at
/// their defaults: in ten seconds a fifth of the requests, and ten a second for each client.
pub(super) fn retry_with_reserve(backoff: &Backoff, seed: u64) -> RetryLayer<WithReserve> {
    let budget = Reserve { requests: VecDeque::new(), retries: VecDeque::new() };
    let shared = Shared { budget: Mutex::new(budget), random: Random::seeded(seed) };
    let delays = backoff.delays();
    RetryLayer::new(WithReserve { shared: Arc::new(shared), delays, attempts: 0 })
}

#[derive(Clone)]
pub(super) struct WithReserve {
    shared: Arc<Shared>,
    delays: Delays,
    attempts: u32,
}

struct Shared {
    budget: Mutex<Reserve>,
    random: Random,
}

/// The moments of what was asked for and of what was allowed in the last ten seconds.
struct Reserve {
    requests: VecDeque<Nanos>,
    retries: VecDeque<Nanos>,
}

impl Reserve {
    fn request(&mut self) {
        self.requests.push_back(clock::now());
    }

    fn withdraw(&mut self) -> bool {
        let now = clock::now();
        for moments in [&mut self.requests, &mut self.retries] {
            while moments.front().is_some_and(|at| now.since(*at) > stretched(seconds(10))) {
                moments.pop_front();
            }
        }
        let allowed = self.requests.len() / 5 + 10 * 10;
        let grants = self.retries.len() < allowed;
        if grants {
            self.retries.push_back(now);
        }
        grants
    }
}

impl<T> Policy<Call, T, BoxError> for WithReserve {
    type Future = Sleep;

    fn retry(&mut self, _: &mut Call, result: &mut Result<T, BoxError>) -> Option<Sleep> {
        if result.is_ok() {
            return None;
        }
        self.attempts += 1;
        if self.attempts >= 3 || !self.shared.budget.lock().unwrap().withdraw() {
            return None;
        }
        self.delays.next_with(&self.shared.random).map(sleep)
    }

    fn clone_request(&mut self, call: &Call) -> Option<Call> {
        if self.attempts == 0 {
            self.shared.budget.lock().unwrap().request();
        }
        Some(*call)
    }
}
