//! A limit for all, and one for each of many keys.

use std::{fmt::Write, num::NonZeroU32, time::Duration};

use governor::{DefaultKeyedRateLimiter, Quota as GovernorQuota, RateLimiter};
use tower_ballast_core::{
    Key, Random,
    clock::{self, Nanos},
    count,
    keys::{KeyTable, Pace},
};
use tower_ballast_rate_limit::{
    Quota,
    gate::{Algorithm, Gate},
};

use crate::{
    counting::bytes_held,
    harness::{
        Bar, Case,
        Expect::{self, Answers, Refusals},
    },
};

const PERMITTED: &str = "governor, permitted";
const REJECTED: &str = "governor, rejected";
/// Slow enough for all keys to owe at all times, with a burst that never ends.
const INTERVAL: Duration = Duration::from_millis(100);
const BURST: NonZeroU32 = NonZeroU32::MAX;
const MILLION: u64 = 1_000_000;

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        governor(PERMITTED, count::<1_000_000_000>(), Answers),
        gate("ballast gate, permitted", Algorithm::Gcra, Answers)
            .against(PERMITTED, Bar::Cost(1.35)),
        governor(REJECTED, NonZeroU32::MIN, Refusals),
        gate("ballast gate, rejected", Algorithm::Gcra, Refusals)
            .against(REJECTED, Bar::Cost(1.35)),
    ];
    for (name, algorithm) in [
        ("ballast token bucket", Algorithm::TokenBucket),
        ("ballast fixed window", Algorithm::FixedWindow),
        ("ballast sliding counter", Algorithm::SlidingCounter),
    ] {
        cases.push(gate(name, algorithm, Answers).against(PERMITTED, Bar::None));
    }
    for (theirs, ours, keys) in [
        ("governor, 1000 keys", "ballast, 1000 keys", 1000),
        ("governor, 100 000 keys", "ballast, 100 000 keys", 100_000),
        (
            "governor, a million keys",
            "ballast, a million keys",
            MILLION,
        ),
    ] {
        cases.push(governor_keyed(theirs, keys));
        cases.push(keyed(ours, keys).against(theirs, Bar::Cost(0.8)));
    }
    cases
}

/// The bytes a key that each of them holds, and in all.
pub fn memory() -> String {
    let mut rows =
        String::from("| keys | governor | a key | ballast | a key |\n|---|---|---|---|---|\n");
    for keys in [1000, 100_000, MILLION] {
        let before = bytes_held();
        let theirs = full_governor(keys);
        let between = bytes_held();
        let ours = full_table(keys);
        let (theirs_held, ours_held) = (between - before, bytes_held() - between);
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

fn governor(name: &'static str, rate: NonZeroU32, expect: Expect) -> Case {
    let quota = match expect {
        Answers => GovernorQuota::per_second(rate),
        Refusals => GovernorQuota::per_hour(rate),
    };
    let limiter = RateLimiter::direct(quota);
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

fn governor_keyed(name: &'static str, keys: u64) -> Case {
    let (limiter, mut next) = (full_governor(keys), scattered(keys));
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

fn full_governor(keys: u64) -> DefaultKeyedRateLimiter<u64> {
    let quota = GovernorQuota::with_period(INTERVAL).expect("a period");
    let limiter = RateLimiter::keyed(quota.allow_burst(BURST));
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
