//! Overload, with the real layers: what becomes of a service that is asked for too much, and of one
//! that comes back, by the way its clients behave.
//!
//! Each scenario has arms, ways to behave, side by side, and at least one arm that must fail: else
//! the scenario would prove nothing. The ordinary tests run three seeds; `cargo xtask overload`
//! runs twenty, and writes what it finds to `docs/overload`.

#![allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]

mod backoff_herd;
mod capacity;
mod drawing;
mod fairness;
mod figures;
mod half_open;
mod hang;
mod limiters;
mod limits;
mod page;
mod peers;
mod preset;
mod priority;
mod retry_storm;
mod sheds;

use std::{
    env,
    num::NonZero,
    ops::RangeInclusive,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// Set to the number of seeds; with it the scenarios write their pages.
const SEEDS: &str = "BALLAST_OVERLOAD_SEEDS";

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn asked_seeds() -> Option<u64> {
    env::var(SEEDS).ok().map(|seeds| seeds.parse().expect("a number of seeds"))
}

fn seeds() -> RangeInclusive<u64> {
    1..=asked_seeds().unwrap_or(3)
}

/// Whether this is the long run, which also makes the tables without bars.
fn is_long() -> bool {
    asked_seeds().is_some()
}

/// Runs each of the jobs, on all cores, and gives their results in the order of the jobs.
fn run_all<J: Sync, T: Send>(jobs: &[J], run: impl Fn(&J) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<T>>> = Mutex::new(jobs.iter().map(|_| None).collect());
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(place) else { return };
            let result = run(job);
            results.lock().unwrap()[place] = Some(result);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
    results.into_inner().unwrap().into_iter().map(Option::unwrap).collect()
}
