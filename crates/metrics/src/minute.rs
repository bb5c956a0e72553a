//! The last minute of counters that only grow: what they were when its slices began.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, PoisonError, TryLockError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tower_ballast_core::clock::Nanos;

/// Five seconds, in nanoseconds.
const SLICE: u64 = 5_000_000_000;
const SLICES: usize = 12;

/// Copies of counters, one for the beginning of each slice in which something was counted.
#[derive(Debug)]
pub(crate) struct Minute<T> {
    /// When the slice after the latest of which there is a copy begins, in nanoseconds.
    next: AtomicU64,
    copies: Mutex<VecDeque<(u64, T)>>,
}

impl<T: Default + Clone> Minute<T> {
    pub(crate) const fn new() -> Self {
        Self { next: AtomicU64::new(SLICE), copies: Mutex::new(VecDeque::new()) }
    }

    /// To be called before something is counted: has the counters copied when a slice begins.
    #[inline]
    pub(crate) fn turn(&self, now: Nanos, copy: impl FnOnce(&mut T)) {
        if now.as_nanos() >= self.next.load(Relaxed) {
            self.begin(now.as_nanos() / SLICE, copy);
        }
    }

    #[cold]
    fn begin(&self, slice: u64, copy: impl FnOnce(&mut T)) {
        let mut copies = match self.copies.try_lock() {
            Ok(copies) => copies,
            // Copying runs nobody's code but ours, and a copy that is not whole is not kept.
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody else copies, or reads and leaves it to the next.
            Err(TryLockError::WouldBlock) => return,
        };
        if slice * SLICE < self.next.load(Relaxed) {
            return;
        }
        let oldest = if copies.len() < SLICES { None } else { copies.pop_front() };
        let mut new = oldest.map_or_else(T::default, |(_, copy)| copy);
        copy(&mut new);
        copies.push_back((slice, new));
        self.next.store((slice + 1).saturating_mul(SLICE), Relaxed);
    }

    /// The counters at the beginning of the last minute; `None` when nothing was counted in it.
    pub(crate) fn beginning(&self, now: Nanos) -> Option<T> {
        let first = (now.as_nanos() / SLICE).saturating_sub(SLICES as u64 - 1);
        let copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        copies.iter().find(|(slice, _)| *slice >= first).map(|(_, copy)| copy.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, time::Duration};

    use super::*;

    /// A counter that is counted into at the given seconds.
    #[derive(Default)]
    struct Counter {
        minute: Option<Minute<u64>>,
        count: Cell<u64>,
    }

    impl Counter {
        fn new() -> Self {
            Self { minute: Some(Minute::new()), count: Cell::new(0) }
        }

        fn minute(&self) -> &Minute<u64> {
            self.minute.as_ref().unwrap()
        }

        fn count(&self, second: u64) {
            self.minute().turn(at(second), |copy| *copy = self.count.get());
            self.count.set(self.count.get() + 1);
        }

        fn in_the_minute_before(&self, second: u64) -> u64 {
            self.minute().beginning(at(second)).map_or(0, |before| self.count.get() - before)
        }
    }

    fn at(second: u64) -> Nanos {
        Nanos::ZERO + Duration::from_secs(1000 + second)
    }

    #[test]
    fn it_counts_what_came_within_a_minute() {
        let counter = Counter::new();
        (0..300).for_each(|second| counter.count(second));
        // Slices of 5 s: the present one has begun with its first second.
        assert_eq!(counter.in_the_minute_before(299), 60);
        assert_eq!(counter.in_the_minute_before(300), 55);
    }

    #[test]
    fn it_agrees_with_counting_every_moment() {
        let random = tower_ballast_core::Random::seeded(8);
        for _ in 0..200 {
            let (counter, mut moments, mut now) = (Counter::new(), Vec::new(), 0);
            for _ in 0..100 {
                now += random.below(1 << random.below(7));
                if random.below(3) > 0 {
                    counter.count(now);
                    moments.push(now / 5);
                } else {
                    let first = (now / 5).saturating_sub(11);
                    let exact = moments.iter().filter(|slice| **slice >= first).count() as u64;
                    assert_eq!(counter.in_the_minute_before(now), exact);
                }
            }
        }
    }

    #[test]
    fn a_quiet_minute_is_empty() {
        let counter = Counter::new();
        counter.count(0);
        assert_eq!(counter.in_the_minute_before(59), 1);
        assert_eq!(counter.in_the_minute_before(60), 0);
        counter.count(1_000_000_000);
        assert_eq!(counter.in_the_minute_before(1_000_000_000), 1);
    }

    #[test]
    fn a_clock_that_goes_back_changes_nothing() {
        let counter = Counter::new();
        counter.count(100);
        counter.count(3);
        assert_eq!(counter.in_the_minute_before(100), 2);
        assert_eq!(counter.in_the_minute_before(3), 2);
    }

    #[test]
    fn memory_is_used_again() {
        let counter = Counter::new();
        (0..100_000).for_each(|second| counter.count(second));
        assert_eq!(counter.minute().copies.lock().unwrap().len(), SLICES);
    }
}
