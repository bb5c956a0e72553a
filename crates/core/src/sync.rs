//! The atomics of the lock-free parts: std's, or loom's in builds that model-check them.
//!
//! The only file that knows of loom. The models run with `RUSTFLAGS="--cfg ballast_loom"`; the
//! plain `loom` is left alone, since tokio understands it as its own.

#[cfg(ballast_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(ballast_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};

/// How many lines of cache a set of the key table has, and how many keys a line: few enough in models
/// for them to end.
pub(crate) const LINES: usize = if cfg!(ballast_loom) { 1 } else { 2 };
pub(crate) const WAYS: usize = if cfg!(ballast_loom) { 1 } else { 4 };

/// How many keys may be brought into the key table at one time.
pub(crate) const TURNS: usize = if cfg!(ballast_loom) { 1 } else { 64 };

/// How many parts purges are counted in.
pub(crate) const EPOCHS: usize = if cfg!(ballast_loom) { 1 } else { 256 };

/// How many stripes a striped counter has: a power of two, at least two per processor, so that
/// threads which run at once seldom meet in one.
#[cfg(not(ballast_loom))]
pub(crate) fn stripes() -> usize {
    use std::{num::NonZeroUsize, sync::OnceLock, thread};

    const MOST: usize = 16;
    static STRIPES: OnceLock<usize> = OnceLock::new();
    *STRIPES.get_or_init(|| {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        processors.saturating_mul(2).clamp(2, MOST).next_power_of_two()
    })
}

/// A small number that stays with the calling thread.
#[cfg(not(ballast_loom))]
#[inline]
pub(crate) fn thread_number() -> usize {
    use std::{
        cell::Cell,
        sync::atomic::{AtomicUsize, Ordering},
    };

    const NONE: usize = usize::MAX;
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<usize> = const { Cell::new(NONE) };
    }
    NUMBER.with(|number| match number.get() {
        NONE => {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
            number.get()
        }
        known => known,
    })
}

#[cfg(ballast_loom)]
pub(crate) fn stripes() -> usize {
    2
}

#[cfg(ballast_loom)]
pub(crate) fn thread_number() -> usize {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

    // Models replay, so the number must be the same in every run.
    let hash = BuildHasherDefault::<DefaultHasher>::default()
        .hash_one(format!("{:?}", loom::thread::current().id()));
    usize::from(hash % 2 == 1)
}
