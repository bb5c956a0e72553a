//! How a value, such as a latency, is distributed.

use std::{array::from_fn, sync::OnceLock};

use crate::{
    Ratio,
    sync::{
        atomic::{AtomicU64, Ordering::Relaxed},
        stripes, thread_number,
    },
};

/// Steps within one power of two.
const STEPS: usize = 32;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// Values below [`STEPS`] are exact; each power of two above has a segment.
const SEGMENTS: usize = 64 - STEP_BITS as usize + 1;

/// Counts values in steps that grow with them: any `u64`, with a relative error of at most 1.6 %.
///
/// Each power of two is divided into 32 steps, and a step stands for its middle. Recording is two
/// additions on memory that the thread has mostly for itself, without a lock. Segments are
/// allocated when they are first used, 256 bytes for each power of two and stripe: at most 15 KiB
/// a stripe, of which there are at most 16. The design is that of `HdrHistogram`.
///
/// ```
/// use tower_ballast_core::{Histogram, Ratio};
///
/// let histogram = Histogram::new();
/// (1..=1000).for_each(|value| histogram.record(value));
/// let snapshot = histogram.snapshot();
/// assert_eq!((snapshot.count(), snapshot.min(), snapshot.max()), (1000, 1, 1000));
/// let p95 = snapshot.quantile(Ratio::percent::<95>());
/// assert!(p95.abs_diff(950) <= 950 * 16 / 1000);
/// ```
#[derive(Debug)]
pub struct Histogram {
    stripes: Box<[Stripe]>,
    min: AtomicU64,
    max: AtomicU64,
}

/// Two cache lines apart, since processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Stripe {
    sum: AtomicU64,
    segments: [OnceLock<Box<Segment>>; SEGMENTS],
}

type Segment = [AtomicU64; STEPS];

impl Histogram {
    /// An empty histogram.
    #[must_use]
    pub fn new() -> Self {
        let stripe =
            |_| Stripe { sum: AtomicU64::new(0), segments: [const { OnceLock::new() }; SEGMENTS] };
        Self {
            stripes: (0..stripes()).map(stripe).collect(),
            min: AtomicU64::new(u64::MAX),
            max: AtomicU64::new(0),
        }
    }

    /// Counts a value.
    #[inline]
    pub fn record(&self, value: u64) {
        let stripe = &self.stripes[thread_number() & (self.stripes.len() - 1)];
        let (segment, step) = position(value);
        let segment = &stripe.segments[segment];
        let segment = segment.get_or_init(|| Box::new(from_fn(|_| AtomicU64::new(0))));
        segment[step].fetch_add(1, Relaxed);
        stripe.sum.fetch_add(value, Relaxed);
        if value < self.min.load(Relaxed) {
            self.min.fetch_min(value, Relaxed);
        }
        if value > self.max.load(Relaxed) {
            self.max.fetch_max(value, Relaxed);
        }
    }

    /// What was counted up to here. Values that are recorded meanwhile may be in it or not.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        self.snapshot_into(&mut snapshot);
        snapshot
    }

    /// The same, in place of what `snapshot` held, whose memory is used again.
    pub fn snapshot_into(&self, snapshot: &mut Snapshot) {
        let sums = self.stripes.iter().map(|stripe| stripe.sum.load(Relaxed));
        snapshot.sum = sums.fold(0, u64::wrapping_add);
        snapshot.min = self.min.load(Relaxed);
        snapshot.max = self.max.load(Relaxed);
        snapshot.counts.clear();
        for segment in 0..SEGMENTS {
            let mut used =
                self.stripes.iter().filter_map(|stripe| stripe.segments[segment].get()).peekable();
            // Most never are.
            if used.peek().is_none() {
                continue;
            }
            let mut counts = [0; STEPS];
            for used in used {
                for (count, step) in counts.iter_mut().zip(used.iter()) {
                    *count += step.load(Relaxed);
                }
            }
            let used = counts.into_iter().enumerate().filter(|(_, count)| *count > 0);
            snapshot.counts.extend(used.map(|(step, count)| (segment * STEPS + step, count)));
        }
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

/// What a [`Histogram`] had counted at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The steps that have any, in their order.
    counts: Vec<(usize, u64)>,
    sum: u64,
    min: u64,
    max: u64,
}

