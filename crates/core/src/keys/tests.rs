use std::{collections::HashMap, num::NonZeroU32, thread, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::Random;

const START: Nanos = Nanos::from_nanos(86_400_000_000_000);
/// Two sets of eight.
const PLACES: u32 = 16;

fn key(number: u32) -> Key {
    Key::of(&number)
}

/// Ten a second, and so many at once.
fn pace(burst: u32) -> Pace {
    Pace::new(Duration::from_millis(100), burst)
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Take(u32),
    Charge(u32),
    GiveBack(u32),
}

fn steps(keys: u32) -> impl Strategy<Value = Vec<(u64, u32, Step)>> {
    let step = prop_oneof![
        6 => (0..6_u32).prop_map(Step::Take),
        1 => (0..20_u32).prop_map(Step::Charge),
        1 => (0..6_u32).prop_map(Step::GiveBack),
    ];
    prop::collection::vec((0..300_u64, 0..keys, step), 1..300)
}

/// An arrival time for each key, for ever.
#[derive(Default)]
struct Model(HashMap<u32, u64>);

impl Model {
    fn apply(
        &mut self,
        number: u32,
        now: u64,
        (interval, burst): (u64, u64),
        step: Step,
    ) -> Result<(), Nanos> {
        let arrival = self.0.entry(number).or_default();
        match step {
            Step::Take(cost) => {
                let used = arrival.saturating_sub(now) + u64::from(cost) * interval;
                if u64::from(cost) > burst {
                    return Err(Nanos::MAX);
                }
                if used > burst * interval {
                    return Err(Nanos::from_nanos(now + used - burst * interval));
                }
                *arrival = now + used;
            }
            Step::Charge(cost) => *arrival = now.max(*arrival) + u64::from(cost) * interval,
            Step::GiveBack(cost) => *arrival -= (*arrival).min(u64::from(cost) * interval),
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn until_it_is_full_each_key_has_a_limit_of_its_own(
        steps in steps(PLACES),
        capacity in prop_oneof![Just(1), Just(100)],
    ) {
        let (table, mut model) = (KeyTable::new(capacity), Model::default());
        let mut now = START;
        for (pause, number, step) in steps {
            now = now + Duration::from_nanos(pause);
            // Some keys have a pace of their own.
            let (interval, burst) = if number % 3 == 0 { (500, 2) } else { (70, 5) };
            let pace = Pace::new(Duration::from_nanos(interval), burst);
            let expected = model.apply(number, now.as_nanos(), (interval, burst.into()), step);
            match step {
                Step::Take(cost) => prop_assert_eq!(table.take(key(number), now, pace, cost), expected),
                Step::Charge(cost) => table.charge(key(number), now, pace, cost),
                Step::GiveBack(cost) => table.give_back(key(number), pace, cost),
            }
            let owing = model.0.values().filter(|arrival| **arrival > now.as_nanos()).count();
            prop_assert_eq!(table.debtors(now), owing);
        }
        prop_assert_eq!(table.evictions(), 0);
    }

    #[test]
    fn however_many_keys_come_no_more_pass_than_the_places_have_bursts(
        burst in 1..10_u32,
        numbers in prop::collection::vec(any::<u32>(), 1..600),
    ) {
        let table = KeyTable::new(1);
        let passed =
            numbers.iter().filter(|number| table.take(key(**number), START, pace(burst), 1).is_ok());
        prop_assert!(passed.count() <= (PLACES * burst) as usize);
    }

    #[test]
    fn who_comes_into_a_full_table_owes_what_the_least_debtor_owed(
        costs in prop::collection::vec(1..10_u32, 16),
        cost in 1..20_u32,
    ) {
        let table = KeyTable::new(1);
        for (number, cost) in (0..).zip(&costs) {
            table.take(key(number), START, pace(10), *cost).unwrap();
        }
        let least = *costs.iter().min().unwrap();
        let passes = least + cost <= 10;
        prop_assert_eq!(table.take(key(99), START, pace(10), cost).is_ok(), passes);
        prop_assert_eq!(table.evictions(), u64::from(passes));
        let owed = table.full_at(key(99)).since(START).as_millis() / 100;
        prop_assert_eq!(owed, if passes { u128::from(least + cost) } else { 0 });
    }

    #[test]
    fn extremes_saturate(nanos: u64, interval: u64, burst: u32, cost: u32, capacity in 0..50_u32) {
        let table = KeyTable::new(capacity);
        for now in [Nanos::from_nanos(nanos), Nanos::MAX, Nanos::ZERO] {
            for interval in [Duration::ZERO, Duration::from_nanos(interval), Duration::MAX] {
                for pace in [Pace::new(interval, burst), Pace::new(interval, u32::MAX)] {
                    let _ = table.take(key(1), now, pace, cost);
                    table.give_back(key(1), pace, cost);
                    table.charge(key(1), now, pace, u32::MAX);
                }
            }
        }
    }
}

#[test]
fn the_highest_capacity_allocates_little_before_keys_come() {
    let table = KeyTable::new(u32::MAX);
    assert_eq!(table.bytes(), 0);
    table.take(key(1), START, pace(1), 1).unwrap();
    assert!((1..=2 * 64 * 1024).contains(&table.bytes()), "{} bytes", table.bytes());
}

#[test]
fn a_key_takes_at_most_twenty_bytes_of_the_capacity() {
    for capacity in [1000_u32, 12_345, 300_000] {
        let table = KeyTable::new(capacity);
        for number in 0..capacity {
            table.take(key(number), START, pace(3), 1).unwrap();
        }
        let (bytes, places) = (table.bytes() as u64, u64::from(capacity) * 20);
        // Whole sets, of which there are at least two.
        assert!(bytes <= places + 128, "{capacity}: {bytes} bytes");
        // All of them owe at one time, and hardly any found no place.
        assert!(table.evictions() <= 3 + u64::from(capacity / 500), "{}", table.evictions());
        assert_eq!(table.debtors(START) as u64 + table.evictions(), capacity.into());
    }
}

#[test]
fn a_key_that_owes_nothing_makes_room_without_loss() {
    let table = KeyTable::new(1);
    let mut now = START;
    for round in 0..1000 {
        for number in 0..PLACES {
            table.take(key(round * PLACES + number), now, pace(1), 1).unwrap();
        }
        now = now + Duration::from_millis(100);
    }
    assert_eq!((table.evictions(), table.debtors(now)), (0, 0));
}

/// New keys at a rate, each owing for one request for a second, beside a hundred polite ones of which each comes
/// every two seconds. Returns how many of the polite were refused, of how many.
fn flood(table: &KeyTable, keys: u32, rate: u32, round: u32) -> (u32, u32) {
    let (pace, random) = (Pace::new(Duration::from_secs(1), 3), Random::seeded(11));
    let (mut now, mut refused, mut asked, mut bytes) = (START, 0, 0, 0);
    for step in 0..keys {
        now = now + Duration::from_secs(1) / rate;
        let _ = table.take(Key::of(&(step, random.next_u64())), now, pace, 1);
        if step % (rate / 50) == 0 {
            let polite = table.take(key(100 * round + step / (rate / 50) % 100), now, pace, 1);
            // The first half fills the table, also with debts.
            if step > keys / 2 {
                asked += 1;
                refused += u32::from(polite.is_err());
            }
        }
        if step == keys / 2 {
            bytes = table.bytes();
        }
    }
    assert_eq!(table.bytes(), bytes, "the memory is the same after all of them");
    (refused, asked)
}

/// Ten million with optimization, which take some seconds.
#[test]
fn a_flood_of_keys_for_which_the_table_is_large_enough_changes_nothing_for_the_polite() {
    let keys = if cfg!(debug_assertions) { 500_000 } else { 10_000_000 };
    // As the rule says: as many as come in the time for which each owes.
    let table = KeyTable::new(keys / 10);
    let (refused, asked) = flood(&table, keys, keys / 10, 0);
    assert!(refused == 0 && asked > 200, "{refused} of {asked}");
    assert!(table.bytes() as u64 <= u64::from(keys / 10) * 20 + 128);
    assert!(table.evictions() <= u64::from(keys / 20), "{} evictions", table.evictions());
}

#[test]
fn of_a_flood_larger_than_the_table_no_more_are_refused_than_find_no_place() {
    for (times, expected) in [(2, 0.375), (4, 0.6875), (10, 0.875)] {
        // Where a hundred polite clients have their places is chance: with other clients in each round it is no longer seen.
        let capacity = 5000;
        let (mut refused, mut asked) = (0, 0);
        for round in 0..6 {
            let table = KeyTable::new(capacity);
            let flood = flood(&table, capacity * times * 30, capacity * times, round);
            (refused, asked) = (refused + flood.0, asked + flood.1);
        }
        let share = f64::from(refused) / f64::from(asked);
        // A few of the polite still find the place that they had.
        assert!(
            (expected - 0.1..expected + 0.03).contains(&share),
            "{share} of the polite at {times} times as many"
        );
    }
}

#[test]
fn a_flood_larger_than_the_table_is_held_to_what_its_places_allow() {
    let table = KeyTable::new(1000);
    let (mut now, mut passed) = (START, 0_u32);
    for step in 0..200_000_u32 {
        now = now + Duration::from_micros(10);
        passed += u32::from(table.take(key(step), now, pace(2), 1).is_ok());
    }
    // 1256 places with a burst of 2, and 10 a second each for two seconds.
    let most = 1256 * 2 + 1256 * 20;
    assert!(passed <= most, "{passed} of at most {most}");
    assert!(table.evictions() > 0);
}

#[test]
fn a_year_of_rest_grants_one_burst() {
    let table = KeyTable::new(10);
    let mut now = START;
    for days in [1, 30, 400] {
        now = now + Duration::from_secs(days * 24 * 60 * 60);
        let passed = (0..100).filter(|_| table.take(key(7), now, pace(3), 1).is_ok()).count();
        assert_eq!(passed, 3);
    }
}

#[test]
fn an_earlier_moment_finds_no_more_than_is_left() {
    let table = KeyTable::new(10);
    table.take(key(7), START, pace(3), 3).unwrap();
    assert!(table.take(key(7), Nanos::ZERO, pace(3), 1).is_err());
}

#[test]
fn threads_that_bring_in_the_same_keys_share_their_bursts() {
    let table = KeyTable::new(4000);
    let passed: u32 = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let calls = (0..2000_u32).flat_map(|number| [number; 3]);
                scope.spawn(|| {
                    calls
                        .map(|number| u32::from(table.take(key(number), START, pace(5), 1).is_ok()))
                        .sum::<u32>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(passed, 2000 * 5);
    assert_eq!(table.debtors(START), 2000);
}

#[test]
fn a_quota_of_nothing_lets_nothing_through() {
    let table = KeyTable::new(10);
    assert_eq!(table.take(key(1), START, pace(0), NonZeroU32::MIN.get()), Err(Nanos::MAX));
}
