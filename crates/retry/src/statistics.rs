use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::stop::Stop;

/// Attempts are counted one by one up to this number, and together from there.
const COUNTED: usize = 8;

/// What became of the requests that failed at first, since the layer was made.
///
/// Requests that are answered at the first attempt are not in here: counting them would be the
/// dearest part of an ordinary call.
///
/// ```
/// use tower_ballast_core::idempotent;
/// use tower_ballast_retry::{RetryLayer, Stop};
///
/// let statistics = RetryLayer::new(idempotent()).handle().statistics();
/// assert_eq!(statistics.retries, 0);
/// assert_eq!(statistics.stops(Stop::Budget), 0);
/// assert_eq!(statistics.budget, 5.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Statistics {
    /// Attempts that were made beyond the first ones.
    pub retries: u64,
    /// Requests by the number of attempts they took: one, two, up to eight or more.
    pub attempts: [u64; COUNTED],
    /// Requests that succeeded in the end, by the number of attempts they took.
    pub successes: [u64; COUNTED],
    /// Requests that their callers dropped between a failure and the end.
    pub dropped: u64,
    /// What the budget holds; infinite when it is unlimited.
    pub budget: f64,
    stops: [u64; Stop::ALL.len()],
}

impl Statistics {
    /// How many failed requests were not sent again for this reason.
    #[must_use]
    pub const fn stops(&self, stop: Stop) -> u64 {
        self.stops[stop as usize]
    }
}

/// The counters behind [`Statistics`]. Only requests that fail touch them.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    retries: AtomicU64,
    attempts: [AtomicU64; COUNTED],
    successes: [AtomicU64; COUNTED],
    dropped: AtomicU64,
    stops: [AtomicU64; Stop::ALL.len()],
}

impl Counters {
    pub(crate) fn retry(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    pub(crate) fn stop(&self, stop: Stop) {
        self.stops[stop as usize].fetch_add(1, Relaxed);
    }

    /// A request that had failed has come to its end with its `number`-th attempt.
    pub(crate) fn end(&self, number: u32, success: bool) {
        let index = usize::try_from(number).unwrap_or(COUNTED).clamp(1, COUNTED) - 1;
        self.attempts[index].fetch_add(1, Relaxed);
        if success {
            self.successes[index].fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn drop_request(&self) {
        self.dropped.fetch_add(1, Relaxed);
    }

    pub(crate) fn read(&self, budget: f64) -> Statistics {
        Statistics {
            retries: self.retries.load(Relaxed),
            attempts: read(&self.attempts),
            successes: read(&self.successes),
            dropped: self.dropped.load(Relaxed),
            budget,
            stops: read(&self.stops),
        }
    }
}

fn read<const N: usize>(counters: &[AtomicU64; N]) -> [u64; N] {
    std::array::from_fn(|index| counters[index].load(Relaxed))
}
