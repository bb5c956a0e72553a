//! A limit for all, and one for each of many keys.

use std::{fmt::Write, num::NonZeroU32, time::Duration};

use governor::{
    Quota as GovernorQuota, RateLimiter,
    clock::{Clock, DefaultClock, MonotonicClock},
    middleware::NoOpMiddleware,
    state::keyed::DefaultKeyedStateStore,
};
use tower::{Layer, limit::RateLimitLayer};
use tower_ballast_core::{
    Key, Random,
    clock::{self, Nanos},
    count,
    keys::{KeyTable, Pace},
};
use tower_ballast_rate_limit::{
    PriorityRateLimitLayer, Quota,
    gate::{Algorithm, Gate},
};

use crate::{
    counting::bytes_held,
    harness::{
        Bar, Case,
        Expect::{self, Answers, Refusals},
        runtime,
    },
    services::Noop,
};

const PERMITTED: &str = "governor, std's clock, permitted";
const TOWER: &str = "tower's rate limit, one for each service";
const REJECTED: &str = "governor, std's clock, rejected";
/// Slow enough for all keys to owe at all times, with a burst that never ends.
const INTERVAL: Duration = Duration::from_millis(100);
const BURST: NonZeroU32 = NonZeroU32::MAX;
const MILLION: u64 = 1_000_000;

pub fn cases() -> Vec<Case> {
    let (own, std) = (DefaultClock::default(), MonotonicClock);
    let mut cases = vec![
        governor("governor, its own clock, permitted", own.clone(), Answers),
        governor("governor, its own clock, rejected", own.clone(), Refusals),
        governor(PERMITTED, std.clone(), Answers),
        gate("ballast gate, permitted", Algorithm::Gcra, Answers)
            .against(PERMITTED, Bar::Cost(1.35)),
        governor(REJECTED, std.clone(), Refusals),
        gate("ballast gate, rejected", Algorithm::Gcra, Refusals)
            .against(REJECTED, Bar::Cost(1.35)),
    ];
    let hour = Duration::from_secs(3600);
    // Tower's makes a timer at once, and that asks for a runtime.
    let runtime = runtime();
    let tower = {
        let _entered = runtime.enter();
        RateLimitLayer::new(u64::MAX / 2, hour).layer(Noop)
    };
    cases.push(Case::reused(TOWER, tower, Answers));
    let ample = Quota::per(INTERVAL, BURST).burst(BURST);
    for (name, layer, expect, against, bar) in [
        (
            "ballast rate limit layer, permitted",
            PriorityRateLimitLayer::new(ample),
            Answers,
            PERMITTED,
            1.35,
        ),
        (
            "ballast rate limit layer, rejected",
            PriorityRateLimitLayer::new(Quota::CLOSED),
            Refusals,
            REJECTED,
            3.0,
        ),
    ] {
        cases.push(Case::reused(name, layer.layer(Noop), expect).against(against, Bar::Cost(bar)));
    }
    cases.push(
        Case::reused(
            "ballast rate limit layer with a queue",
            PriorityRateLimitLayer::new(ample).queue(256).layer(Noop),
            Answers,
        )
        .against(PERMITTED, Bar::None),
    );
    cases.push(
        Case::reused(
            "ballast rate limit layer, as tower's",
            PriorityRateLimitLayer::new(ample).layer(Noop),
            Answers,
        )
        .against(TOWER, Bar::None),
    );
    for (name, algorithm) in [
        ("ballast token bucket", Algorithm::TokenBucket),
        ("ballast fixed window", Algorithm::FixedWindow),
        ("ballast sliding counter", Algorithm::SlidingCounter),
    ] {
        cases.push(gate(name, algorithm, Answers).against(PERMITTED, Bar::None));
    }
    for ([own_clock, std_clock, ours], keys) in [
        (
            [
                "governor, its own clock, 1000 keys",
                "governor, std's clock, 1000 keys",
                "ballast, 1000 keys",
            ],
            1000,
        ),
        (
            [
                "governor, its own clock, 100 000 keys",
                "governor, std's clock, 100 000 keys",
                "ballast, 100 000 keys",
            ],
            100_000,
        ),
        (
            [
                "governor, its own clock, a million keys",
                "governor, std's clock, a million keys",
                "ballast, a million keys",
            ],
            MILLION,
        ),
    ] {
        cases.push(governor_keyed(own_clock, own.clone(), keys));
        cases.push(governor_keyed(std_clock, std.clone(), keys));
        cases.push(keyed(ours, keys).against(std_clock, Bar::Cost(0.8)));
    }
    cases
}

