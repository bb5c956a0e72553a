//! What all services of one layer share.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{
            AtomicU32, AtomicU64,
            Ordering::{AcqRel, Relaxed},
        },
    },
    time::Duration,
};

use tower_ballast_core::clock::Nanos;

use super::{Limiter, Outcome, Sample};
use crate::handle::BulkheadHandle;

#[derive(Debug)]
pub(super) struct Sampled {
    bulkhead: BulkheadHandle,
    limiter: Mutex<Box<dyn Limiter>>,
    /// Answers that came while the limiter was told of others, and the time that they took.
    missed: AtomicU32,
    missed_nanos: AtomicU64,
}

impl Sampled {
    pub(super) fn new(bulkhead: BulkheadHandle, limiter: Box<dyn Limiter>) -> Self {
        bulkhead.resize(limiter.initial());
        let (missed, missed_nanos) = (AtomicU32::new(0), AtomicU64::new(0));
        Self { bulkhead, limiter: Mutex::new(limiter), missed, missed_nanos }
    }

    /// A call has ended.
    pub(super) fn end(&self, began: Nanos, now: Nanos, outcome: Outcome) {
        let took = now.as_nanos().saturating_sub(began.as_nanos());
        let Some(mut limiter) = self.limiter(outcome) else {
            self.missed_nanos.fetch_add(took, Relaxed);
            self.missed.fetch_add(1, AcqRel);
            return;
        };
        let mut sample = Sample::new(now, Duration::from_nanos(took), outcome, self.in_flight());
        if outcome == Outcome::Answered {
            let missed = self.missed.swap(0, AcqRel);
            let calls = missed.saturating_add(1);
            let nanos = took.saturating_add(self.missed_nanos.swap(0, Relaxed));
            sample.latency = Duration::from_nanos(nanos / u64::from(calls));
            sample = sample.calls(calls);
        }
        // Applied under the lock, so that two changes come in their order.
        if let Some(change) = limiter.sample(sample) {
            self.bulkhead.resize(change.limit);
            drop(limiter);
            self.bulkhead.tell_adapted(change.reason);
        }
    }

    /// The limiter. An answer does not wait for it; what it must not miss does, for a moment.
    fn limiter(&self, outcome: Outcome) -> Option<MutexGuard<'_, Box<dyn Limiter>>> {
        if outcome != Outcome::Answered {
            return Some(self.limiter.lock().unwrap_or_else(PoisonError::into_inner));
        }
        match self.limiter.try_lock() {
            Ok(limiter) => Some(limiter),
            // A limiter that has panicked goes on: its figures are whole, or those before.
            Err(TryLockError::Poisoned(limiter)) => Some(limiter.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn in_flight(&self) -> u32 {
        self.bulkhead.in_flight()
    }
}
