use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tower_ballast_core::{Priority, Reason};

/// What a limiter has let wait and has refused, by class.
///
/// Refusals that were only reported are counted as well. What passes at once is not counted here,
/// since that would cost it a tenth of its time; a metrics layer outside counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// How many wait now.
    pub waiting: u32,
    /// For each class, in the order of [`Priority::ALL`].
    pub classes: [ClassStatistics; 4],
}

impl Statistics {
    /// Those of one class.
    #[must_use]
    pub const fn of(&self, class: Priority) -> ClassStatistics {
        self.classes[class.index()]
    }
}

/// What became of the requests of one class that did not pass at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ClassStatistics {
    /// How many wait now.
    pub waiting: u32,
    /// Passed within a [guaranteed share](crate::KeyLimit::guaranteed), though the limit had nothing left or others
    /// waited.
    pub guaranteed: u64,
    /// Passed after a wait.
    pub waited: u64,
    /// How long those have waited in all, in nanoseconds.
    pub waited_nanos: u64,
    /// Refused because the limit was reached, or the wait would have been too long.
    pub limited: u64,
    /// Refused because as many as may be were waiting.
    pub queue_full: u64,
    /// Gave up after the longest wait.
    pub queue_timeout: u64,
    /// Gave up at their deadline, or came too late for it.
    pub deadline_passed: u64,
}

/// The counts behind it; written only where something waits or is refused.
#[derive(Debug, Default)]
pub(crate) struct Counts([Count; 4]);

#[derive(Debug, Default)]
struct Count {
    guaranteed: AtomicU64,
    waited: AtomicU64,
    waited_nanos: AtomicU64,
    limited: AtomicU64,
    queue_full: AtomicU64,
    queue_timeout: AtomicU64,
    deadline_passed: AtomicU64,
}

impl Counts {
    pub(crate) fn refuse(&self, class: Priority, reason: Reason) {
        let count = &self.0[class.index()];
        let count = match reason {
            Reason::QueueFull => &count.queue_full,
            Reason::QueueTimeout => &count.queue_timeout,
            Reason::DeadlinePassed => &count.deadline_passed,
            _ => &count.limited,
        };
        count.fetch_add(1, Relaxed);
    }

    pub(crate) fn guaranteed(&self, class: Priority) {
        self.0[class.index()].guaranteed.fetch_add(1, Relaxed);
    }

    pub(crate) fn waited(&self, class: Priority, nanos: u64) {
        let count = &self.0[class.index()];
        count.waited.fetch_add(1, Relaxed);
        count.waited_nanos.fetch_add(nanos, Relaxed);
    }

    pub(crate) fn read(&self, waiting: [u32; 4]) -> Statistics {
        let read = |n: usize| {
            let count = &self.0[n];
            ClassStatistics {
                waiting: waiting[n],
                guaranteed: count.guaranteed.load(Relaxed),
                waited: count.waited.load(Relaxed),
                waited_nanos: count.waited_nanos.load(Relaxed),
                limited: count.limited.load(Relaxed),
                queue_full: count.queue_full.load(Relaxed),
                queue_timeout: count.queue_timeout.load(Relaxed),
                deadline_passed: count.deadline_passed.load(Relaxed),
            }
        };
        Statistics { waiting: waiting.iter().sum(), classes: std::array::from_fn(read) }
    }
}
