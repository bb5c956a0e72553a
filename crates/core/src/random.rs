//! Random numbers that tests can repeat.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::Ratio;

/// A source of random numbers that many threads share without a lock, and that repeats itself
/// exactly when seeded.
///
/// Jitter, sampling and partial enforcement draw from it. It is quick and well spread, and
/// nothing else: do not make secrets of it. Each draw is one atomic addition and a few
/// multiplications.
///
/// ```
/// use tower_ballast_core::Random;
///
/// let (one, same) = (Random::seeded(7), Random::seeded(7));
/// assert_eq!(one.next_u64(), same.next_u64());
/// assert_ne!(Random::new().next_u64(), Random::new().next_u64());
/// ```
///
/// The generator is `SplitMix64`: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
/// Generators", OOPSLA 2014.
#[derive(Debug)]
pub struct Random(AtomicU64);

/// The step of the sequence, 2^64 divided by the golden ratio.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// A source with a seed of its own: no two in a process have the same one, and another run
    /// of the process has others.
    #[must_use]
    pub fn new() -> Self {
        static PROCESS: OnceLock<u64> = OnceLock::new();
        static MADE: AtomicU64 = AtomicU64::new(0);
        let process = *PROCESS.get_or_init(|| RandomState::new().hash_one(0));
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        // Mixed, since seeds one GAMMA apart would give one sequence, shifted. `mix` maps no two
        // numbers to one.
        Self::seeded(mix(process.wrapping_add(made)))
    }

    /// A source that gives the same sequence whenever it is made with the same seed.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Starts the sequence of `seed`, from the next draw on.
    pub fn reseed(&self, seed: u64) {
        self.0.store(seed, Ordering::Relaxed);
    }

    /// Any 64-bit number, all equally likely.
    pub fn next_u64(&self) -> u64 {
        mix(self.0.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA))
    }

    /// A number from 0 up to, but never, 1.
    #[allow(clippy::cast_precision_loss, reason = "53 bits are what an f64 holds")]
    pub fn unit(&self) -> f64 {
        const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.next_u64() >> 11) as f64 * STEP
    }

    /// A number below `bound`, all equally likely; 0 when `bound` is 0.
    ///
    /// ```
    /// use tower_ballast_core::Random;
    ///
    /// let dice = Random::new();
    /// assert!((1..=6).contains(&(1 + dice.below(6))));
    /// ```
    #[allow(clippy::cast_possible_truncation, reason = "the low half of the product is meant")]
    pub fn below(&self, bound: u64) -> u64 {
        // Lemire, "Fast Random Integer Generation in an Interval", 2019: the high half of the
        // product is the draw, and the few low halves that would favour some draws are redrawn.
        let mut product = u128::from(self.next_u64()) * u128::from(bound);
        if (product as u64) < bound {
            let unfair = bound.wrapping_neg() % bound;
            while (product as u64) < unfair {
                product = u128::from(self.next_u64()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }

    /// `true` in this share of the draws: never for 0, always for 1.
    pub fn chance(&self, share: Ratio) -> bool {
        self.unit() < share.get()
    }

    /// A duration from `low` to `high`, both included, all nanoseconds equally likely. The two
    /// may come in either order.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_ballast_core::Random;
    ///
    /// let random = Random::new();
    /// let (low, high) = (Duration::from_millis(10), Duration::from_millis(20));
    /// assert!((low..=high).contains(&random.between(low, high)));
    /// ```
    #[must_use]
    pub fn between(&self, low: Duration, high: Duration) -> Duration {
        let (low, high) = (low.min(high).as_nanos(), low.max(high).as_nanos());
        let offset = match u64::try_from(high - low + 1) {
            Ok(draws) => u128::from(self.below(draws)),
            Err(_) => self.up_to(high - low),
        };
        duration_from_nanos(low + offset)
    }

    /// A number of at most `most`, for spans that 64 bits do not hold.
    fn up_to(&self, most: u128) -> u128 {
        let mask = u128::MAX >> most.leading_zeros();
        loop {
            let draw = (u128::from(self.next_u64()) << 64 | u128::from(self.next_u64())) & mask;
            if draw <= most {
                return draw;
            }
        }
    }
}

impl Default for Random {
    fn default() -> Self {
        Self::new()
    }
}

/// A duration of so many nanoseconds, at most [`Duration::MAX`].
#[allow(clippy::cast_possible_truncation, reason = "a remainder by a billion fits 32 bits")]
pub(crate) fn duration_from_nanos(nanos: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    match u64::try_from(nanos / SECOND) {
        Ok(seconds) => Duration::new(seconds, (nanos % SECOND) as u32),
        Err(_) => Duration::MAX,
    }
}

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, thread};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_sequence_is_that_of_splitmix64() {
        let random = Random::seeded(0);
        let drawn: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
        assert_eq!(drawn, [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]);
    }

    #[test]
    fn two_sources_never_draw_the_same_sequence_unless_seeded_alike() {
        let sources: Vec<Random> = (0..1000).map(|_| Random::new()).collect();
        let firsts: HashSet<[u64; 4]> =
            sources.iter().map(|source| std::array::from_fn(|_| source.next_u64())).collect();
        assert_eq!(firsts.len(), sources.len());

        for source in &sources {
            source.reseed(42);
        }
        let again: HashSet<u64> = sources.iter().map(Random::next_u64).collect();
        assert_eq!(again.len(), 1);
    }

    #[test]
    fn threads_that_share_a_source_never_draw_the_same_step() {
        let random = Random::seeded(1);
        let drawn: Vec<Vec<u64>> = thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..1000).map(|_| random.next_u64()).collect()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(drawn.concat().into_iter().collect::<HashSet<_>>().len(), 4000);
    }

    #[test]
    fn every_number_below_a_bound_is_equally_likely() {
        let (random, draws) = (Random::seeded(3), 60_000_u32);
        let mut counts = [0_u32; 6];
        for _ in 0..draws {
            counts[usize::try_from(random.below(6)).unwrap()] += 1;
        }
        // Chi-squared with five degrees of freedom; 20.5 is passed once in a thousand seeds.
        let expected = f64::from(draws) / 6.0;
        let squares = counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected);
        assert!(squares.sum::<f64>() < 20.5);
    }

    #[test]
    fn a_bound_of_zero_gives_zero() {
        assert_eq!(Random::new().below(0), 0);
    }

    #[test]
    fn chance_never_fails_at_the_ends() {
        let random = Random::seeded(5);
        assert!((0..1000).all(|_| random.chance(Ratio::ONE) && !random.chance(Ratio::ZERO)));
    }

    #[test]
    fn both_ends_of_a_span_are_drawn() {
        let random = Random::seeded(9);
        let (low, high) = (Duration::from_nanos(1), Duration::from_nanos(3));
        let drawn: HashSet<Duration> = (0..100).map(|_| random.between(low, high)).collect();
        assert_eq!(drawn.len(), 3);
    }

    fn durations() -> impl Strategy<Value = Duration> {
        prop_oneof![
            Just(Duration::ZERO),
            Just(Duration::MAX),
            Just(Duration::from_nanos(u64::MAX)),
            any::<u64>().prop_map(Duration::from_nanos),
            (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(s, n)| Duration::new(s, n)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_draw_stays_between_its_ends(a in durations(), b in durations(), seed: u64) {
            let drawn = Random::seeded(seed).between(a, b);
            prop_assert!((a.min(b)..=a.max(b)).contains(&drawn));
        }

        #[test]
        fn a_draw_stays_below_its_bound(bound in 1..u64::MAX, seed: u64) {
            prop_assert!(Random::seeded(seed).below(bound) < bound);
        }

        #[test]
        fn a_unit_is_at_least_zero_and_below_one(seed: u64) {
            prop_assert!((0.0..1.0).contains(&Random::seeded(seed).unit()));
        }
    }
}
