//! Which store finds most of what is asked for, on traces made from seeds.
//!
//! `cargo test --release -p tower-ballast-cache --all-features hit_rates -- --nocapture` prints the table of
//! the page of [`Store`]. Without `--release` all is smaller, and nearly the same comes out.

use std::collections::{HashMap, VecDeque};

use tower_ballast_core::Random;

use super::*;

const SCALE: u64 = if cfg!(debug_assertions) { 1 } else { 16 };
const ENTRIES: u64 = 256 * SCALE;
const KEYS: u64 = 4096 * SCALE;
const LENGTH: u64 = if cfg!(debug_assertions) { 50_000 } else { 800_000 };

/// Keys that are asked for with a probability by rank to the power of `-exponent`.
struct Zipf(Vec<f64>);

impl Zipf {
    fn new(keys: u64, exponent: f64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=keys).map(|rank| {
            sum += f64::from(u32::try_from(rank).unwrap()).powf(-exponent);
            sum
        });
        Self(sums.collect())
    }

    fn draw(&self, random: &Random) -> u64 {
        let at = random.unit() * self.0.last().unwrap();
        // Neighbours in rank are no neighbours in keys.
        (self.0.partition_point(|sum| *sum < at) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

fn zipf(exponent: f64) -> Vec<u64> {
    let (zipf, random) = (Zipf::new(KEYS, exponent), Random::seeded(1));
    (0..LENGTH).map(|_| zipf.draw(&random)).collect()
}

/// Zipf, with a run over keys that are asked for once between, a quarter of all.
fn scans() -> Vec<u64> {
    let (zipf, random) = (Zipf::new(KEYS, 0.9), Random::seeded(2));
    let mut scanned = 0;
    let key = |at: u64| {
        if at % (4 * ENTRIES) < 3 * ENTRIES {
            return zipf.draw(&random);
        }
        scanned += 1;
        u64::MAX - scanned
    };
    (0..LENGTH).map(key).collect()
}

/// Zipf over other keys after each tenth of the trace.
fn shifts() -> Vec<u64> {
    let (zipf, random) = (Zipf::new(KEYS, 0.9), Random::seeded(3));
    let working_set = |at: u64| (at * 10 / LENGTH) << 56;
    (0..LENGTH).map(|at| zipf.draw(&random) ^ working_set(at)).collect()
}

/// One after the other, a half more than there is room for, again and again.
fn loops() -> Vec<u64> {
    (0..LENGTH).map(|at| at % (ENTRIES * 3 / 2)).collect()
}

/// What was asked for lately is asked for again: at a distance drawn log-uniformly.
fn recent() -> Vec<u64> {
    let random = Random::seeded(4);
    let mut trace: Vec<u64> = Vec::new();
    for at in 0..LENGTH {
        let distance = log_uniform(&random);
        let fresh = random.unit() < 0.2 || distance >= trace.len();
        trace.push(if fresh { at } else { trace[trace.len() - 1 - distance] });
    }
    trace
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
fn log_uniform(random: &Random) -> usize {
    (KEYS as f64).powf(random.unit()) as usize
}

fn hit_rate(store: &dyn Store<u64, u64>, trace: &[u64]) -> f64 {
    let mut hits = 0_u32;
    for (at, key) in trace.iter().enumerate() {
        if store.get(key).is_some() {
            hits += 1;
        } else {
            let _ = store.put(*key, *key, 0);
        }
        // It puts off what it has to decide.
        if at % 64 == 0 {
            store.usage();
        }
    }
    f64::from(hits) / f64::from(u32::try_from(trace.len()).unwrap())
}

/// The least recently used goes: what everyone knows.
fn of_lru(trace: &[u64]) -> f64 {
    let (mut order, mut last, mut hits) = (VecDeque::new(), HashMap::new(), 0_u32);
    for (at, key) in trace.iter().enumerate() {
        hits += u32::from(last.insert(*key, at).is_some());
        order.push_back((*key, at));
        while last.len() as u64 > ENTRIES {
            let (key, at) = order.pop_front().unwrap();
            if last.get(&key) == Some(&at) {
                last.remove(&key);
            }
        }
    }
    f64::from(hits) / f64::from(u32::try_from(trace.len()).unwrap())
}

/// A trace, and which share of the best hit rate the default must reach on it at least.
fn traces() -> [(&'static str, Vec<u64>, f64); 7] {
    [
        ("Zipf 0.7", zipf(0.7), 0.97),
        ("Zipf 0.9", zipf(0.9), 0.98),
        ("Zipf 1.1", zipf(1.1), 0.98),
        ("Zipf 0.9, and a scan now and then", scans(), 0.97),
        ("Zipf 0.9, ten times other keys", shifts(), 0.95),
        ("a loop over 1.5 times the room", loops(), 0.8),
        ("what was asked for lately", recent(), 0.95),
    ]
}

#[test]
fn hit_rates_of_the_default_are_near_those_of_the_best() {
    println!("| trace | best | S3Fifo | Quick, Moka | LRU |\n|---|---|---|---|---|");
    for (name, trace, least) in traces() {
        let stores = stores(Capacity::of_entries(ENTRIES));
        let rates: Vec<f64> = stores.map(|store| hit_rate(&*store, &trace)).collect();
        let lru = of_lru(&trace);
        let best = rates.iter().copied().fold(lru, f64::max);
        let shares: Vec<String> =
            rates.iter().chain([&lru]).map(|rate| format!("{:.2}", rate / best)).collect();
        println!("| {name} | {best:.3} | {} |", shares.join(" | "));
        assert!(rates[0] >= best * least, "{name}: {} of {best}", rates[0]);
        assert!(rates[0] >= rates[1] - 0.015, "{name}: Quick finds more, {}", rates[1]);
    }
}