impl Default for Snapshot {
    fn default() -> Self {
        Self { counts: Vec::new(), sum: 0, min: u64::MAX, max: 0 }
    }
}

impl Snapshot {
    /// How many values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// Their sum, which wraps at 2^64: 584 years in nanoseconds.
    #[must_use]
    pub const fn sum(&self) -> u64 {
        self.sum
    }

    /// The smallest value, exactly; of a [difference](Self::since) within the error. Zero without
    /// values.
    #[must_use]
    pub fn min(&self) -> u64 {
        if self.counts.is_empty() { 0 } else { self.min }
    }

    /// The largest value, exactly; of a [difference](Self::since) within the error. Zero without
    /// values.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// The mean, exactly, rounded down. Zero without values.
    #[must_use]
    pub fn mean(&self) -> u64 {
        self.sum.checked_div(self.count()).unwrap_or(0)
    }

    /// The smallest value that this share of the values does not exceed, within the error. Zero
    /// without values.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a rank needs no more precision than a ratio has"
    )]
    pub fn quantile(&self, share: Ratio) -> u64 {
        let count = self.count();
        let rank = ((share.get() * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut seen = 0;
        for &(index, count) in &self.counts {
            seen += count;
            if seen >= rank {
                return middle(index).clamp(self.min(), self.max);
            }
        }
        0
    }

    /// What came after an earlier snapshot of the same histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut before = earlier.counts.iter().peekable();
        let mut counts = self.counts.clone();
        for (index, count) in &mut counts {
            while before.peek().is_some_and(|(earlier, _)| earlier < index) {
                before.next();
            }
            if let Some((_, earlier)) = before.next_if(|(earlier, _)| earlier == index) {
                *count = count.saturating_sub(*earlier);
            }
        }
        counts.retain(|(_, count)| *count > 0);
        let sum = self.sum.wrapping_sub(earlier.sum);
        let near = |step: &(usize, u64)| middle(step.0).clamp(self.min, self.max);
        let min = counts.first().map_or(u64::MAX, near);
        let max = counts.last().map_or(0, near);
        Self { counts, sum, min, max }
    }
}

/// Which segment, and which step in it.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "a step is below 32")]
const fn position(value: u64) -> (usize, usize) {
    if value < STEPS as u64 {
        return (0, value as usize);
    }
    let shift = value.ilog2() - STEP_BITS;
    ((shift + 1) as usize, (value >> shift) as usize & (STEPS - 1))
}

/// The middle of a step.
const fn middle(index: usize) -> u64 {
    let (segment, step) = (index / STEPS, (index % STEPS) as u64);
    if segment == 0 {
        return step;
    }
    let shift = segment - 1;
    let width = 1_u64 << shift;
    ((STEPS as u64 + step) << shift) + (width - 1) / 2
}

#[cfg(test)]
mod tests {
    use std::thread;

    use proptest::prelude::*;

    use super::*;
    use crate::Random;

    #[test]
    fn a_million_samples_agree_with_an_exact_computation() {
        let random = Random::seeded(3);
        let histogram = Histogram::new();
        let mut exact: Vec<u64> =
            (0..1_000_000).map(|_| 1_000 + random.below(1 << random.below(36))).collect();
        for value in &exact {
            histogram.record(*value);
        }
        exact.sort_unstable();
        let snapshot = histogram.snapshot();
        assert_eq!(snapshot.count(), 1_000_000);
        assert_eq!((snapshot.min(), snapshot.max()), (exact[0], exact[999_999]));
        assert_eq!(snapshot.sum(), exact.iter().sum());
        for (per_mille, exact) in (1_u32..).zip(exact.into_iter().skip(999).step_by(1000)) {
            let share = Ratio::try_new("share", f64::from(per_mille) / 1000.0).unwrap();
            assert_near(snapshot.quantile(share), exact);
        }
    }

