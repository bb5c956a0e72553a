//! A limit on how many may do something at one time.

use std::sync::Arc;

use crate::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number of permits, given out and taken back, which can be changed at any time.
///
/// It never waits: there is a permit or there is none. Everything is in one atomic, so taking a
/// permit is one load and one exchange. A limit of 0 is closed. When the limit is lowered below
/// what is out, none are given until enough have come back.
///
/// ```
/// use std::sync::Arc;
/// use tower_ballast_core::permit::Permits;
///
/// let permits = Arc::new(Permits::new(1));
/// let permit = permits.try_acquire().expect("one is free");
/// assert!(permits.try_acquire().is_none());
/// permits.resize(2);
/// assert!(permits.try_acquire().is_some());
/// drop(permit);
/// assert_eq!(permits.in_use(), 0);
/// ```
#[derive(Debug)]
pub struct Permits {
    /// The limit in the upper half, what is out in the lower.
    word: AtomicU64,
}

impl Permits {
    /// So many permits.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self { word: AtomicU64::new(pack(limit, 0)) }
    }

    /// A permit, unless all are out.
    #[must_use]
    pub fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        Permit::try_acquire(self)
    }

    /// Takes a permit without a guard, and says whether there was one. Whoever took it must
    /// [give it back](Self::give_back); this is for a guard of one's own.
    ///
    /// ```
    /// use tower_ballast_core::permit::Permits;
    ///
    /// let permits = Permits::new(1);
    /// assert!(permits.take());
    /// assert!(!permits.take());
    /// permits.give_back();
    /// ```
    #[must_use = "a permit that was taken must be given back"]
    #[inline]
    pub fn take(&self) -> bool {
        let take = |word| {
            let (limit, in_use) = unpack(word);
            (in_use < limit).then(|| pack(limit, in_use + 1))
        };
        self.word.fetch_update(Relaxed, Relaxed, take).is_ok()
    }

    /// Gives back a permit that was [taken](Self::take). One too many is ignored.
    #[inline]
    pub fn give_back(&self) {
        let give_back = |word| {
            let (limit, in_use) = unpack(word);
            in_use.checked_sub(1).map(|in_use| pack(limit, in_use))
        };
        let given = self.word.fetch_update(Relaxed, Relaxed, give_back);
        debug_assert!(given.is_ok(), "a permit was given back that nobody took");
    }

    /// Changes the limit. Permits that are out stay out.
    pub fn resize(&self, limit: u32) {
        let resize = |word| Some(pack(limit, unpack(word).1));
        let _ = self.word.fetch_update(Relaxed, Relaxed, resize);
    }

    /// How many are out. After the limit was lowered that may be more than the limit.
    #[must_use]
    pub fn in_use(&self) -> u32 {
        unpack(self.word.load(Relaxed)).1
    }

    /// How many may be out.
    #[must_use]
    pub fn limit(&self) -> u32 {
        unpack(self.word.load(Relaxed)).0
    }

    /// How many more would be given out now.
    #[must_use]
    pub fn available(&self) -> u32 {
        let (limit, in_use) = unpack(self.word.load(Relaxed));
        limit.saturating_sub(in_use)
    }
}

/// Something that has [`Permits`] inside, so that a [`Permit`] can keep the whole alive by the one
/// `Arc` there is.
pub trait Limited {
    /// The permits.
    fn permits(&self) -> &Permits;
}

impl Limited for Permits {
    fn permits(&self) -> &Permits {
        self
    }
}

/// One of the [`Permits`], which goes back when it is dropped.
///
/// A layer's shared state implements [`Limited`] and hands out permits on itself:
///
/// ```
/// use std::sync::Arc;
/// use tower_ballast_core::permit::{Limited, Permit, Permits};
///
/// struct State {
///     permits: Permits,
///     name: &'static str,
/// }
///
/// impl Limited for State {
///     fn permits(&self) -> &Permits {
///         &self.permits
///     }
/// }
///
/// let state = Arc::new(State { permits: Permits::new(1), name: "orders" });
/// let permit = Permit::try_acquire(&state).expect("one is free");
/// assert_eq!(permit.owner().name, "orders");
/// assert!(Permit::try_acquire(&state).is_none());
/// ```
#[derive(Debug)]
#[must_use = "dropped at once, it goes back at once"]
pub struct Permit<T: Limited = Permits> {
    owner: Arc<T>,
}

