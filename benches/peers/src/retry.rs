//! Retry, first attempt answered.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use tower::{
    Layer,
    retry::{
        Policy, RetryLayer as TowerRetry,
        budget::{Budget as _, TpsBudget},
    },
};
use tower_ballast_core::{Budget, idempotent};
use tower_ballast_retry::RetryLayer;
use tower_resilience::retry::RetryLayer as ResilienceRetry;

use crate::{
    harness::{Bar, Case, Expect::Answers, TWO_THREADS},
    services::{Fault, Noop},
};

const TOWER: &str = "tower retry";
const TOWER_BUDGET: &str = "tower retry, TpsBudget";
const FULL: &str = "ballast retry, budget full as in calm";
const FILLING: &str = "ballast retry, budget that fills";

pub fn cases() -> Vec<Case> {
    let resilience = ResilienceRetry::<u64, u64, Fault>::builder()
        .max_attempts(3)
        .build();
    let unlimited = RetryLayer::new(idempotent()).budget(Budget::unlimited());
    let full = RetryLayer::new(idempotent());
    // Never full in a run, so that every success is written down.
    let filling = RetryLayer::new(idempotent()).budget(Budget::new().most(u32::MAX));
    vec![
        Case::reused(TOWER, TowerRetry::new(Attempts(3)).layer(Noop), Answers),
        Case::reused(
            TOWER_BUDGET,
            TowerRetry::new(Budgeted::new()).layer(Noop),
            Answers,
        ),
        Case::reused("tower-resilience retry", resilience.layer(Noop), Answers),
        Case::reused("ballast retry, no budget", unlimited.layer(Noop), Answers)
            .against(TOWER, Bar::Cost(1.5)),
        Case::reused(FULL, full.layer(Noop), Answers).against(TOWER_BUDGET, Bar::Cost(0.4)),
        Case::reused(FILLING, filling.layer(Noop), Answers).against(TOWER_BUDGET, Bar::Cost(0.4)),
        Case::two_threads(
            TWO_THREADS,
            TowerRetry::new(Attempts(3)).layer(Noop),
            Answers,
        )
        .against(TOWER, Bar::Throughput(1.8)),
        Case::two_threads("two threads on one full budget", full.layer(Noop), Answers)
            .against(FULL, Bar::Throughput(1.5)),
        Case::two_threads(
            "two threads on one budget that fills",
            filling.layer(Noop),
            Answers,
        )
        .against(FILLING, Bar::Throughput(1.5)),
    ]
}

#[derive(Clone)]
struct Attempts(usize);

impl Policy<u64, u64, Fault> for Attempts {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut u64, result: &mut Result<u64, Fault>) -> Option<Ready<()>> {
        if result.is_ok() || self.0 <= 1 {
            return None;
        }
        self.0 -= 1;
        Some(ready(()))
    }

    fn clone_request(&mut self, request: &u64) -> Option<u64> {
        Some(*request)
    }
}

/// As tower's documentation has it: a success deposits, a retry withdraws.
#[derive(Clone)]
struct Budgeted {
    attempts: Attempts,
    budget: Arc<TpsBudget>,
}

impl Budgeted {
    fn new() -> Self {
        Self {
            attempts: Attempts(3),
            budget: Arc::new(TpsBudget::default()),
        }
    }
}

impl Policy<u64, u64, Fault> for Budgeted {
    type Future = Ready<()>;

    fn retry(&mut self, request: &mut u64, result: &mut Result<u64, Fault>) -> Option<Ready<()>> {
        match result {
            Ok(_) => {
                self.budget.deposit();
                None
            }
            Err(_) => self
                .budget
                .withdraw()
                .then(|| self.attempts.retry(request, result))?,
        }
    }

    fn clone_request(&mut self, request: &u64) -> Option<u64> {
        Some(*request)
    }
}
