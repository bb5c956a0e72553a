use std::time::Duration;

use tower_ballast::{
    core::Key,
    prelude::*,
    rate_limit::{KeyLimit, Settlement, adjust::Limits, gate::Algorithm},
};
use tower_ballast_test::{
    laws,
    laws::{Fuse, Subject, Trip},
};

/// More than any law asks for in a second.
const AMPLE: Quota = Quota::per_second(count::<1_000_000>());
const THOUSAND: Quota = Quota::per_hour(count::<1000>()).burst(count::<1000>());

laws! {
    mod refusing;
    layer: || PriorityRateLimitLayer::new(THOUSAND),
    readiness: pass_through,
    trip: Trip::Answered(1000),
    rest: Duration::from_secs(3600),
}

laws! {
    mod queueing;
    layer: || PriorityRateLimitLayer::new(AMPLE).queue(1000),
    readiness: optimistic,
    counts: |layer: &PriorityRateLimitLayer<_, _, _>| layer.handle().waiting(),
}

laws! {
    mod queue_of_none;
    layer: || PriorityRateLimitLayer::new(THOUSAND).queue(0),
    readiness: optimistic,
    trip: Trip::Answered(1000),
    rest: Duration::from_secs(3600),
}

laws! {
    mod settling;
    layer: || PriorityRateLimitLayer::new(AMPLE)
        .settle(|outcome: Result<&u32, &tower_ballast_test::ScriptError>| match outcome {
            Ok(_) => Settlement::Keep,
            Err(_) => Settlement::Refund,
        }),
    readiness: pass_through,
}

laws! {
    mod with_facts_and_a_queue;
    layer: || PriorityRateLimitLayer::new(AMPLE).facts(idempotent()).queue(1000).settle(
        |_: Result<&u32, &tower_ballast_test::ScriptError>| Settlement::Cost(2)
    ),
    readiness: optimistic,
    counts: |layer: &PriorityRateLimitLayer<_, _, _>| layer.handle().waiting(),
}

laws! {
    mod by_key;
    layer: || PriorityRateLimitLayer::new(AMPLE)
        .per_key(KeyLimit::new(1000, THOUSAND), |_: &u32| Some(Key::of("all"))),
    readiness: pass_through,
    trip: Trip::Answered(1000),
    rest: Duration::from_secs(3600),
}

laws! {
    mod by_key_with_a_queue;
    layer: || PriorityRateLimitLayer::new(AMPLE)
        .per_key(KeyLimit::new(1000, AMPLE), |number: &u32| Some(Key::of(number)))
        .queue(1000),
    readiness: optimistic,
    counts: |layer: &PriorityRateLimitLayer<_, _, _, _>| layer.handle().waiting(),
}

laws! {
    mod fixed_window;
    layer: || PriorityRateLimitLayer::with_algorithm(Algorithm::FixedWindow, AMPLE).queue(1000),
    readiness: optimistic,
}

laws! {
    mod sliding_log;
    layer: || PriorityRateLimitLayer::with_algorithm(
        Algorithm::SlidingLog,
        Quota::per_second(count::<100_000>()),
    ),
    readiness: pass_through,
}

laws! {
    mod token_bucket;
    layer: || PriorityRateLimitLayer::with_algorithm(Algorithm::TokenBucket, THOUSAND),
    readiness: pass_through,
    trip: Trip::Answered(1000),
    rest: Duration::from_secs(3600),
}

laws! {
    mod token_bucket_with_a_queue;
    layer: || PriorityRateLimitLayer::with_algorithm(Algorithm::TokenBucket, AMPLE).queue(1000),
    readiness: optimistic,
    counts: |layer: &PriorityRateLimitLayer<_, _, _>| layer.handle().waiting(),
}

laws! {
    mod sliding_counter;
    layer: || PriorityRateLimitLayer::with_algorithm(Algorithm::SlidingCounter, THOUSAND),
    readiness: pass_through,
    trip: Trip::Answered(1000),
    rest: Duration::from_secs(2 * 3600),
}

