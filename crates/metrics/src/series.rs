//! What is counted of one operation.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tower_ballast_core::{Histogram, Name, clock::Nanos, histogram::Snapshot};

use crate::{
    export::{Outcome, Sink},
    minute::Minute,
    statistics::{Figures, OperationStatistics},
};

pub(crate) struct Series {
    pub(crate) name: Name,
    /// The times of those that were answered.
    times: Histogram,
    errors: AtomicU64,
    ignored: AtomicU64,
    cancelled: AtomicU64,
    minute: Minute<Totals>,
    sink: Option<Box<dyn Sink + Send + Sync>>,
}

/// The counters at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    pub(crate) times: Snapshot,
    pub(crate) errors: u64,
    pub(crate) ignored: u64,
    pub(crate) cancelled: u64,
}

impl Series {
    pub(crate) fn new(name: Name, sink: Option<Box<dyn Sink + Send + Sync>>) -> Self {
        Self {
            name,
            times: Histogram::new(),
            errors: AtomicU64::new(0),
            ignored: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
            minute: Minute::new(),
            sink,
        }
    }

    #[inline]
    pub(crate) fn begin(&self) {
        if let Some(sink) = &self.sink {
            sink.begun();
        }
    }

    #[inline]
    pub(crate) fn end(&self, outcome: Outcome, began: Nanos, now: Nanos) {
        self.minute.turn(now, |totals| self.copy(totals));
        let took = now.as_nanos().saturating_sub(began.as_nanos());
        match outcome {
            Outcome::Success => {}
            Outcome::Failure => add(&self.errors),
            Outcome::Ignored => add(&self.ignored),
            Outcome::Cancelled => add(&self.cancelled),
        }
        if outcome != Outcome::Cancelled {
            self.times.record(took);
        }
        if let Some(sink) = &self.sink {
            sink.ended(outcome, Duration::from_nanos(took));
        }
    }

    pub(crate) fn read(&self, now: Nanos, in_flight: usize) -> OperationStatistics {
        let mut whole = Totals::default();
        let beginning = self.minute.beginning(now);
        self.copy(&mut whole);
        let minute = beginning.map_or_else(Totals::default, |beginning| whole.since(&beginning));
        OperationStatistics {
            name: self.name.clone(),
            in_flight,
            whole: Figures::of(&whole),
            minute: Figures::of(&minute),
        }
    }

    fn copy(&self, totals: &mut Totals) {
        self.times.snapshot_into(&mut totals.times);
        totals.errors = self.errors.load(Relaxed);
        totals.ignored = self.ignored.load(Relaxed);
        totals.cancelled = self.cancelled.load(Relaxed);
    }
}

impl Totals {
    fn since(&self, earlier: &Self) -> Self {
        Self {
            times: self.times.since(&earlier.times),
            errors: self.errors.saturating_sub(earlier.errors),
            ignored: self.ignored.saturating_sub(earlier.ignored),
            cancelled: self.cancelled.saturating_sub(earlier.cancelled),
        }
    }
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Relaxed);
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Series({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use tower_ballast_core::Random;

    use super::*;

    #[test]
    fn statistics_agree_with_an_exact_computation_over_a_million_samples() {
        let (random, series) = (Random::seeded(5), Series::new(Name::literal("a"), None));
        let mut exact = Vec::with_capacity(1_000_000);
        let (mut errors, began) = (0, Nanos::from_nanos(1));
        for _ in 0..1_000_000 {
            let took = Duration::from_nanos(1_000 + random.below(1 << random.below(34)));
            let failed = random.below(10) == 0;
            errors += u64::from(failed);
            let outcome = if failed { Outcome::Failure } else { Outcome::Success };
            series.end(outcome, began, began + took);
            exact.push(took);
        }
        exact.sort_unstable();
        let whole = series.read(began, 0).whole;
        assert_eq!((whole.count, whole.errors), (1_000_000, errors));
        assert_eq!((whole.min, whole.max), (exact[0], exact[999_999]));
        assert_eq!(whole.total, exact.iter().sum());
        assert_eq!(whole.mean, whole.total / 1_000_000);
        for (found, rank) in [(whole.p50, 500_000), (whole.p95, 950_000), (whole.p99, 990_000)] {
            let exact = exact[rank - 1];
            assert!(found.abs_diff(exact) <= exact * 16 / 1000, "{found:?} instead of {exact:?}");
        }
    }
}
