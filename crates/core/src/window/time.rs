use std::{num::NonZeroU32, time::Duration};

use super::Tally;
use crate::clock::{Nanos, nanos_in};

/// The calls of the last so many seconds, to one bucket.
///
/// The window is cut into buckets, which tile the clock's line, and consists of the one that runs
/// and those before it. It covers `(now - window, now]`: a bucket that began a whole window ago
/// is out, and with it calls that are younger by up to a bucket. A record costs the same at any
/// rate, and a jump of time, a year even, at most one visit to each bucket. A moment before the
/// running bucket counts into it.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::{clock::Nanos, count, window::TimeWindow};
///
/// let mut window = TimeWindow::new(Duration::from_secs(10), count::<10>());
/// let start = Nanos::ZERO;
/// window.record(start, true, false);
/// window.record(start + Duration::from_secs(6), false, false);
/// assert_eq!(window.tally(start + Duration::from_secs(9)).failure_rate(), 0.5);
/// assert_eq!(window.tally(start + Duration::from_secs(10)).failure_rate(), 0.0);
/// ```
#[derive(Debug, Clone)]
pub struct TimeWindow {
    /// A ring: the bucket of number `n` is at `n` modulo its length.
    buckets: Box<[Tally]>,
    /// Nanoseconds of each.
    length: u64,
    /// The number of the bucket that runs, and the first moment after it.
    newest: u64,
    end: Nanos,
    sum: Tally,
}

/// The ring takes 24 KiB then.
const MOST_BUCKETS: u32 = 1024;

impl TimeWindow {
    /// A window of this length in this many buckets, at most 1024. Buckets are at least a
    /// nanosecond long.
    #[must_use]
    pub fn new(window: Duration, buckets: NonZeroU32) -> Self {
        let buckets = buckets.get().min(MOST_BUCKETS);
        let length = nanos_in(window).div_ceil(u64::from(buckets)).max(1);
        Self {
            buckets: vec![Tally::default(); buckets as usize].into(),
            length,
            newest: 0,
            end: Nanos::from_nanos(length),
            sum: Tally::default(),
        }
    }

    /// Counts a call that ended at `now`.
    #[inline]
    pub fn record(&mut self, now: Nanos, failed: bool, slow: bool) {
        self.record_many(now, Tally::call(failed, slow));
    }

    /// Counts many calls that ended at `now`. With [`Nanos::ZERO`] they go into the bucket that
    /// runs, whichever it is.
    pub fn record_many(&mut self, now: Nanos, calls: Tally) {
        self.advance(now);
        let newest = self.place(self.newest);
        self.buckets[newest] += calls;
        self.sum += calls;
    }

    /// The calls in the window that ends at `now`.
    pub fn tally(&mut self, now: Nanos) -> Tally {
        self.advance(now);
        self.sum
    }

    /// The first moment that is no longer in the bucket that runs: before it, recording moves
    /// nothing.
    #[must_use]
    pub fn bucket_end(&self) -> Nanos {
        self.end
    }

    /// Forgets all calls.
    pub fn clear(&mut self) {
        self.buckets.fill(Tally::default());
        self.sum = Tally::default();
    }

    /// Takes another length or another number of buckets, and keeps the calls that it still
    /// covers, each to one old bucket.
    pub fn resize(&mut self, now: Nanos, window: Duration, buckets: NonZeroU32) {
        self.advance(now);
        let mut resized = Self::new(window, buckets);
        let oldest = self.newest.saturating_sub(self.buckets.len() as u64 - 1);
        for number in oldest..=self.newest {
            let start = Nanos::from_nanos(number.saturating_mul(self.length));
            resized.record_many(start, self.buckets[self.place(number)]);
        }
        resized.advance(now);
        *self = resized;
    }

    #[inline]
    fn advance(&mut self, now: Nanos) {
        if now >= self.end {
            self.turn(now);
        }
    }

    fn turn(&mut self, now: Nanos) {
        let number = now.as_nanos() / self.length;
        // After a jump of more than a window each bucket is emptied once.
        let passed = (number - self.newest).min(self.buckets.len() as u64);
        for back in 0..passed {
            let place = self.place(number - back);
            self.sum -= std::mem::take(&mut self.buckets[place]);
        }
        self.newest = number;
        self.end = Nanos::from_nanos(number.saturating_add(1).saturating_mul(self.length));
    }