impl<T: Limited> Permit<T> {
    /// A permit, unless all are out.
    #[must_use]
    #[inline]
    pub fn try_acquire(owner: &Arc<T>) -> Option<Self> {
        owner.permits().take().then(|| Self { owner: Arc::clone(owner) })
    }

    /// What the permit is on.
    #[must_use]
    pub fn owner(&self) -> &T {
        &self.owner
    }
}

impl<T: Limited> Drop for Permit<T> {
    #[inline]
    fn drop(&mut self) {
        self.owner.permits().give_back();
    }
}

const fn pack(limit: u32, in_use: u32) -> u64 {
    (limit as u64) << u32::BITS | in_use as u64
}

#[allow(clippy::cast_possible_truncation, reason = "the two halves of a word")]
const fn unpack(word: u64) -> (u32, u32) {
    ((word >> u32::BITS) as u32, word as u32)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use proptest::prelude::*;

    use super::*;
    use crate::Random;

    #[test]
    fn a_limit_of_zero_is_closed() {
        let permits = Arc::new(Permits::new(0));
        assert!(permits.try_acquire().is_none());
        permits.resize(1);
        assert!(permits.try_acquire().is_some());
    }

    #[test]
    fn a_lowered_limit_waits_for_what_is_out() {
        let permits = Arc::new(Permits::new(3));
        let mut out: Vec<_> = (0..4).map_while(|_| permits.try_acquire()).collect();
        permits.resize(1);
        assert_eq!((out.len(), permits.in_use(), permits.available()), (3, 3, 0));
        out.truncate(1);
        assert!(permits.try_acquire().is_none());
        out.clear();
        assert!(permits.try_acquire().is_some());
        assert_eq!((permits.in_use(), permits.limit()), (0, 1));
    }

    #[test]
    fn the_largest_limit_counts_as_well() {
        let permits = Permits { word: AtomicU64::new(pack(u32::MAX, u32::MAX - 1)) };
        assert!(permits.take() && !permits.take());
        permits.give_back();
        assert_eq!((permits.in_use(), permits.limit()), (u32::MAX - 1, u32::MAX));
    }

    #[test]
    fn a_permit_dropped_by_a_panic_goes_back() {
        let permits = Arc::new(Permits::new(1));
        let permit = permits.try_acquire();
        thread::spawn(move || {
            let _permit = permit;
            std::panic::resume_unwind(Box::new("gone"));
        })
        .join()
        .unwrap_err();
        assert_eq!(permits.in_use(), 0);
    }

    #[test]
    fn a_hundred_thousand_random_steps_on_two_threads_conserve_the_total() {
        const MOST: u64 = 8;
        let permits = Arc::new(Permits::new(4));
        let work = |seed| {
            let random = Random::seeded(seed);
            let mut out = Vec::new();
            for _ in 0..50_000 {
                match random.below(20) {
                    0 => permits.resize(u32::try_from(random.below(MOST + 1)).unwrap()),
                    1..10 => drop(out.pop()),
                    _ => out.extend(permits.try_acquire()),
                }
                assert!(
                    u64::from(permits.in_use()) <= MOST && out.len() <= permits.in_use() as usize
                );
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| work(1));
            scope.spawn(|| work(2));
        });
        assert_eq!(permits.in_use(), 0);
        permits.resize(3);
        assert_eq!((0..10).map_while(|_| permits.try_acquire()).collect::<Vec<_>>().len(), 3);
    }

    #[test]
    fn it_moves_between_threads() {
        fn moves<T: Send + Sync + 'static>() {}
        moves::<Permits>();
        moves::<Permit>();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn it_does_what_two_numbers_would(
            steps in prop::collection::vec((0..3_u8, 0..6_u32), 0..200), limit in 0..6_u32,
        ) {
            let permits = Arc::new(Permits::new(limit));
            let (mut limit, mut out) = (limit, Vec::new());
            for (step, number) in steps {
                match step {
                    0 => {
                        let before = out.len();
                        out.extend(permits.try_acquire());
                        prop_assert_eq!(out.len() > before, before < limit as usize);
                    }
                    1 => drop(out.pop()),
                    _ => {
                        permits.resize(number);
                        limit = number;
                    }
                }
                prop_assert_eq!((permits.in_use() as usize, permits.limit()), (out.len(), limit));
            }
        }
    }
}
