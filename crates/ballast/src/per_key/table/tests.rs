use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use super::*;

/// Asks for the layers of a number, which are the number itself.
fn ask(table: &Table<u32>, number: u32) -> Arc<u32> {
    table.layers(Key::of(&number), || number)
}

#[test]
fn each_key_has_its_own_layers() {
    let table = Table::new(10);
    let found: Vec<_> = (0..10).chain(0..10).map(|number| *ask(&table, number)).collect();
    assert!(found.into_iter().eq((0..10).chain(0..10)));
    assert_eq!(table.statistics(), Statistics { keys: 10, bound: 10, ..Statistics::default() });
}

#[test]
fn a_million_keys_take_no_more_than_the_bound() {
    let table = Table::new(100);
    for number in 0..1_000_000 {
        ask(&table, number);
    }
    let kept = table.lock();
    assert_eq!((kept.places.len(), kept.order.len()), (100, 100));
    drop(kept);
    assert_eq!(table.statistics().forgotten, 999_900);
}

#[test]
fn what_is_worth_keeping_survives_a_flood() {
    let table = Table::new(100);
    table.keep_if(|number| *number < 7);
    for number in 0..100_000 {
        ask(&table, number);
    }
    for number in 0..7 {
        assert!(table.find(Key::of(&number)).is_some(), "{number}");
    }
}

#[test]
fn what_is_in_flight_survives_a_flood() {
    let table = Table::new(100);
    let running: Vec<_> = (0..7).map(|number| ask(&table, number)).collect();
    for number in 7..100_000 {
        ask(&table, number);
    }
    for number in running {
        assert!(Arc::ptr_eq(&number, &table.find(Key::of(&*number)).unwrap()));
    }
}

#[test]
fn what_is_asked_for_survives_what_is_not() {
    let table = Table::new(100);
    for number in 100..10_000 {
        (0..7).for_each(|often| assert_eq!(*ask(&table, often), often));
        ask(&table, number);
    }
    assert!((0..7).all(|often| table.find(Key::of(&often)).is_some()));
}

#[test]
fn without_room_all_share_one_stack() {
    let table = Table::new(2);
    table.keep_if(|_| true);
    let (one, two) = (ask(&table, 1), ask(&table, 2));
    let (three, four) = (ask(&table, 3), ask(&table, 4));
    assert!(Arc::ptr_eq(&three, &four) && !Arc::ptr_eq(&one, &two) && !Arc::ptr_eq(&one, &three));
    assert_eq!((table.statistics().shared, table.all().len()), (2, 3));
    let none = Table::new(0);
    assert!(Arc::ptr_eq(&ask(&none, 1), &ask(&none, 2)));
}

#[test]
fn a_panic_of_the_users_code_loses_no_place() {
    let table = Table::new(1);
    let make = AssertUnwindSafe(|| table.layers(Key::of(&1), || panic!("no layers")));
    assert!(catch_unwind(make).is_err());
    table.keep_if(|number| if *number == 5 { panic!("no opinion") } else { false });
    ask(&table, 5);
    assert!(catch_unwind(AssertUnwindSafe(|| ask(&table, 6))).is_err());
    let kept = table.lock();
    assert_eq!((kept.places.len(), kept.order.len()), (1, 1));
}

#[test]
fn threads_get_the_same_layers() {
    let table = Table::new(50);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..20_000 {
                    let found = ask(&table, number % 200);
                    assert!(*found == number % 200 || table.statistics().shared > 0);
                }
            });
        }
    });
    let kept = table.lock();
    assert!(kept.places.len() <= 50);
    assert_eq!(kept.order.len(), kept.places.len());
}
