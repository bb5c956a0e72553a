//! Settings at their ends: what is impossible, what is refused, and what is legal.

use std::{sync::Barrier, thread};

use tower_ballast_core::Invalid;

use super::*;
use crate::store::{S3Fifo, Store};

#[test]
fn numbers_out_of_range_are_refused_with_name_value_and_range() {
    type Refused = fn(f64) -> Option<Invalid>;
    let mebibytes: Refused = |value| Capacity::try_mebibytes("capacity", value).err();
    let spread: Refused = |value| Ratio::try_new("spread", value).err();
    let early: Refused = |value| Multiplier::try_new("early", value).err();
    for (setting, refused, range, wrong, right) in [
        (
            "capacity",
            mebibytes,
            "a number of MiB from 0 to 1048576",
            vec![-1.0, -f64::MIN_POSITIVE, 1_048_576.1, f64::MAX],
            vec![0.0, -0.0, f64::MIN_POSITIVE, 0.5, 1_048_576.0],
        ),
        (
            "spread",
            spread,
            "a number from 0 to 1",
            vec![-0.1, 1.1, f64::MAX],
            vec![0.0, f64::MIN_POSITIVE, 1.0],
        ),
        (
            "early",
            early,
            "a finite number of at least 1",
            vec![0.0, -1.0, 0.9],
            vec![1.0, 1000.0, f64::MAX],
        ),
    ] {
        for value in wrong.into_iter().chain([f64::NAN, f64::INFINITY, f64::NEG_INFINITY]) {
            let error = refused(value).unwrap_or_else(|| panic!("{setting} of {value}"));
            assert_eq!(error.to_string(), format!("{setting} is {value}, must be {range}"));
        }
        for value in right {
            assert_eq!(refused(value), None, "{setting}");
        }
    }
}

/// All others are durations, counts and closures: no value of these is absurd.
#[tokio::test(start_paused = true)]
async fn every_setting_may_be_nothing_and_the_most() {
    type Set = fn(CacheOf, Duration) -> CacheOf;
    let set: [(&str, Set); 6] = [
        ("stale_while_revalidate", CacheLayer::stale_while_revalidate),
        ("stale_if_error", CacheLayer::stale_if_error),
        ("negative", CacheLayer::negative),
        ("idle", CacheLayer::idle),
        ("longest_wait", CacheLayer::longest_wait),
        ("tier_limit", |layer, limit| layer.tier(InMemory::default()).tier_limit(limit)),
    ];
    for (setting, set) in set {
        for span in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            let slow = Slow::default();
            let mut service = set(layer(), span).layer(slow.clone());
            let answers = join_all((0..10).map(|_| service.call(7))).await;
            assert!(answers.iter().all(Result::is_ok), "{setting} of {span:?}");
            // Who does not want to wait makes the call anew, all of them together.
            let impatient = setting == "longest_wait" && span != Duration::MAX;
            assert_eq!(slow.calls(), if impatient { 2 } else { 1 }, "{setting} of {span:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn spread_and_early_may_be_nothing_and_the_most() {
    for spread in [Ratio::ZERO, Ratio::ONE] {
        for early in [Multiplier::of::<1, 1>(), Multiplier::try_new("early", f64::MAX).unwrap()] {
            let slow = Slow::default();
            let mut service = layer().spread(spread).early(early).layer(slow.clone());
            for _ in 0..10 {
                assert!(service.call(7).await.is_ok());
                pass(SECOND).await;
            }
            assert!((1..=10).contains(&slow.calls()));
        }
    }
}

/// Zero is closed for what is kept, and for nothing else.
#[tokio::test(start_paused = true)]
async fn a_cache_without_room_keeps_nothing_and_shares_calls() {
    for capacity in [
        Capacity::of_bytes(0),
        Capacity::mebibytes(0),
        Capacity::of_entries(0),
        Capacity::mebibytes(64).and_entries(0),
        Capacity::of_bytes(1),
    ] {
        let (slow, layer) = (Slow::default(), layer().capacity(capacity));
        let (mut service, handle) = (layer.layer(slow.clone()), layer.handle());
        for calls in 1..3 {
            let answers = join_all((0..1000).map(|_| service.call(7))).await;
            let expected = format!("7 of call {calls}");
            assert!(answers.into_iter().all(|answer| answer.unwrap() == expected));
            assert_eq!(slow.calls(), calls, "{capacity:?}");
        }
        assert!(!handle.set(8, "by hand".into(), MINUTE) && !handle.invalidate(&8));
        let counted = handle.statistics();
        assert_eq!((counted.usage.entries, counted.usage.refused), (0, 3), "{capacity:?}");
        assert_eq!((counted.hits, counted.misses, counted.joined), (0, 2, 1998));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_is_closed_and_opened_again_keeps_again() {
    let (slow, layer) = (Slow::default(), layer());
    let (mut service, handle) = (layer.layer(slow.clone()), layer.handle());
    for (capacity, calls) in [
        (Capacity::of_entries(1), 1),
        (Capacity::of_entries(0), 3),
        (Capacity::of_bytes(u64::MAX), 4),
    ] {
        handle.set_capacity(capacity);
        for _ in 0..2 {
            service.call(7).await.unwrap();
        }
        assert_eq!(slow.calls(), calls, "{capacity:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_any_size_is_given_and_kept_only_if_there_is_room() {
    for (size, is_kept) in [(0, true), (1000, true), (2 * 1024 * 1024, false), (usize::MAX, false)]
    {
        let layer = layer().capacity(Capacity::mebibytes(4)).size(move |_, _| size);
        let handle = layer.handle();
        assert!(layer.layer(Slow::default()).call(7).await.is_ok());
        let usage = handle.statistics().usage;
        assert_eq!((usage.entries, usage.refused), (u64::from(is_kept), u64::from(!is_kept)));
        assert_eq!(handle.set(8, String::new(), MINUTE), is_kept, "{size}");
    }
}

/// Whoever comes first: the one who asks for a store or the one who says how large it is.
#[test]
fn a_capacity_that_is_set_beside_the_first_use_holds() {
    type First = fn(&CacheLayer<KeyOf, u32, String>);
    let firsts: [First; 3] = [
        |layer| assert_eq!(layer.handle().statistics().hits, 0),
        |layer| drop(layer.handle().get(&1)),
        |layer| drop(layer.clone().store(S3Fifo::new(Capacity::of_entries(1000)))),
    ];
    for _ in 0..300 {
        for first in firsts {
            let (layer, barrier) = (layer(), Barrier::new(3));
            thread::scope(|scope| {
                for use_first in [first, |layer| drop(layer.handle().get(&2))] {
                    let (layer, barrier) = (&layer, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        use_first(layer);
                    });
                }
                barrier.wait();
                layer.handle().set_capacity(Capacity::of_entries(2));
            });
            let handle = layer.handle();
            (0..9).for_each(|key| assert!(handle.set(key, String::new(), MINUTE)));
            assert_eq!(handle.statistics().usage.entries, 2);
        }
    }
}

#[test]
fn a_store_says_what_it_keeps() {
    let store = S3Fifo::new(Capacity::of_bytes(1000));
    assert!(store.put(1, "one", 10));
    assert!(!store.put(1, "larger than all", 1000), "and the earlier one is gone");
    assert_eq!((store.get(&1), store.usage().refused), (None, 1));
}
