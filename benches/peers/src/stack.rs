//! Whole stacks: a total bound, retry, circuit breaker and a bound on each attempt.

use std::time::Duration;

use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer, retry::Policy};
use tower_ballast_bulkhead::BulkheadLayer;
use tower_ballast_circuit_breaker::CircuitBreakerLayer;
use tower_ballast_core::idempotent;
use tower_ballast_metrics::MetricsLayer;
use tower_ballast_retry::RetryLayer;
use tower_ballast_timeout::TimeoutLayer;
use tower_resilience::{
    bulkhead::BulkheadLayer as ResilienceBulkhead,
    circuitbreaker::CircuitBreakerLayer as ResilienceBreaker, retry::RetryLayer as ResilienceRetry,
    timelimiter::TimeLimiterLayer,
};

use crate::{
    harness::{Bar, Case, Expect::Answers},
    services::Noop,
};

const RESILIENCE: &str = "tower-resilience, the same four, reused";
const REUSED: &str = "ballast stack of four, reused";
const TOWER: &str = "tower: timeout, retry, concurrency limit, timeout";
const FIVE: &str = "tower-resilience, five layers without metrics";
const SIX: &str = "ballast stack of six, with metrics";
const TOTAL: Duration = Duration::from_secs(30);
const ATTEMPT: Duration = Duration::from_secs(10);

pub fn cases() -> Vec<Case> {
    let limit = |limit| TimeLimiterLayer::builder().timeout_duration(limit).build();
    let resilience = ServiceBuilder::new()
        .layer(limit(TOTAL))
        .layer(ResilienceRetry::builder().max_attempts(3).build())
        .layer(
            ResilienceBreaker::builder()
                .build()
                .expect("its own defaults"),
        )
        .layer(limit(ATTEMPT))
        .service(Noop);
    let ballast = ServiceBuilder::new()
        .layer(TimeoutLayer::total(TOTAL))
        .layer(RetryLayer::new(idempotent()))
        .layer(CircuitBreakerLayer::new())
        .layer(TimeoutLayer::new(ATTEMPT))
        .service(Noop);
    let six = ServiceBuilder::new()
        .layer(MetricsLayer::new())
        .layer(TimeoutLayer::total(TOTAL))
        .layer(RetryLayer::new(idempotent()))
        .layer(BulkheadLayer::new(100))
        .layer(CircuitBreakerLayer::new())
        .layer(TimeoutLayer::new(ATTEMPT))
        .service(Noop);
    let five = ServiceBuilder::new()
        .layer(limit(TOTAL))
        .layer(ResilienceRetry::builder().max_attempts(3).build())
        .layer(
            ResilienceBulkhead::builder()
                .max_concurrent_calls(100)
                .build()
                .expect("a limit within its range"),
        )
        .layer(
            ResilienceBreaker::builder()
                .build()
                .expect("its own defaults"),
        )
        .layer(limit(ATTEMPT))
        .service(Noop);
    let tower = ServiceBuilder::new()
        .timeout(TOTAL)
        .retry(Once)
        .layer(GlobalConcurrencyLimitLayer::new(100))
        .timeout(ATTEMPT)
        .service(Noop);
    vec![
        Case::reused(TOWER, tower, Answers),
        Case::reused(FIVE, five, Answers),
        Case::reused(SIX, six.clone(), Answers).against(TOWER, Bar::Cost(0.9)),
        Case::reused(
            "ballast stack of six, against tower-resilience",
            six,
            Answers,
        )
        .against(FIVE, Bar::Cost(0.16)),
        Case::reused(RESILIENCE, resilience, Answers),
        Case::reused(REUSED, ballast.clone(), Answers).against(RESILIENCE, Bar::None),
        Case::cloned(
            "ballast stack of four, cloned for every call",
            ballast,
            Answers,
        )
        .against(REUSED, Bar::Cost(1.5)),
    ]
}

/// A policy under which nothing fails, as in these cases.
#[derive(Debug, Clone)]
struct Once;

impl Policy<u64, u64, tower::BoxError> for Once {
    type Future = std::future::Ready<()>;

    fn retry(&mut self, _: &mut u64, _: &mut Result<u64, tower::BoxError>) -> Option<Self::Future> {
        None
    }

    fn clone_request(&mut self, request: &u64) -> Option<u64> {
        Some(*request)
    }
}
