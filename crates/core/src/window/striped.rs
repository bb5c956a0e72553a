use crate::sync::{
    atomic::{AtomicU64, Ordering::Relaxed},
    stripes, thread_number,
};

/// A counter that threads add to without fighting for one cache line.
///
/// On a healthy path counting a success is all that happens, on every thread at once. It has up
/// to 16 cells of 128 bytes, and each thread adds to one of them; who wants the total looks at
/// all. Adding is one atomic addition. Whatever was added is drained exactly once.
///
/// ```
/// use tower_ballast_core::window::Striped;
///
/// let successes = Striped::new();
/// successes.add();
/// successes.add();
/// assert_eq!(successes.drain(), 2);
/// assert_eq!(successes.sum(), 0);
/// ```
#[derive(Debug)]
pub struct Striped {
    /// A power of two of them, so that a mask picks one.
    cells: Box<[Cell]>,
}

/// Two cache lines, since processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Cell(AtomicU64);

impl Striped {
    /// A counter at zero.
    #[must_use]
    pub fn new() -> Self {
        Self { cells: (0..stripes()).map(|_| Cell(AtomicU64::new(0))).collect() }
    }

    /// Adds one.
    #[inline]
    pub fn add(&self) {
        self.add_many(1);
    }

    /// Adds so many; what is beyond `u64::MAX` in a cell begins at zero again.
    #[inline]
    pub fn add_many(&self, many: u64) {
        if let Some(cell) = self.cells.get(thread_number() & (self.cells.len() - 1)) {
            cell.0.fetch_add(many, Relaxed);
        }
    }

    /// Takes everything out and says how much it was.
    #[must_use = "what is drained is counted nowhere else"]
    pub fn drain(&self) -> u64 {
        self.cells.iter().map(|cell| cell.0.swap(0, Relaxed)).sum()
    }

    /// What it holds. Additions of the same moment may be in it or not.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.cells.iter().map(|cell| cell.0.load(Relaxed)).sum()
    }
}

impl Default for Striped {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    use super::*;

    #[test]
    fn what_many_threads_add_is_drained_exactly_once() {
        let (counter, done) = (Striped::new(), AtomicBool::new(false));
        let drained: u64 = thread::scope(|scope| {
            let drain = scope.spawn(|| {
                let mut drained = 0;
                while !done.load(Ordering::Acquire) {
                    drained += counter.drain();
                }
                drained
            });
            let add = || (0..10_000).for_each(|_| (counter.add(), counter.add_many(4)).1);
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(add)).collect();
            for thread in threads {
                thread.join().unwrap();
            }
            done.store(true, Ordering::Release);
            drain.join().unwrap()
        });
        assert_eq!(drained + counter.sum(), 200_000);
        assert_eq!(drained + counter.drain() + counter.drain(), 200_000);
    }

    #[test]
    fn it_takes_two_kibibytes_at_most() {
        let bytes = size_of_val(&*Striped::new().cells);
        assert!(bytes.is_power_of_two() && bytes <= 2048);
    }

    #[test]
    fn it_is_shared_between_threads() {
        fn shared<T: Send + Sync + 'static>() {}
        shared::<Striped>();
    }
}
