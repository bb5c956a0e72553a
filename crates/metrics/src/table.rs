//! A table that only grows, to a bound, and is read without a lock.

use std::{
    array::from_fn,
    fmt,
    iter::successors,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

use tower_ballast_core::Key;

const CHAINS: usize = 256;

/// Values by fingerprint. Nothing is ever taken out, so what was found stays where it is.
///
/// It takes 4 KiB when empty. Whoever meets the bound is turned away.
pub(crate) struct Table<T> {
    chains: [Link<T>; CHAINS],
    /// The values in it, and those about to be put into it.
    reserved: AtomicU32,
    most: AtomicU32,
}

type Link<T> = OnceLock<Box<Node<T>>>;

struct Node<T> {
    key: Key,
    value: T,
    next: Link<T>,
}

impl<T> Table<T> {
    pub(crate) fn new(most: u32) -> Self {
        Self {
            chains: from_fn(|_| OnceLock::new()),
            reserved: AtomicU32::new(0),
            most: AtomicU32::new(most),
        }
    }

    pub(crate) fn most(&self) -> u32 {
        self.most.load(Relaxed)
    }

    pub(crate) fn set_most(&self, most: u32) {
        self.most.store(most, Relaxed);
    }

    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let mut link = self.chain(key);
        while let Some(node) = link.get() {
            if node.key == key {
                return Some(&node.value);
            }
            link = &node.next;
        }
        None
    }

    /// The value, made if it is not there; `None` when there is no room for it. Several threads
    /// may make one at a time, of which one stays.
    #[cold]
    pub(crate) fn get_or_make(&self, key: Key, make: impl FnOnce() -> T) -> Option<&T> {
        if let Some(value) = self.get(key) {
            return Some(value);
        }
        let place = Place::reserve(self)?;
        Some(self.put(key, place, make))
    }

    fn put(&self, key: Key, place: Place<'_>, make: impl FnOnce() -> T) -> &T {
        // Made before it has a place, so that no code of a user runs while others wait for it.
        let mut new = Box::new(Node { key, value: make(), next: OnceLock::new() });
        let mut link = self.chain(key);
        loop {
            match link.set(new) {
                Ok(()) => {
                    place.keep();
                    return &link.get().expect("it was set just now").value;
                }
                Err(refused) => new = refused,
            }
            let node = link.get().expect("it was refused because the link is taken");
            if node.key == key {
                return &node.value;
            }
            link = &node.next;
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chains
            .iter()
            .filter_map(OnceLock::get)
            .flat_map(|node| successors(Some(node), |node| node.next.get()))
            .map(|node| &node.value)
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "any bits of the fingerprint serve")]
    fn chain(&self, key: Key) -> &Link<T> {
        &self.chains[key.get() as usize % CHAINS]
    }
}

impl<T> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({} of {})", self.reserved.load(Relaxed), self.most())
    }
}

/// A place in the table, given back unless it is used.
struct Place<'a>(&'a AtomicU32);

impl<'a> Place<'a> {
    fn reserve<T>(table: &'a Table<T>) -> Option<Self> {
        let most = table.most();
        let reserve = |reserved| (reserved < most).then(|| reserved + 1);
        table.reserved.fetch_update(Relaxed, Relaxed, reserve).ok()?;
        Some(Self(&table.reserved))
    }

    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        panic::{AssertUnwindSafe, catch_unwind},
        thread,
    };

    use super::*;

    #[test]
    fn what_is_put_in_is_found_by_its_key() {
        let table = Table::new(10_000);
        for number in 0..5_000_u32 {
            let key = Key::of(&number);
            assert_eq!(table.get(key), None);
            assert_eq!(table.get_or_make(key, || number), Some(&number));
            assert_eq!(table.get_or_make(key, || u32::MAX), Some(&number));
            assert_eq!(table.get(key), Some(&number));
        }
        let all: BTreeSet<_> = table.iter().copied().collect();
        assert!(all.into_iter().eq(0..5_000));
    }

    #[test]
    fn the_bound_holds_and_can_be_moved() {
        let table = Table::new(3);
        let found = |number: u32| table.get_or_make(Key::of(&number), || number).is_some();
        assert_eq!((0..5).map(found).collect::<Vec<_>>(), [true, true, true, false, false]);
        table.set_most(4);
        assert!(found(9) && !found(10) && found(0));
        assert_eq!(table.iter().count(), 4);
    }

    #[test]
    fn threads_that_make_the_same_values_find_the_same() {
        let table = Table::new(100);
        thread::scope(|scope| {
            for thread in 0..4_u32 {
                let table = &table;
                scope.spawn(move || {
                    for number in 0..100_u32 {
                        let key = Key::of(&(number % 100));
                        let (made, _) = table.get_or_make(key, || (number, thread)).unwrap();
                        assert_eq!(*made, number);
                    }
                });
            }
        });
        assert_eq!(table.iter().count(), 100);
        assert!(table.get_or_make(Key::of("one more"), || (0, 0)).is_none());
    }

    #[test]
    fn a_panic_while_making_gives_the_place_back() {
        let table = Table::<u32>::new(1);
        let make = || table.get_or_make(Key::of("a"), || panic!("no value"));
        assert!(catch_unwind(AssertUnwindSafe(make)).is_err());
        assert_eq!(table.get_or_make(Key::of("a"), || 7), Some(&7));
    }
}