    #[test]
    fn it_agrees_with_hdrhistogram() {
        let (random, ours) = (Random::seeded(4), Histogram::new());
        let mut theirs = hdrhistogram::Histogram::<u64>::new(3).unwrap();
        for _ in 0..200_000 {
            let value = 1_000 + random.below(1 << random.below(40));
            ours.record(value);
            theirs.record(value).unwrap();
        }
        let ours = ours.snapshot();
        assert_eq!(ours.count(), theirs.len());
        for per_mille in 1..=1000_u32 {
            let share = f64::from(per_mille) / 1000.0;
            let found = ours.quantile(Ratio::try_new("share", share).unwrap());
            let (found, exact) = (u128::from(found), u128::from(theirs.value_at_quantile(share)));
            // Their own error is one in a thousand.
            assert!(found.abs_diff(exact) * 1000 <= exact * 17, "{found} instead of {exact}");
        }
    }

    #[test]
    fn a_difference_of_one_value_is_that_value() {
        let histogram = Histogram::new();
        histogram.record(10_000_000);
        let difference = histogram.snapshot().since(&Snapshot::default());
        assert_eq!((difference.min(), difference.max()), (10_000_000, 10_000_000));
        assert_eq!(difference.quantile(Ratio::percent::<50>()), 10_000_000);
    }

    #[test]
    fn a_snapshot_can_be_taken_into_an_old_one() {
        let (first, second) = (Histogram::new(), Histogram::new());
        (0..1_000).for_each(|value| first.record(value));
        (5_000..6_000).for_each(|value| second.record(value));
        let mut snapshot = first.snapshot();
        second.snapshot_into(&mut snapshot);
        assert_eq!(snapshot, second.snapshot());
    }

    #[test]
    fn what_threads_record_at_once_is_all_counted() {
        let histogram = Histogram::new();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100_000).for_each(|value| histogram.record(value)));
            }
        });
        let snapshot = histogram.snapshot();
        assert_eq!((snapshot.count(), snapshot.sum()), (400_000, 4 * 99_999 * 50_000));
    }

    #[test]
    fn an_empty_one_says_zero() {
        let snapshot = Histogram::new().snapshot();
        let said = (snapshot.count(), snapshot.min(), snapshot.max(), snapshot.mean());
        assert_eq!((said, snapshot.quantile(Ratio::ONE)), ((0, 0, 0, 0), 0));
        assert_eq!(snapshot, Snapshot::default());
    }

    #[test]
    fn both_ends_of_the_range_are_counted() {
        let histogram = Histogram::new();
        for value in [0, 1, u64::MAX] {
            histogram.record(value);
        }
        let snapshot = histogram.snapshot();
        assert_eq!((snapshot.min(), snapshot.max(), snapshot.count()), (0, u64::MAX, 3));
        assert_near(snapshot.quantile(Ratio::ONE), u64::MAX);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_middle_of_a_step_is_near_every_value_in_it(value: u64, bits in 0..64_u32) {
            let value = value >> bits;
            let (segment, step) = position(value);
            assert_near(middle(segment * STEPS + step), value);
        }

        #[test]
        fn a_difference_is_what_came_between(
            before in prop::collection::vec(0..10_000_u64, 0..100),
            after in prop::collection::vec(0..10_000_u64, 0..100),
        ) {
            let (both, only) = (Histogram::new(), Histogram::new());
            for value in &before {
                both.record(*value);
            }
            let earlier = both.snapshot();
            for value in &after {
                both.record(*value);
                only.record(*value);
            }
            let (difference, only) = (both.snapshot().since(&earlier), only.snapshot());
            prop_assert_eq!(&difference.counts, &only.counts);
            prop_assert_eq!((difference.sum(), difference.mean()), (only.sum(), only.mean()));
            assert_near(difference.min(), only.min());
            assert_near(difference.max(), only.max());
        }
    }

    fn assert_near(found: u64, exact: u64) {
        let most = u128::from(exact) * 16 / 1000;
        assert!(u128::from(found.abs_diff(exact)) <= most, "{found} instead of {exact}");
    }
}
