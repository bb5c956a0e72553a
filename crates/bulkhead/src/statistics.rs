use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tower_ballast_core::Reason;

/// What a bulkhead does and has refused.
///
/// Refusals that were only reported are counted as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// How many may be in flight.
    pub limit: u32,
    /// How many are.
    pub in_flight: u32,
    /// How many wait for their turn.
    pub waiting: u32,
    /// Refused because all permits were taken, and none may wait.
    pub full: u64,
    /// Refused because as many as may be were waiting.
    pub queue_full: u64,
    /// Gave up after the longest wait.
    pub queue_timeout: u64,
    /// Refused because the wait would have been too long.
    pub wait_too_long: u64,
    /// Gave up at their deadline.
    pub deadline_passed: u64,
    /// Refused because the service was not ready for too long.
    pub not_ready: u64,
    /// Permits that went back before their response was over, because it did not go on.
    pub holds_expired: u64,
}

impl Statistics {
    /// The refusals of both.
    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            full: self.full + other.full,
            queue_full: self.queue_full + other.queue_full,
            queue_timeout: self.queue_timeout + other.queue_timeout,
            wait_too_long: self.wait_too_long + other.wait_too_long,
            deadline_passed: self.deadline_passed + other.deadline_passed,
            not_ready: self.not_ready + other.not_ready,
            holds_expired: self.holds_expired + other.holds_expired,
            ..self
        }
    }
}

/// The counts behind it; written only where something is refused.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    full: AtomicU64,
    queue_full: AtomicU64,
    queue_timeout: AtomicU64,
    wait_too_long: AtomicU64,
    deadline_passed: AtomicU64,
    not_ready: AtomicU64,
    holds_expired: AtomicU64,
}

impl Refusals {
    pub(crate) fn add(&self, reason: Reason) {
        let count = match reason {
            Reason::QueueFull => &self.queue_full,
            Reason::QueueTimeout => &self.queue_timeout,
            Reason::WaitTooLong => &self.wait_too_long,
            Reason::DeadlinePassed => &self.deadline_passed,
            Reason::NotReady => &self.not_ready,
            _ => &self.full,
        };
        count.fetch_add(1, Relaxed);
    }

    pub(crate) fn add_expired(&self) {
        self.holds_expired.fetch_add(1, Relaxed);
    }

    pub(crate) fn read(&self) -> Statistics {
        Statistics {
            full: self.full.load(Relaxed),
            queue_full: self.queue_full.load(Relaxed),
            queue_timeout: self.queue_timeout.load(Relaxed),
            wait_too_long: self.wait_too_long.load(Relaxed),
            deadline_passed: self.deadline_passed.load(Relaxed),
            not_ready: self.not_ready.load(Relaxed),
            holds_expired: self.holds_expired.load(Relaxed),
            ..Statistics::default()
        }
    }
}
