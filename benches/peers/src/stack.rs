//! Whole stacks: a total bound, retry, circuit breaker and a bound on each attempt.

use std::time::Duration;

use tower::ServiceBuilder;
use tower_ballast_circuit_breaker::CircuitBreakerLayer;
use tower_ballast_core::idempotent;
use tower_ballast_retry::RetryLayer;
use tower_ballast_timeout::TimeoutLayer;
use tower_resilience::{
    circuitbreaker::CircuitBreakerLayer as ResilienceBreaker, retry::RetryLayer as ResilienceRetry,
    timelimiter::TimeLimiterLayer,
};

use crate::{
    harness::{Bar, Case, Expect::Answers},
    services::Noop,
};

const RESILIENCE: &str = "tower-resilience, the same four, reused";
const REUSED: &str = "ballast stack of four, reused";
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
    vec![
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
