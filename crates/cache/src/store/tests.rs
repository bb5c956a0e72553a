use std::{
    collections::HashMap,
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    thread,
};

use proptest::prelude::*;
use tower_ballast_core::Random;

use super::*;

#[test]
fn one_that_was_put_is_there_until_it_is_removed() {
    let store = Quick::new(Capacity::mebibytes(1));
    store.put("a", 1, 10);
    assert_eq!(store.get(&"a"), Some(1));
    assert_eq!(store.remove(&"a"), Some(1));
    assert_eq!((store.get(&"a"), store.usage().bytes, store.usage().removed), (None, 0, 1));
}

#[test]
fn one_takes_the_place_of_the_other_with_its_key() {
    let store = Quick::new(Capacity::mebibytes(1));
    store.put("a", 1, 10);
    store.put("a", 2, 20);
    let usage = store.usage();
    assert_eq!(store.get(&"a"), Some(2));
    assert_eq!((usage.entries, usage.bytes, usage.replaced, usage.evicted), (1, 84, 1, 0));
}

#[test]
fn one_that_is_too_large_is_refused_and_the_earlier_one_is_gone() {
    let store = Quick::new(Capacity::of_bytes(1000));
    store.put("a", 1, 10);
    store.put("a", 2, 2000);
    let usage = store.usage();
    assert_eq!(store.get(&"a"), None);
    assert_eq!((usage.entries, usage.bytes, usage.refused, usage.replaced), (0, 0, 1, 1));
}

#[test]
fn nothing_is_kept_where_there_is_room_for_nothing() {
    for capacity in
        [Capacity::of_bytes(0), Capacity::of_entries(0), Capacity::mebibytes(1).and_entries(0)]
    {
        let store = Quick::new(capacity);
        store.put("a", 1, 0);
        assert_eq!((store.get(&"a"), store.usage().entries), (None, 0), "{capacity:?}");
    }
}

#[test]
fn large_entries_have_room_where_they_are_foreseen() {
    let megabytes = |most: u64| most * 1024 * 1024;
    let store = Quick::with_largest(Capacity::mebibytes(64), megabytes(8));
    store.put("a", 1, 8 * 1024 * 1024);
    assert_eq!(store.get(&"a"), Some(1));
    let store = Quick::with_largest(Capacity::mebibytes(64), u64::MAX);
    store.put("a", 1, 60 * 1024 * 1024);
    assert_eq!(store.get(&"a"), Some(1));
}

#[test]
fn a_smaller_capacity_holds_at_once_and_a_larger_one_from_then_on() {
    let store = Quick::new(Capacity::of_entries(10_000));
    (0..10_000).for_each(|number| store.put(number, number, 0));
    store.resize(Capacity::of_entries(1000));
    assert!(store.usage().entries <= 1000);
    store.resize(Capacity::of_bytes(100_000));
    (0..10_000).for_each(|number| store.put(number, number, 936));
    assert!((50..=100).contains(&store.usage().entries), "{:?}", store.usage());
    assert!(store.usage().bytes <= 100_000);
}

#[test]
fn absurd_sizes_and_capacities_do_no_harm() {
    let store = Quick::new(Capacity::of_bytes(u64::MAX).and_entries(u64::MAX));
    store.put("a", 1, usize::MAX);
    store.put("b", 1, 0);
    assert_eq!(store.get(&"b"), Some(1));
    store.resize(Capacity::of_bytes(1));
    assert_eq!(store.usage().entries, 0);
}

#[test]
fn the_bound_holds_at_every_moment_whoever_puts() {
    const MOST: u64 = 1_000_000;
    let (store, worst) = (Quick::new(Capacity::of_bytes(MOST)), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..4 {
            let (store, worst) = (&store, &worst);
            scope.spawn(move || {
                let random = Random::seeded(thread);
                for _ in 0..20_000 {
                    let key = random.below(5000);
                    match random.below(10) {
                        0 => drop(store.remove(&key)),
                        1..=4 => drop(store.get(&key)),
                        _ => store.put(key, key, usize::try_from(random.below(4000)).unwrap()),
                    }
                    worst.fetch_max(store.usage().bytes, SeqCst);
                }
            });
        }
    });
    // One on its way per thread is counted before it has found room.
    assert!(worst.into_inner() <= MOST + MOST / 20);
    store.clear();
    let usage = store.usage();
    assert_eq!((usage.entries, usage.bytes), (0, 0));
}

proptest! {
    #[test]
    fn it_agrees_with_a_map_but_for_what_it_has_let_go(
        seed: u64,
        most in 1..20_000_u64,
        entries in proptest::option::of(1..50_u64),
    ) {
        let capacity = entries.into_iter().fold(Capacity::of_bytes(most), Capacity::and_entries);
        let stores: Vec<Box<dyn Store<u64, u64>>> = vec![
            Box::new(Quick::new(capacity)),
            #[cfg(feature = "moka")]
            Box::new(Moka::new(capacity)),
        ];
        for (at, store) in stores.iter().enumerate() {
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
                        store.put(key, step, usize::try_from(random.below(500)).unwrap());
                        model.insert(key, step);
                    }
                }
                if at == 0 {
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
