//! A panic in a closure that the user gave to a layer.

use std::time::Duration;

use tower_ballast::prelude::*;
use tower_ballast_test::{
    ScriptError,
    laws::{self, Fuse, Subject},
};

const HOUR: Duration = Duration::from_secs(3600);

fn verdict(outcome: Result<&u32, &ScriptError>) -> Verdict {
    match outcome {
        Ok(_) => Verdict::Success,
        Err(_) => Verdict::transient(),
    }
}

#[test]
fn a_breakers_classifier() {
    let fuse = Fuse::new();
    let within = fuse.clone();
    let subject = Subject::new(move || {
        let fuse = within.clone();
        CircuitBreakerLayer::new().classify(move |outcome: Result<&u32, &ScriptError>| {
            fuse.touch();
            verdict(outcome)
        })
    });
    laws::panicking_closures_break_nothing(&subject.rest(HOUR), &fuse);
}

#[test]
fn a_breakers_observer() {
    let fuse = Fuse::new();
    let within = fuse.clone();
    let subject = Subject::new(move || {
        let fuse = within.clone();
        CircuitBreakerLayer::new()
            .consecutive_failures(count::<1>())
            .on_event(move |_| fuse.touch())
    });
    laws::panicking_closures_break_nothing(&subject.rest(HOUR), &fuse);
}

#[test]
fn a_waiting_breakers_observer() {
    let fuse = Fuse::new();
    let within = fuse.clone();
    let subject = Subject::new(move || {
        let fuse = within.clone();
        CircuitBreakerLayer::new()
            .consecutive_failures(count::<1>())
            .wait(HOUR, 10)
            .on_event(move |_| fuse.touch())
    });
    let subject = subject.readiness(laws::Readiness::Optimistic).rest(HOUR);
    laws::panicking_closures_break_nothing(&subject, &fuse);
}

#[test]
fn a_retrys_classifier() {
    let fuse = Fuse::new();
    let within = fuse.clone();
    let subject = Subject::new(move || {
        let fuse = within.clone();
        RetryLayer::new(idempotent()).classify(move |outcome: Result<&u32, &ScriptError>| {
            fuse.touch();
            verdict(outcome)
        })
    });
    laws::panicking_closures_break_nothing(&subject, &fuse);
}

#[test]
fn a_retrys_observer() {
    let fuse = Fuse::new();
    let within = fuse.clone();
    let subject = Subject::new(move || {
        let fuse = within.clone();
        RetryLayer::new(idempotent())
            .budget(Budget::in_flight(Ratio::percent::<20>()).floor(3))
            .on_event(move |_| fuse.touch())
    });
    let subject = subject.counts(|layer| layer.handle().budget().balance());
    laws::panicking_closures_break_nothing(&subject, &fuse);
}

#[test]
fn a_retrys_facts() {
    let fuse = Fuse::new();
    let within = fuse.clone();
    let subject = Subject::new(move || {
        let fuse = within.clone();
        RetryLayer::new(facts().repeatable_if(move |_: &u32| {
            fuse.touch();
            true
        }))
    });
    laws::panicking_closures_break_nothing(&subject, &fuse);
}

#[test]
fn a_timeouts_limit() {
    let fuse = Fuse::new();
    let within = fuse.clone();
    let subject = Subject::new(move || {
        let fuse = within.clone();
        TimeoutLayer::new(HOUR).limit_from(move |_: &u32| {
            fuse.touch();
            None
        })
    });
    laws::panicking_closures_break_nothing(&subject, &fuse);
}

#[test]
fn the_classifier_of_metrics() {
    let fuse = Fuse::new();
    let within = fuse.clone();
    let subject = Subject::new(move || {
        let fuse = within.clone();
        MetricsLayer::new().classify(move |outcome: Result<&u32, &ScriptError>| {
            fuse.touch();
            verdict(outcome)
        })
    });
    let subject =
        subject.counts(|layer| layer.handle().of("requests").map_or(0, |of| of.in_flight));
    laws::panicking_closures_break_nothing(&subject, &fuse);
}

#[test]
fn the_operation_of_metrics() {
    let fuse = Fuse::new();
    let within = fuse.clone();
    let subject = Subject::new(move || {
        let fuse = within.clone();
        MetricsLayer::new().operation(move |_: &u32| {
            fuse.touch();
            "any"
        })
    });
    laws::panicking_closures_break_nothing(&subject, &fuse);
}
