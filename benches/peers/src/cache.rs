//! Answers by key with a lifetime: found, and not found and kept; and the stores alone.

use std::{
    fmt::Debug,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tower::{Layer, Service};
use tower_ballast_cache::{
    CacheLayer,
    store::{Capacity, S3Fifo, Store},
};
use tower_resilience::cache::CacheLayer as ResilienceCache;

use crate::{
    harness::{Bar, Case, Expect::Answers},
    services::Noop,
};

const HIT: &str = "tower-resilience cache, hit";
const MISS: &str = "tower-resilience cache, miss";
const OUR_HIT: &str = "ballast cache, hit";
const QUICK_HIT: &str = "quick_cache without lifetimes, hit";
const QUICK_MISS: &str = "quick_cache without lifetimes, miss and put";
const ENTRIES: u32 = 10_000;
/// Few enough to be kept, and so many that they are not all in the nearest memory.
const KEYS: u64 = 1000;
const LIFETIME: Duration = Duration::from_secs(3600);

pub fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::reused(HIT, resilience(known), Answers),
        Case::reused(OUR_HIT, ballast(known), Answers).against(HIT, Bar::Cost(0.6)),
        Case::two_threads("ballast cache, hit, two threads", ballast(known), Answers)
            .against(OUR_HIT, Bar::Throughput(1.6)),
        Case::reused(MISS, resilience(fresh), Answers),
        Case::reused("ballast cache, miss", ballast(fresh), Answers).against(MISS, Bar::Cost(0.6)),
    ];
    cases.extend(stores());
    cases
}

fn known(request: &u64) -> u64 {
    request % KEYS
}

/// One that was never asked for.
fn fresh(_: &u64) -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(KEYS);
    NEXT.fetch_add(1, Relaxed)
}

fn resilience(key: fn(&u64) -> u64) -> impl Service<u64, Response = u64, Error: Debug> + use<> {
    let layer = ResilienceCache::<u64, u64>::builder()
        .max_size(ENTRIES as usize)
        .ttl(LIFETIME)
        .key_extractor(key)
        .build();
    layer.expect("it has a key").layer(Noop)
}

fn ballast(
    key: fn(&u64) -> u64,
) -> impl Service<u64, Response = u64, Error: Debug> + Clone + Send + use<> {
    let layer = CacheLayer::new(LIFETIME, move |request: &u64| Some(key(request)));
    layer
        .capacity(Capacity::of_entries(ENTRIES.into()))
        .layer(Noop)
}

/// The stores alone, as a cache uses them: look, and put what is not there.
fn stores() -> [Case; 6] {
    [
        store(
            QUICK_HIT,
            known,
            Quick::new(ENTRIES as usize),
            Quick::get,
            Quick::insert,
        ),
        store("moka, hit", known, moka(), Moka::get, Moka::insert).against(QUICK_HIT, Bar::None),
        store(
            "ballast store without lifetimes, hit",
            known,
            ours(),
            get,
            put,
        )
        .against(QUICK_HIT, Bar::None),
        store(
            QUICK_MISS,
            fresh,
            Quick::new(ENTRIES as usize),
            Quick::get,
            Quick::insert,
        ),
        store("moka, miss and put", fresh, moka(), Moka::get, Moka::insert)
            .against(QUICK_MISS, Bar::None),
        store(
            "ballast store without lifetimes, miss and put",
            fresh,
            ours(),
            get,
            put,
        )
        .against(QUICK_MISS, Bar::None),
    ]
}

type Quick = quick_cache::sync::Cache<u64, u64>;
type Moka = moka::sync::Cache<u64, u64>;
type Ours = S3Fifo<u64, u64>;

fn moka() -> Moka {
    let builder = Moka::builder().max_capacity(ENTRIES.into());
    builder.time_to_live(LIFETIME).build()
}

fn ours() -> Ours {
    S3Fifo::new(Capacity::of_entries(ENTRIES.into()))
}

fn get(store: &Ours, key: &u64) -> Option<u64> {
    store.get(key)
}

fn put(store: &Ours, key: u64, value: u64) {
    let _ = store.put(key, value, 0);
}

fn store<S: 'static>(
    name: &'static str,
    key: fn(&u64) -> u64,
    store: S,
    get: fn(&S, &u64) -> Option<u64>,
    put: fn(&S, u64, u64),
) -> Case {
    let look = move |request| {
        let key = key(&request);
        let value = get(&store, &key).unwrap_or_else(|| {
            put(&store, key, key);
            key
        });
        value == key
    };
    Case::deciding(name, look, Answers)
}
