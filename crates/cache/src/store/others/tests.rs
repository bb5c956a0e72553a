mod hit_rates;

use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    thread,
};

use proptest::prelude::*;
use tower_ballast_core::Random;

use super::*;
use crate::store::{Capacity, S3Fifo, Store};

/// How a store of one kind is made.
type Make = fn(Capacity) -> Box<dyn Store<u64, u64>>;

/// All kinds; the first two keep their bound at every moment.
const STORES: &[Make] = &[
    |capacity| Box::new(S3Fifo::new(capacity)),
    |capacity| Box::new(Quick::new(capacity)),
    |capacity| Box::new(Moka::new(capacity)),
];
const STRICT: usize = 2;

/// One of each kind.
fn stores(capacity: Capacity) -> impl Iterator<Item = Box<dyn Store<u64, u64>>> {
    STORES.iter().map(move |make| make(capacity))
}

#[test]
fn one_that_was_put_is_there_until_it_is_removed() {
    for store in stores(Capacity::mebibytes(1)) {
        assert!(store.put(7, 1, 10));
        assert_eq!(store.get(&7), Some(1));
        assert_eq!(store.remove(&7), Some(1));
        let usage = store.usage();
        assert_eq!((store.get(&7), store.remove(&7)), (None, None));
        assert_eq!((usage.entries, usage.bytes, usage.removed), (0, 0, 1));
    }
}

#[test]
fn one_takes_the_place_of_the_other_with_its_key() {
    for store in stores(Capacity::mebibytes(1)) {
        assert!(store.put(7, 1, 10));
        let before = store.usage().bytes;
        assert!(store.put(7, 2, 20));
        let usage = store.usage();
        assert_eq!(store.get(&7), Some(2));
        assert_eq!((usage.entries, usage.replaced, usage.evicted), (1, 1, 0));
        assert_eq!(usage.bytes, before + 10);
    }
}

#[test]
fn an_entry_counts_for_more_than_its_place() {
    for store in stores(Capacity::mebibytes(1)) {
        assert!(store.put(7, 1, 1000));
        assert!((1050..1200).contains(&store.usage().bytes), "{store:?}");
    }
}

#[test]
fn one_that_is_too_large_is_refused_and_the_earlier_one_is_gone() {
    for make in &STORES[..STRICT] {
        let store = make(Capacity::of_bytes(1000));
        assert!(store.put(7, 1, 10));
        assert!(!store.put(7, 2, 2000));
        let usage = store.usage();
        assert_eq!(store.get(&7), None);
        assert_eq!((usage.entries, usage.bytes, usage.refused, usage.replaced), (0, 0, 1, 1));
    }
}

#[test]
fn the_largest_that_a_store_may_keep_is_kept_and_a_byte_more_is_refused() {
    for capacity in [Capacity::of_bytes(1000), Capacity::mebibytes(64), Capacity::of_entries(5)] {
        for make in &STORES[..STRICT] {
            let store = make(capacity);
            let largest = store.largest();
            assert!(store.put(7, 1, largest));
            assert_eq!(store.get(&7), Some(1), "{store:?}, {largest}");
            if let Some(more) = largest.checked_add(1) {
                assert!(!store.put(7, 1, more));
                assert_eq!(store.get(&7), None, "{store:?}, {largest}");
            }
        }
    }
    for store in stores(Capacity::mebibytes(1).and_entries(0)) {
        assert_eq!(store.largest(), 0);
    }
}

#[test]
fn nothing_is_kept_where_there_is_room_for_nothing() {
    for capacity in
        [Capacity::of_bytes(0), Capacity::of_entries(0), Capacity::mebibytes(1).and_entries(0)]
    {
        for store in stores(capacity) {
            assert!(!store.put(7, 1, 0));
            assert_eq!((store.usage().entries, store.get(&7)), (0, None), "{capacity:?}");
        }
    }
}

#[test]
fn a_condition_takes_away_those_it_is_for_and_no_others() {
    for store in stores(Capacity::of_entries(10_000)) {
        (0..1000).for_each(|key| assert!(store.put(key, key * 3, 0)));
        store.retain(&|key, value| *value == key * 3 && key % 4 != 0);
        assert!((0..1000).all(|key| store.get(&key).is_some() == (key % 4 != 0)));
        let usage = store.usage();
        assert_eq!((usage.entries, usage.removed), (750, 250));
        store.clear();
        assert_eq!((store.usage().entries, store.usage().removed), (0, 1000));
        assert!((0..1000).all(|key| store.get(&key).is_none()));
    }
}

