//! What a store and a layer take of the heap, held against what it accounts for.

use std::{
    future::ready,
    hash::{BuildHasherDefault, DefaultHasher},
    sync::Arc,
    time::Duration,
};

use allocation_counter::measure;
use futures_util::FutureExt;
use tower::{Layer, Service};
use tower_ballast_cache::{
    CacheLayer,
    store::{Capacity, S3Fifo, Store, Usage},
};
use tower_ballast_core::{BoxError, Key, Random};

/// Puts ten times what there is room for, in entries of random sizes up to `largest`.
fn overfill(store: &S3Fifo<u64, Arc<[u8]>>, limit: u64, largest: u64) {
    let (random, mut put) = (Random::seeded(largest), 0);
    while put < 10 * limit {
        // The smaller the more, an eighth of the largest in the mean.
        let size = random.below(random.below(random.below(largest)));
        let size = usize::try_from(size).expect("it is small");
        put += size as u64 + 16;
        // An `Arc` of a slice owns its bytes and two counts.
        let _ = store.put(random.below(4_000_000), vec![0; size].into(), size + 16);
        assert!(store.usage().bytes <= limit);
        store.get(&random.below(4_000_000));
    }
}

#[test]
fn the_heap_holds_little_more_than_is_accounted_for() {
    const MEBIBYTE: u64 = 1024 * 1024;
    for (limit, largest) in [(64 * MEBIBYTE, 65_536), (8 * MEBIBYTE, 4096), (MEBIBYTE, 128)] {
        let mut used = 0;
        let info = measure(|| {
            let store = S3Fifo::new(Capacity::of_bytes(limit));
            overfill(&store, limit, largest);
            used = store.usage().bytes;
        });
        assert!(used >= limit / 100 * 95, "{used} of {limit} are used");
        let most = limit + limit / 100 * 15;
        assert!(info.bytes_max <= most, "{} live of {limit}, up to {largest}", info.bytes_max);
        assert_eq!(info.bytes_current, 0);
    }
}

/// Puts twice what there is room for in entries of one size that are all used, one in 32 of an earlier time again and
/// again.
fn fill_with(store: &S3Fifo<u64, Arc<[u8]>>, limit: u64, size: usize, first: u64) -> u64 {
    let entries = 2 * limit / (size as u64 + 80);
    for key in first..first + entries {
        let _ = store.put(key, vec![0; size].into(), size + 16);
        store.get(&key);
        store.get(&(key / 64 * 32));
    }
    first + entries
}

#[tokio::test(start_paused = true)]
async fn a_layer_takes_little_more_than_its_bound_for_ten_times_as_much() {
    const MEBIBYTE: u64 = 1024 * 1024;
    for (limit, largest) in [(16 * MEBIBYTE, 65_536), (2 * MEBIBYTE, 1000), (MEBIBYTE, 16)] {
        let (random, mut put) = (Random::seeded(largest), 0);
        let mut usage = Usage::default();
        let info = measure(|| {
            let service = tower::service_fn(move |key: u64| {
                let random = Random::seeded(key);
                let size = random.below(random.below(largest).max(1));
                let size = usize::try_from(size).expect("it is small");
                ready(Ok::<Arc<[u8]>, BoxError>(vec![0; size].into()))
            });
            let layer = CacheLayer::new(Duration::from_secs(60), |key: &u64| Some(*key))
                .capacity(Capacity::of_bytes(limit))
                .tags(|key, _, tags| tags.extend((key % 7 == 0).then(|| Key::of("seven"))))
                // An `Arc` of a slice owns its bytes and two counts.
                .size(|_, value: &Arc<[u8]>| size_of::<(u64, Arc<[u8]>)>() + 16 + value.len());
            let mut service = layer.layer(service);
            while put < 10 * limit {
                let answer = service.call(random.below(1_000_000)).now_or_never();
                put += answer.expect("it is ready").expect("it is good").len() as u64 + 16;
            }
            usage = layer.handle().statistics().usage;
        });
        assert!(usage.bytes >= limit / 100 * 95 && usage.evicted > 0, "{usage:?} of {limit}");
        let most = limit + limit / 100 * 15;
        assert!(info.bytes_max <= most, "{} live of {limit}, up to {largest}", info.bytes_max);
    }
}

