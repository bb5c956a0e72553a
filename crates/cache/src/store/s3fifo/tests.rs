//! What only `S3Fifo` promises.

use std::{
    hash::{Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Weak},
    thread,
};

use tower_ballast_core::{Random, Ratio};

use super::*;

#[test]
fn what_is_there_is_shown_once_and_counts_as_used() {
    let store = S3Fifo::new(Capacity::of_entries(20));
    (0..20).for_each(|key| assert!(store.put(key, 10 * key, 0)));
    let mut seen = Vec::new();
    for key in [19, 100] {
        store.look(&key, &mut |value| seen.push(*value));
    }
    assert_eq!(seen, [190]);
    // The only newcomer would be the first to go.
    assert!(store.put(20, 200, 0) && store.get(&19).is_some());
}

#[test]
fn it_never_keeps_more_than_its_bound_not_even_for_a_moment() {
    const MOST: u64 = 100_000;
    let store = S3Fifo::new(Capacity::of_bytes(MOST).and_entries(500));
    thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                let random = Random::seeded(thread);
                for _ in 0..20_000 {
                    let size = usize::try_from(random.below(20_000)).unwrap();
                    let _ = store.put(random.below(1000), 0, size);
                    let usage = store.usage();
                    assert!(usage.bytes <= MOST && usage.entries <= 500, "{usage:?}");
                }
            });
        }
    });
}

#[test]
fn an_entry_may_take_its_share_of_the_whole_and_no_more() {
    const MEBIBYTE: usize = 1024 * 1024;
    let store = S3Fifo::new(Capacity::mebibytes(64));
    (0..60_000).for_each(|key| assert!(store.put(key, (), 1000)));
    assert!(store.put(u64::MAX, (), 15 * MEBIBYTE));
    assert!(!store.put(u64::MAX - 1, (), 17 * MEBIBYTE));
    assert_eq!((store.get(&u64::MAX), store.get(&(u64::MAX - 1))), (Some(()), None));
    assert_eq!(store.usage().refused, 1);

    let store = store.largest_share(Ratio::ONE);
    assert!(store.put(u64::MAX, (), 63 * MEBIBYTE));
    assert_eq!(store.get(&u64::MAX), Some(()));
}

#[test]
fn one_look_at_everything_does_not_drive_out_what_is_used() {
    let store = S3Fifo::new(Capacity::of_entries(1000));
    for _ in 0..3 {
        (0..900).for_each(|key| store.get(&key).unwrap_or_else(|| assert!(store.put(key, (), 0))));
    }
    (1000..50_000).for_each(|key| assert!(store.put(key, (), 0)));
    let left = (0..900).filter(|key| store.get(key).is_some()).count();
    assert!(left >= 850, "{left}");
}

#[test]
fn nor_does_one_that_is_asked_many_times_as_much_in_many_parts() {
    let store = S3Fifo::new(Capacity::of_entries(10_000));
    let mut once = 10_000_u64..;
    for _ in 0..30 {
        (0..8000).for_each(|key| assert!(store.get(&key).is_some() || store.put(key, (), 0)));
        once.by_ref().take(4000).for_each(|key| assert!(store.put(key, (), 0)));
    }
    let left = (0..8000).filter(|key| store.get(key).is_some()).count();
    assert!(left >= 7900, "{left}");
}

#[test]
fn all_the_room_is_used() {
    let store = S3Fifo::new(Capacity::mebibytes(8));
    (0..20_000_u64).for_each(|key| assert!(store.put(key, (), 1000)));
    assert!(store.usage().bytes > 8 * 1024 * 1024 - 2000);
}

#[test]
fn who_is_asked_for_a_condition_may_use_the_store() {
    let store = S3Fifo::new(Capacity::of_entries(100));
    (0..100).for_each(|key| assert!(store.put(key, 1, 0)));
    store.retain(&|key, value| {
        // What comes meanwhile was not asked about.
        if *value == 1 {
            assert!(store.put(*key, 2, 0));
        }
        *value == 2
    });
    assert_eq!((store.usage().entries, store.usage().removed), (100, 0));
}

#[test]
fn what_goes_is_dropped_without_the_lock() {
    /// Looks at its store when it goes.
    #[derive(Clone)]
    struct Looks(Weak<S3Fifo<u64, Looks>>);

    impl Drop for Looks {
        fn drop(&mut self) {
            if let Some(store) = self.0.upgrade() {
                store.remove(&u64::MAX);
            }
        }
    }

    let store = Arc::new(S3Fifo::new(Capacity::of_entries(10)));
    let value = || Looks(Arc::downgrade(&store));
    (0..100).for_each(|key| assert!(store.put(key, value(), 0)));
    (0..100).for_each(|key| assert!(store.put(key % 5, value(), 0)));
    (0..100).for_each(|key| drop(store.remove(&key)));
    (0..10).for_each(|key| assert!(store.put(key, value(), 0)));
    store.retain(&|key, _| key % 2 == 0);
    store.resize(Capacity::of_entries(1));
    store.clear();
}

#[test]
fn a_panic_of_a_key_harms_no_other() {
    #[derive(Clone)]
    struct Key(u64, bool);

    impl Hash for Key {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.0.hash(state);
        }
    }

    impl PartialEq for Key {
        fn eq(&self, other: &Self) -> bool {
            assert!(!self.1 && !other.1, "a broken key");
            self.0 == other.0
        }
    }

    impl Eq for Key {}

    /// Both hash alike.
    #[derive(Clone, Default)]
    struct Alike;

    impl BuildHasher for Alike {
        type Hasher = std::hash::DefaultHasher;

        fn build_hasher(&self) -> Self::Hasher {
            std::hash::DefaultHasher::new()
        }

        fn hash_one<T: Hash>(&self, _: T) -> u64 {
            7
        }
    }

    let store = S3Fifo::with_hasher(Capacity::of_entries(10), Alike);
    assert!(store.put(Key(1, false), 1, 0));
    for _ in 0..3 {
        let broken = || store.put(Key(2, true), 2, 0);
        assert!(catch_unwind(AssertUnwindSafe(broken)).is_err());
    }
    assert!(store.put(Key(3, false), 3, 0));
    assert_eq!((store.get(&Key(1, false)), store.get(&Key(3, false))), (Some(1), Some(3)));
    assert_eq!(store.usage().entries, 2);
}