#[test]
fn a_smaller_capacity_holds_at_once_and_a_larger_one_from_then_on() {
    for make in &STORES[..STRICT] {
        let store = make(Capacity::of_entries(10_000));
        (0..10_000).for_each(|number| assert!(store.put(number, number, 0)));
        store.resize(Capacity::of_entries(1000));
        assert!(store.usage().entries <= 1000);
        store.resize(Capacity::of_bytes(100_000));
        (0..10_000).for_each(|number| assert!(store.put(number, number, 930)));
        assert!((50..=100).contains(&store.usage().entries), "{:?}", store.usage());
        assert!(store.usage().bytes <= 100_000);
        store.resize(Capacity::of_bytes(0));
        assert_eq!(store.usage().entries, 0);
    }
}

#[test]
fn absurd_sizes_and_capacities_do_no_harm() {
    for store in stores(Capacity::of_bytes(u64::MAX).and_entries(u64::MAX)) {
        let _ = store.put(1, 1, usize::MAX);
        assert!(store.put(2, 1, 0));
        assert_eq!(store.get(&2), Some(1));
        store.resize(Capacity::of_bytes(1));
    }
    for store in stores(Capacity::of_entries(u64::MAX)) {
        (0..100).for_each(|key| assert!(store.put(key, key, usize::MAX)));
        assert_eq!(store.get(&1), Some(1));
    }
}

#[test]
fn the_bound_holds_at_every_moment_whoever_puts() {
    const MOST: u64 = 1_000_000;
    for make in &STORES[..STRICT] {
        let (store, worst) = (make(Capacity::of_bytes(MOST)), AtomicU64::new(0));
        let puts = AtomicU64::new(0);
        thread::scope(|scope| {
            for thread in 0..4 {
                let (store, worst, puts) = (&store, &worst, &puts);
                scope.spawn(move || {
                    let random = Random::seeded(thread);
                    for _ in 0..20_000 {
                        let key = random.below(5000);
                        match random.below(10) {
                            0 => drop(store.remove(&key)),
                            1..=4 => assert!(store.get(&key).is_none_or(|value| value == key)),
                            _ => {
                                puts.fetch_add(1, SeqCst);
                                let _ = store.put(
                                    key,
                                    key,
                                    usize::try_from(random.below(4000)).unwrap(),
                                );
                            }
                        }
                        worst.fetch_max(store.usage().bytes, SeqCst);
                    }
                });
            }
        });
        // Quick counts one on its way per thread before it has found room.
        assert!(worst.into_inner() <= MOST + MOST / 20);
        let usage = store.usage();
        let gone = usage.evicted + usage.replaced + usage.removed + usage.refused;
        assert_eq!(usage.entries + gone, puts.into_inner());
        let found = (0..5000).filter(|key| store.get(key).is_some()).count();
        assert_eq!(usage.entries, found as u64);
        store.clear();
        assert_eq!((store.usage().entries, store.usage().bytes), (0, 0));
    }
}

proptest! {
    #[test]
    fn it_agrees_with_a_map_but_for_what_it_has_let_go(
        seed: u64,
        most in 1..20_000_u64,
        entries in proptest::option::of(1..50_u64),
    ) {
        let capacity = entries.into_iter().fold(Capacity::of_bytes(most), Capacity::and_entries);
        for (at, store) in stores(capacity).enumerate() {
            let (random, mut model) = (Random::seeded(seed), HashMap::new());
            for step in 0..500 {
                let key = random.below(40);
                match random.below(6) {
                    0 => {
                        let (removed, known) = (store.remove(&key), model.remove(&key));
                        prop_assert!(removed.is_none() || removed == known);
                    }
                    1 | 2 => {
                        let got = store.get(&key);
                        prop_assert!(got.is_none() || got.as_ref() == model.get(&key));
                    }
                    3 if step % 50 == 0 => {
                        store.retain(&|key, _| key % 2 == 0);
                        model.retain(|key, _| key % 2 == 0);
                    }
                    _ => {
                        let _ = store.put(key, step, usize::try_from(random.below(500)).unwrap());
                        model.insert(key, step);
                    }
                }
                if at < STRICT {
                    let usage = store.usage();
                    prop_assert!(usage.bytes <= most);
                    prop_assert!(usage.entries <= entries.unwrap_or(u64::MAX));
                }
            }
            // What was let go with a delay is gone after the first look.
            let _ = store.usage();
            let found = (0..40).filter(|key| store.get(key).is_some()).count();
            prop_assert_eq!(store.usage().entries, found as u64);
        }
    }
}