#[test]
fn the_heap_stays_within_the_bound_when_sizes_change() {
    const MEBIBYTE: u64 = 1024 * 1024;
    for (limit, sizes) in [
        (16 * MEBIBYTE, &[8, 30_000][..]),
        (8 * MEBIBYTE, &[8, 500, 8, 3000]),
        (4 * MEBIBYTE, &[20_000, 8, 1000]),
    ] {
        let most = limit + limit / 100 * 15;
        let mut first = 0;
        let mut store = None;
        let mut live = 0;
        for size in sizes {
            let info = measure(|| {
                let store = store.get_or_insert_with(|| S3Fifo::new(Capacity::of_bytes(limit)));
                first = fill_with(store, limit, *size, first);
            });
            let peak = live + info.bytes_max.cast_signed();
            assert!(peak <= most.cast_signed(), "{peak} of {limit} at {size} of {sizes:?}");
            live += info.bytes_current;
        }
    }
}

#[test]
fn a_bound_that_is_lowered_gives_the_memory_back() {
    const LIMIT: u64 = 8 * 1024 * 1024;
    for size in [0, 8, 1000] {
        let mut live = 0;
        let mut store = None;
        let info = measure(|| {
            let store = store.insert(S3Fifo::new(Capacity::of_bytes(LIMIT)));
            fill_with(store, LIMIT, size, 0);
        });
        live += info.bytes_current;
        for part in [4, 32] {
            let lower = LIMIT / part;
            let resize = || store.as_ref().unwrap().resize(Capacity::of_bytes(lower));
            live += measure(resize).bytes_current;
            // There are still as many parts as for the first bound, 64, with a little of their own.
            let most = lower + lower / 100 * 15 + 64 * 2048;
            assert!(live <= most.cast_signed(), "{live} of {lower}, by {size}");
        }
    }
}

#[test]
fn an_empty_store_takes_next_to_nothing_whatever_it_may_keep() {
    for capacity in [Capacity::of_bytes(u64::MAX), Capacity::of_entries(u64::MAX)] {
        let info = measure(|| drop(S3Fifo::<u64, u64>::new(capacity)));
        assert!(info.bytes_max <= 64 * 1024, "{} bytes", info.bytes_max);
    }
}

#[test]
fn a_hit_allocates_nothing_and_a_miss_neither() {
    let store = S3Fifo::new(Capacity::of_entries(100));
    assert!(store.put(1, 1, 0));
    let info = measure(|| assert_eq!((store.get(&1), store.get(&2)), (Some(1), None)));
    assert_eq!(info.count_total, 0);
}

#[test]
fn a_full_store_uses_its_memory_again() {
    // With seeded hashes a part that was lucky so far may still grow a little.
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let store = S3Fifo::with_hasher(Capacity::of_entries(1000), hasher);
    (0..100_000).for_each(|key| assert!(store.put(key, key, 0)));
    let info = measure(|| (100_000..200_000).for_each(|key| assert!(store.put(key, key, 0))));
    assert_eq!(info.bytes_current, 0);
}

#[test]
fn a_new_layer_takes_next_to_nothing_whatever_it_may_keep() {
    for capacity in [Capacity::of_bytes(u64::MAX), Capacity::of_entries(u64::MAX)] {
        let info = measure(|| {
            let layer = CacheLayer::new(Duration::MAX, |key: &u64| Some(*key)).capacity(capacity);
            let handle = layer.handle();
            assert_eq!((handle.get(&1), handle.statistics().hits), (None::<u64>, 0));
        });
        assert!(info.bytes_max <= 64 * 1024, "{} bytes", info.bytes_max);
    }
}
