//! The answers of the service while they come in.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tower_ballast_core::{
    clock::{self, Nanos, Span},
    window::Striped,
};

use crate::adjust::{KEPT, Periods, Seen, Tally};

/// How long a period is, unless it is set.
const PERIOD: Duration = Duration::from_secs(1);
/// What a period is at least: at its end a lock is taken.
const SHORTEST: Duration = Duration::from_millis(10);

/// Counts answers over periods, without a lock but at the end of one.
///
/// An answer that comes in while a period ends is counted in that one or in the next, and how long it took
/// perhaps in the other.
#[derive(Debug)]
pub(crate) struct Meter {
    successes: Striped,
    failures: Striped,
    nanos: Striped,
    period: Span,
    /// When the period ends. The first one is over when the first call comes.
    due: AtomicU64,
    periods: Mutex<Periods>,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self {
            successes: Striped::new(),
            failures: Striped::new(),
            nanos: Striped::new(),
            period: Span::new(PERIOD),
            due: AtomicU64::new(0),
            periods: Mutex::default(),
        }
    }

    /// The same setting, and nothing counted.
    pub(crate) fn separate(&self) -> Self {
        let separate = Self::new();
        separate.period.set(self.period());
        separate
    }

    pub(crate) fn period(&self) -> Duration {
        self.period.get()
    }

    /// Counts from now on: the period that runs ends when the new one would.
    pub(crate) fn set_period(&self, period: Duration) {
        self.period.set(period.max(SHORTEST));
        let sooner = (clock::now() + self.period()).as_nanos();
        self.due.fetch_min(sooner, Relaxed);
    }

    /// For how long what was seen is remembered.
    pub(crate) fn memory(&self) -> Duration {
        self.period().saturating_mul(KEPT)
    }

    #[inline]
    pub(crate) fn count(&self, is_failure: bool, took: Duration) {
        self.nanos.add_many(clock::nanos_in(took));
        if is_failure {
            self.failures.add();
        } else {
            self.successes.add();
        }
    }

    /// Whether the period is over.
    #[inline]
    pub(crate) fn is_due(&self, now: Nanos) -> bool {
        now.as_nanos() >= self.due.load(Relaxed)
    }

    /// Begins the next period; of all that come by at the end of one a single one does.
    pub(crate) fn begin_next(&self, now: Nanos) -> bool {
        let due = self.due.load(Relaxed);
        let next = (now + self.period()).as_nanos();
        now.as_nanos() >= due && self.due.compare_exchange(due, next, Relaxed, Relaxed).is_ok()
    }

    /// What the period that is over says.
    pub(crate) fn end(&self, now: Nanos) -> Seen {
        let mut periods = self.periods.lock().unwrap_or_else(PoisonError::into_inner);
        let (failures, successes) = (self.failures.drain(), self.successes.drain());
        let answers = successes.saturating_add(failures);
        let came = Tally { answers, failures, nanos: self.nanos.drain() };
        periods.end(now, self.period(), came)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use tower_ballast_core::Ratio;

    use super::*;

    #[test]
    fn of_many_that_come_by_at_the_end_of_a_period_one_ends_it() {
        let meter = Meter::new();
        let mut now = Nanos::from_nanos(1_000_000_000);
        for _ in 0..100 {
            let barrier = Barrier::new(4);
            let came_by = || {
                barrier.wait();
                meter.is_due(now) && meter.begin_next(now)
            };
            let first = thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(came_by)).collect();
                threads.into_iter().filter_map(|one| one.join().unwrap().then_some(())).count()
            });
            assert_eq!(first, 1);
            assert!(!meter.is_due(now + PERIOD.saturating_sub(SHORTEST)));
            now = now + PERIOD;
        }
    }

    #[test]
    fn what_comes_in_while_periods_end_is_counted_once() {
        for _ in 0..300 {
            let (meter, barrier) = (Meter::new(), Barrier::new(4));
            let now = Nanos::from_nanos(1_000_000_000);
            // The first one forgets what is older than it.
            let _ = meter.end(now + PERIOD * KEPT);
            let count = |answers: u64| {
                let (meter, barrier) = (&meter, &barrier);
                move || {
                    barrier.wait();
                    (0..answers).for_each(|n| meter.count(n == 0, Duration::from_millis(19)));
                }
            };
            thread::scope(|scope| {
                let _threads = [6, 6, 7].map(|answers| scope.spawn(count(answers)));
                barrier.wait();
                for _ in 0..20 {
                    let _ = meter.end(now + PERIOD * KEPT);
                }
            });
            let seen = meter.end(now + PERIOD * KEPT);
            assert_eq!(seen.hint.errors, Ratio::of::<3, 19>());
            assert_eq!(seen.latency, Duration::from_millis(19));
        }
    }

    #[test]
    fn a_shorter_period_holds_at_once_and_none_is_shorter_than_a_hundredth_of_a_second() {
        let meter = Meter::new();
        meter.set_period(Duration::MAX);
        let now = clock::now();
        assert!(meter.begin_next(now));
        assert!(!meter.is_due(now + Duration::from_secs(1_000_000)));
        meter.set_period(Duration::ZERO);
        assert_eq!(meter.period(), SHORTEST);
        assert!(meter.is_due(clock::now() + SHORTEST));
    }
}
