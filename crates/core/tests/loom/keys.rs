//! The table of keys with two places, and all that may happen while keys come in at one time.

use std::{sync::Arc, time::Duration};

use loom::{model, thread};
use tower_ballast_core::{
    Key,
    clock::Nanos,
    keys::{KeyTable, Pace},
};

const NOW: Nanos = Nanos::from_nanos(1_000_000);
const LATER: Nanos = Nanos::from_nanos(1_000_100);

/// One in a hundred nanoseconds.
fn pace(burst: u32) -> Pace {
    Pace::new(Duration::from_nanos(100), burst)
}

fn take(table: &KeyTable, key: &str, now: Nanos, burst: u32) -> bool {
    table.take(Key::of(key), now, pace(burst), 1).is_ok()
}

/// Two places, each used by a key that was there before, until the moment given.
fn table(used: Nanos) -> Arc<KeyTable> {
    let table = KeyTable::new(1);
    let before = Nanos::from_nanos(used.as_nanos() - 100);
    assert!(take(&table, "old", before, 1) && take(&table, "older", before, 1));
    assert_eq!(table.evictions(), 0);
    Arc::new(table)
}

fn spawn<T: 'static>(
    table: &Arc<KeyTable>,
    work: impl FnOnce(&KeyTable) -> T + 'static,
) -> thread::JoinHandle<T> {
    let table = Arc::clone(table);
    thread::spawn(move || work(&table))
}

#[test]
fn the_last_of_a_burst_goes_to_one() {
    model(|| {
        let table = table(NOW);
        let other = spawn(&table, |table| take(table, "old", NOW, 1));
        let ours = take(&table, "old", NOW, 1);
        assert!(ours ^ other.join().unwrap());
        assert_eq!(table.full_at(Key::of("old")), LATER);
    });
}

#[test]
fn a_key_that_two_threads_bring_in_has_one_burst() {
    model(|| {
        let table = table(NOW);
        let other = spawn(&table, |table| take(table, "new", NOW, 1));
        let ours = take(&table, "new", NOW, 1);
        let theirs = other.join().unwrap();
        assert!(ours ^ theirs);
        assert!(!take(&table, "new", NOW, 1));
        assert_eq!((table.full_at(Key::of("new")), table.evictions()), (LATER, 0));
    });
}

#[test]
fn what_is_paid_at_two_places_of_a_key_is_owed_together() {
    model(|| {
        let table = table(NOW);
        // Were both to bring it in, the other could pay at the place that it took and at ours.
        let other = spawn(&table, |table| (0..2).filter(|_| take(table, "new", NOW, 2)).count());
        let ours = usize::from(take(&table, "new", NOW, 2));
        let theirs = other.join().unwrap();
        assert_eq!(ours + theirs, 2, "{ours} and {theirs} of a burst of two");
    });
}

#[test]
fn two_keys_that_come_in_together_both_find_room() {
    model(|| {
        let table = table(NOW);
        let other = spawn(&table, |table| take(table, "one", NOW, 1));
        let ours = take(&table, "two", NOW, 1);
        let theirs = other.join().unwrap();
        assert!(ours && theirs);
        assert!(!take(&table, "two", NOW, 1) && !take(&table, "one", NOW, 1));
    });
}

#[test]
fn keys_that_drive_out_others_owe_what_those_owed() {
    model(|| {
        let table = table(LATER);
        // Each place owes one of a burst of two, so each newcomer can take one more.
        let other = spawn(&table, |table| take(table, "one", NOW, 2));
        let ours = take(&table, "two", NOW, 2);
        let passed = u32::from(ours) + u32::from(other.join().unwrap());
        assert!(passed >= 1);
        assert!(table.evictions() >= 1);
        let more = ["a", "b", "c"].iter().filter(|key| take(&table, key, NOW, 2)).count();
        assert!(passed as usize + more <= 2, "two places held two more: {passed} and {more}");
    });
}

#[test]
fn what_is_given_back_beside_an_eviction_is_nobody_elses_gain() {
    model(|| {
        let table = table(LATER);
        let gives = spawn(&table, |table| table.give_back(Key::of("old"), pace(2), 1));
        let ours = take(&table, "new", NOW, 2);
        gives.join().unwrap();
        assert!(ours);
        // Two were owed, one came, and one at most went.
        let more = ["a", "b", "c", "d"].iter().filter(|key| take(&table, key, NOW, 2)).count();
        assert!(more <= 2, "{more}");
    });
}
