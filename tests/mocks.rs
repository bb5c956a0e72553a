//! What a user tests with the mocks: how other layers take their refusals.

use std::time::Duration;

use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_ballast::{core::RetryAfter, core::clock, http_client, prelude::*};
use tower_ballast_test::{
    Scripted, Step,
    mock::{MockBreakerLayer, MockLimiterLayer},
    stack, time,
};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_retry_waits_for_just_the_slot_that_a_limiter_keeps_for_it() {
    let limiter = MockLimiterLayer::new();
    let limit = limiter.handle();
    limit.refuse_next(1);
    limit.retry_after(Some(RetryAfter::reserved(3 * SECOND)));
    let mut service = ServiceBuilder::new()
        .layer(RetryLayer::new(facts()))
        .layer(limiter)
        .service(Scripted::echo());
    time::drive(async {
        let began = clock::now();
        assert_eq!(service.ready().await.unwrap().call(7).await.unwrap(), 7);
        let waited = clock::now().since(began);
        assert!(waited.abs_diff(3 * SECOND) <= Duration::from_millis(1), "{waited:?}");
    });
    assert_eq!((limit.admitted(), limit.refused()), (1, 1));
}

#[test]
fn a_fallback_answers_while_a_breaker_is_open() {
    let breaker = MockBreakerLayer::new();
    let circuit = breaker.handle();
    let mut service = ServiceBuilder::new()
        .layer(FallbackLayer::value(0))
        .layer(breaker)
        .service(Scripted::<u32, u32, tower_ballast_test::ScriptError>::echo());
    time::drive(async {
        circuit.open(SECOND);
        assert_eq!(service.ready().await.unwrap().call(7).await.unwrap(), 0);
        circuit.half_open(1);
        assert_eq!(service.ready().await.unwrap().call(7).await.unwrap(), 7);
        assert_eq!(service.ready().await.unwrap().call(7).await.unwrap(), 0);
        circuit.close();
        assert_eq!(service.ready().await.unwrap().call(7).await.unwrap(), 7);
    });
    assert_eq!((circuit.admitted(), circuit.refused()), (2, 2));
}

#[test]
fn a_breaker_outside_does_not_count_the_refusals_of_a_limiter() {
    let limiter = MockLimiterLayer::new();
    limiter.handle().permit(0);
    let breaker = CircuitBreakerLayer::new().consecutive_failures(count::<1>());
    let circuit = breaker.handle();
    let inner = Scripted::<u32, u32, tower_ballast_test::ScriptError>::echo();
    let script = inner.script().clone();
    let mut service = ServiceBuilder::new().layer(breaker).layer(limiter.clone()).service(inner);
    time::drive(async {
        for _ in 0..100 {
            service.ready().await.unwrap().call(7).await.unwrap_err();
        }
        assert_eq!(circuit.phase().as_str(), "closed");
        limiter.handle().permit_all();
        script.then(Step::fail());
        service.ready().await.unwrap().call(7).await.unwrap_err();
        assert_eq!(circuit.phase().as_str(), "open");
    });
}

#[test]
fn the_order_of_a_stack_can_be_read() {
    let service = ServiceBuilder::new()
        .layer(TimeoutLayer::total(SECOND))
        .layer(RetryLayer::new(idempotent()))
        .concurrency_limit(10)
        .layer(CircuitBreakerLayer::new())
        .layer(TimeoutLayer::new(SECOND))
        .service(Scripted::<u32, u32, tower_ballast_test::ScriptError>::echo());
    let order = ["Timeout", "Retry", "ConcurrencyLimit", "CircuitBreaker", "Timeout", "Scripted"];
    stack::assert_order(&service, &order);
    let preset = http_client().layer(service);
    stack::assert_order(&preset, &["HttpClientService", "Timeout", "Retry"]);
}

#[test]
#[should_panic(expected = "`Retry` is not where it should be")]
fn a_wrong_order_is_named() {
    let service = ServiceBuilder::new()
        .layer(TimeoutLayer::new(SECOND))
        .layer(CircuitBreakerLayer::new())
        .service(Scripted::<u32, u32, tower_ballast_test::ScriptError>::echo());
    stack::assert_order(&service, &["Timeout", "Retry"]);
}