    #[allow(clippy::cast_possible_truncation, reason = "a remainder by at most 1024")]
    fn place(&self, number: u64) -> usize {
        (number % self.buckets.len() as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::count;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_bucket_exactly_one_window_old_is_out() {
        // Whatever the phase of the clock against the buckets.
        for phase in [0, 1, 300_000_000, 999_999_999] {
            let start = Nanos::from_nanos(86_400_000_000_000 + phase);
            let mut window = TimeWindow::new(10 * SECOND, count::<10>());
            let read: Vec<_> = (0..=6)
                .map(|pair| {
                    let now = start + 2 * pair * SECOND;
                    window.record(now, pair < 2, false);
                    window.record(now, false, false);
                    let tally = window.tally(now);
                    (tally.calls, (tally.failure_rate() * 100.0).round())
                })
                .collect();
            let rates =
                [(2, 50.0), (4, 50.0), (6, 33.0), (8, 25.0), (10, 20.0), (10, 10.0), (10, 0.0)];
            assert_eq!(read, rates);
        }
    }

    #[test]
    fn an_earlier_moment_counts_into_the_bucket_that_runs() {
        let mut window = TimeWindow::new(2 * SECOND, count::<2>());
        window.record(at(9), false, false);
        window.record(at(1), true, false);
        assert_eq!(window.tally(at(10)).failures, 1);
        assert_eq!(window.tally(at(11)).calls, 0);
    }

    #[test]
    fn a_year_at_once_empties_it() {
        let mut window = TimeWindow::new(10 * SECOND, count::<10>());
        window.record(at(1), true, true);
        for year in 1..=400 {
            assert_eq!(window.tally(at(year * 31_536_000)), Tally::default());
            window.record(at(year * 31_536_000), true, true);
        }
    }

    #[test]
    fn extreme_lengths_and_counts_are_fine() {
        for length in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            for buckets in [count::<1>(), count::<{ u32::MAX }>()] {
                let mut window = TimeWindow::new(length, buckets);
                for now in [Nanos::ZERO, Nanos::MAX, at(1), Nanos::MAX] {
                    window.record(now, true, false);
                }
                let calls = window.tally(Nanos::MAX).calls;
                assert!((3..=4).contains(&calls), "{calls} of {length:?} in {buckets}");
                window.resize(Nanos::MAX, SECOND, count::<3>());
            }
        }
    }

    #[test]
    fn a_window_that_is_resized_keeps_what_it_covers() {
        let mut window = TimeWindow::new(10 * SECOND, count::<10>());
        (0..10).for_each(|second| window.record(at(second), second % 2 == 0, false));
        window.resize(at(9), 4 * SECOND, count::<4>());
        assert_eq!(window.tally(at(9)), Tally { calls: 4, failures: 2, slow: 0 });
        window.resize(at(9), 60 * SECOND, count::<5>());
        assert_eq!(window.tally(at(9)).calls, 4);
        window.clear();
        assert_eq!(window.tally(at(9)), Tally::default());
    }

    #[test]
    fn recording_before_the_end_of_a_bucket_moves_nothing() {
        let mut window = TimeWindow::new(3 * SECOND, count::<3>());
        window.record(at(7), false, false);
        assert_eq!(window.bucket_end(), at(8));
        window.record_many(Nanos::ZERO, Tally::successes(5));
        assert_eq!((window.tally(at(9)).calls, window.tally(at(10)).calls), (6, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn it_counts_what_a_list_of_calls_would(
            steps in prop::collection::vec((0..40_u64, 0..8_u8), 0..100),
            length in 1..60_u64, buckets in 1..12_u32,
        ) {
            let count = NonZeroU32::new(buckets).unwrap();
            let mut window = TimeWindow::new(Duration::from_nanos(length), count);
            let bucket = length.div_ceil(u64::from(buckets));
            let (mut now, mut latest, mut calls) = (0_u64, 0, Vec::new());
            for (step, bits) in steps {
                // A few steps go back in time, and one goes far ahead.
                now = match step { 36..39 => now.saturating_sub(step), 39 => now + 5000, _ => now + step };
                latest = latest.max(now);
                let (failed, slow) = (bits & 1 > 0, bits & 2 > 0);
                window.record(Nanos::from_nanos(now), failed, slow);
                calls.push((now.max(latest / bucket * bucket) / bucket, Tally::call(failed, slow)));
                let covered = calls
                    .iter()
                    .filter(|(number, _)| number + u64::from(buckets) > latest / bucket)
                    .fold(Tally::default(), |sum, (_, call)| sum + *call);
                prop_assert_eq!(window.tally(Nanos::from_nanos(now)), covered);
            }
        }
    }

    fn at(second: u64) -> Nanos {
        Nanos::ZERO + Duration::from_secs(second)
    }
}
