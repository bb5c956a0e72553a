use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;

mod laws;
mod models;

const START: Nanos = Nanos::from_nanos(86_400_000_000_000);

/// All of them, with a short time of warming up.
const ALL: [Algorithm; 7] = [
    Algorithm::Gcra,
    Algorithm::TokenBucket,
    Algorithm::FixedWindow,
    Algorithm::SlidingCounter,
    Algorithm::SlidingLog,
    Algorithm::Pacing,
    Algorithm::WarmUp(Duration::from_micros(5)),
];

fn algorithms() -> impl Strategy<Value = Algorithm> {
    prop::sample::select(&ALL[..])
}

/// A few per a few thousand nanoseconds.
fn quotas() -> impl Strategy<Value = Quota> {
    (1..20_u32, 20..3_000_u64, 1..30_u32).prop_map(|(number, nanos, burst)| {
        let period = Duration::from_nanos(nanos);
        Quota::per(period, some(number)).burst(some(burst))
    })
}

/// Pauses in nanoseconds, short and long, each with a cost.
fn calls() -> impl Strategy<Value = Vec<(u64, u32)>> {
    let pause = prop_oneof![4 => 0..200_u64, 2 => 0..4_000_u64, 1 => Just(0)];
    prop::collection::vec((pause, 1..8_u32), 1..80)
}

fn some(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).expect("above zero")
}

fn nanos(number: u64) -> Duration {
    Duration::from_nanos(number)
}
