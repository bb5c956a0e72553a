//! Circuit breakers, closed and open.

use std::{
    num::NonZeroU32,
    task::{Context, Poll},
    time::Duration,
};

use failsafe::{
    Any, Config, FailurePolicy, StateMachine, backoff, failure_policy,
    futures::{CircuitBreaker as _, ResponseFuture},
};
use recloser::{AnyError, AsyncRecloser, Recloser, RecloserFuture};
use tower::{Layer, Service};
use tower_ballast_circuit_breaker::{CircuitBreakerLayer, WindowOf};
use tower_resilience::circuitbreaker::CircuitBreakerLayer as ResilienceBreaker;

use crate::{
    harness::{
        Bar, Case,
        Expect::{Answers, Refusals},
    },
    services::{FailingAtFirst, Fault, Noop},
};

const RECLOSER: &str = "recloser, closed";
const RECLOSER_OPEN: &str = "recloser, open";
const TIME: &str = "ballast breaker, closed, time window";
const AN_HOUR: Duration = Duration::from_secs(3600);

pub fn cases() -> Vec<Case> {
    let mut cases = closed();
    cases.extend(open());
    cases
}

fn closed() -> Vec<Case> {
    let calls = CircuitBreakerLayer::new().window(WindowOf::Calls(hundred()));
    let time = CircuitBreakerLayer::new();
    let failsafe = Config::new().build();
    let resilience = ResilienceBreaker::builder()
        .build()
        .expect("its own defaults");
    vec![
        Case::reused(RECLOSER, reclosing(Recloser::default(), Noop), Answers),
        Case::reused(
            "failsafe, closed",
            Failsafe {
                breaker: failsafe,
                inner: Noop,
            },
            Answers,
        ),
        Case::reused(
            "tower-resilience breaker, closed",
            resilience.layer(Noop),
            Answers,
        ),
        Case::reused(
            "ballast breaker, closed, count window",
            calls.layer(Noop),
            Answers,
        )
        .against(RECLOSER, Bar::Cost(0.5)),
        Case::reused(TIME, time.layer(Noop), Answers).against(RECLOSER, Bar::Cost(1.1)),
        Case::two_threads(
            "ballast breaker, closed, time window, two threads",
            time.layer(Noop),
            Answers,
        )
        .against(TIME, Bar::Throughput(1.8)),
    ]
}

fn open() -> Vec<Case> {
    let recloser = Recloser::custom().closed_len(10).open_wait(AN_HOUR).build();
    let policy = failure_policy::consecutive_failures(1, backoff::constant(AN_HOUR));
    let failsafe = Config::new().failure_policy(policy).build();
    let resilience = ResilienceBreaker::builder()
        .sliding_window_size(10)
        .wait_duration_in_open(AN_HOUR)
        .build()
        .expect("a window of ten");
    let ballast = CircuitBreakerLayer::new()
        .consecutive_failures(NonZeroU32::MIN)
        .rest(AN_HOUR)
        .longest_rest(AN_HOUR);
    let forced = CircuitBreakerLayer::new();
    forced.handle().force_open();
    vec![
        Case::reused(RECLOSER_OPEN, reclosing(recloser, failing()), Refusals),
        Case::reused(
            "failsafe, open",
            Failsafe {
                breaker: failsafe,
                inner: failing(),
            },
            Refusals,
        ),
        Case::reused(
            "tower-resilience breaker, open",
            resilience.layer(failing()),
            Refusals,
        ),
        Case::reused("ballast breaker, open", ballast.layer(failing()), Refusals)
            .against(RECLOSER_OPEN, Bar::Cost(1.0)),
        Case::reused(
            "ballast breaker, forced open",
            forced.layer(failing()),
            Refusals,
        )
        .against(RECLOSER_OPEN, Bar::Cost(1.0)),
    ]
}

/// Long enough to open any of them; an answer after that would show that one let a call through.
fn failing() -> FailingAtFirst {
    FailingAtFirst::new(20)
}

fn hundred() -> NonZeroU32 {
    NonZeroU32::new(100).expect("not zero")
}

fn reclosing<S>(recloser: Recloser, inner: S) -> Reclosing<S> {
    Reclosing {
        recloser: recloser.into(),
        inner,
    }
}

/// recloser wraps futures and has no layer of its own; this is all that one would do.
struct Reclosing<S> {
    recloser: AsyncRecloser,
    inner: S,
}

impl<S: Service<u64, Error = Fault>> Service<u64> for Reclosing<S>
where
    S::Future: Future<Output = Result<S::Response, Fault>>,
{
    type Response = S::Response;
    type Error = recloser::Error<Fault>;
    type Future = RecloserFuture<S::Future, AnyError>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(recloser::Error::Inner)
    }

    fn call(&mut self, request: u64) -> Self::Future {
        self.recloser.call(self.inner.call(request))
    }
}

/// The same for failsafe.
struct Failsafe<P: FailurePolicy, S> {
    breaker: StateMachine<P, ()>,
    inner: S,
}

impl<P, S> Service<u64> for Failsafe<P, S>
where
    P: FailurePolicy + Send + Sync,
    S: Service<u64, Response = u64, Error = Fault>,
{
    type Response = u64;
    type Error = failsafe::Error<Fault>;
    type Future = ResponseFuture<S::Future, P, (), Any>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(failsafe::Error::Inner)
    }

    fn call(&mut self, request: u64) -> Self::Future {
        self.breaker.call(self.inner.call(request))
    }
}