/// The bytes a key that each of them holds, and in all.
pub fn memory() -> String {
    let mut rows =
        String::from("| keys | governor | a key | ballast | a key |\n|---|---|---|---|---|\n");
    for keys in [1000, 100_000, MILLION] {
        let before = bytes_held();
        let theirs = full_governor(MonotonicClock, keys);
        let between = bytes_held();
        let ours = full_table(keys);
        // What other threads have made is freed here too, so the count may have gone below zero.
        let (theirs_held, ours_held) = (
            between.wrapping_sub(before),
            bytes_held().wrapping_sub(between),
        );
        let each = |bytes: usize| bytes as f64 / keys as f64;
        let _ = writeln!(
            rows,
            "| {keys} | {theirs_held} | {:.1} | {ours_held} | {:.1} |",
            each(theirs_held),
            each(ours_held),
        );
        drop((theirs, ours));
    }
    rows
}

fn governor<C: Clock + 'static>(name: &'static str, clock: C, expect: Expect) -> Case {
    let quota = match expect {
        Answers => GovernorQuota::per_second(count::<1_000_000_000>()),
        Refusals => GovernorQuota::per_hour(NonZeroU32::MIN),
    };
    let limiter = RateLimiter::direct_with_clock(quota, clock);
    let _first = limiter.check();
    Case::deciding(name, move |_| limiter.check().is_ok(), expect)
}

fn gate(name: &'static str, algorithm: Algorithm, expect: Expect) -> Case {
    let quota = match expect {
        Answers => Quota::per_second(count::<1_000_000_000>()),
        Refusals => Quota::per_hour(NonZeroU32::MIN),
    };
    let gate = Gate::new(algorithm, quota);
    let _first = gate.take(clock::now(), 1);
    Case::deciding(name, move |_| gate.take(clock::now(), 1).is_ok(), expect)
}

fn governor_keyed<C: Clock + 'static>(name: &'static str, clock: C, keys: u64) -> Case {
    let (limiter, mut next) = (full_governor(clock, keys), scattered(keys));
    Case::deciding(name, move |_| limiter.check_key(&next()).is_ok(), Answers)
}

fn keyed(name: &'static str, keys: u64) -> Case {
    let (table, pace) = (full_table(keys), pace());
    let mut next = scattered(keys);
    let decide = move |_| {
        let key = Key::of(&next());
        table.take(key, clock::now(), pace, 1).is_ok()
    };
    Case::deciding(name, decide, Answers)
}

type Keyed<C> =
    RateLimiter<u64, DefaultKeyedStateStore<u64>, C, NoOpMiddleware<<C as Clock>::Instant>>;

fn full_governor<C: Clock>(clock: C, keys: u64) -> Keyed<C> {
    let quota = GovernorQuota::with_period(INTERVAL).expect("a period");
    let store = DefaultKeyedStateStore::default();
    let limiter = RateLimiter::new(quota.allow_burst(BURST), store, clock);
    for key in 0..keys {
        let _first = limiter.check_key(&key);
    }
    limiter
}

fn full_table(keys: u64) -> KeyTable {
    let table = KeyTable::new(keys as u32);
    let now: Nanos = clock::now();
    for key in 0..keys {
        let _first = table.take(Key::of(&key), now, pace(), 1);
    }
    table
}

fn pace() -> Pace {
    Pace::new(INTERVAL, BURST.get())
}

/// The next of the keys, in no order that a cache could foresee.
fn scattered(keys: u64) -> impl FnMut() -> u64 {
    let random = Random::seeded(7);
    move || random.below(keys)
}