laws! {
    mod sliding_counter_with_a_queue;
    layer: || PriorityRateLimitLayer::with_algorithm(Algorithm::SlidingCounter, AMPLE).queue(1000),
    readiness: optimistic,
    counts: |layer: &PriorityRateLimitLayer<_, _, _>| layer.handle().waiting(),
}

// Never two in one moment, and in most laws time stands still: so they refuse nobody here.
laws! {
    mod pacing_in_shadow;
    layer: || PriorityRateLimitLayer::with_algorithm(Algorithm::Pacing, THOUSAND)
        .enforcement(Enforcement::Shadow),
    readiness: pass_through,
}

laws! {
    mod warming_up_in_shadow;
    layer: || {
        let warm_up = Algorithm::WarmUp(Duration::from_secs(60));
        PriorityRateLimitLayer::with_algorithm(warm_up, THOUSAND)
            .queue(1)
            .enforcement(Enforcement::Shadow)
    },
    readiness: optimistic,
    counts: |layer: &PriorityRateLimitLayer<_, _, _>| layer.handle().waiting(),
}

laws! {
    mod off;
    layer: || PriorityRateLimitLayer::new(Quota::CLOSED).enforcement(Enforcement::Off),
    readiness: pass_through,
}

laws! {
    mod queueing_off;
    layer: || PriorityRateLimitLayer::new(Quota::CLOSED).queue(0).enforcement(Enforcement::Off),
    readiness: optimistic,
}

laws! {
    mod shadow;
    layer: || PriorityRateLimitLayer::new(Quota::CLOSED).enforcement(Enforcement::Shadow),
    readiness: pass_through,
}

laws! {
    mod queueing_in_shadow;
    layer: || PriorityRateLimitLayer::new(Quota::CLOSED).queue(1).enforcement(Enforcement::Shadow),
    readiness: optimistic,
    counts: |layer: &PriorityRateLimitLayer<_, _, _>| layer.handle().waiting(),
}

/// Heeds all signals, and none of them is ever too high.
fn limits() -> Limits {
    Limits::new().errors(Ratio::ONE).latency(Duration::MAX).load(Ratio::ONE)
}

laws! {
    mod measuring;
    layer: || PriorityRateLimitLayer::new(THOUSAND).adjust(limits()).load(|| 0.5),
    readiness: pass_through,
    trip: Trip::Answered(1000),
    rest: Duration::from_secs(3600),
}

laws! {
    mod measuring_with_a_queue;
    layer: || PriorityRateLimitLayer::new(AMPLE).queue(1000).adjust(limits()).settle(
        |_: Result<&u32, &tower_ballast_test::ScriptError>| Settlement::Cost(2)
    ),
    readiness: optimistic,
    counts: |layer: &PriorityRateLimitLayer<_, _, _, _, _>| layer.handle().waiting(),
}

laws! {
    mod measuring_in_shadow;
    layer: || PriorityRateLimitLayer::new(Quota::CLOSED)
        .queue(1)
        .adjust(limits())
        .enforcement(Enforcement::Shadow),
    readiness: optimistic,
    counts: |layer: &PriorityRateLimitLayer<_, _, _, _, _>| layer.handle().waiting(),
}

#[test]
fn a_panic_of_what_measures_breaks_nothing() {
    let fuse = Fuse::new();
    let within = fuse.clone();
    let subject = Subject::new(move || {
        let (fuse, load) = (within.clone(), within.clone());
        PriorityRateLimitLayer::new(AMPLE)
            .adjust(limits())
            .classify(move |outcome: Result<&u32, &tower_ballast_test::ScriptError>| {
                fuse.touch();
                if outcome.is_ok() { Verdict::Success } else { Verdict::transient() }
            })
            .load(move || {
                load.touch();
                0.5
            })
            .adjust_every(Duration::ZERO)
    });
    laws::panicking_closures_break_nothing(&subject, &fuse);
}
