//! What all services of one layer share.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicU32, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    time::Duration,
};

use tower_ballast_core::{
    BoxError, EnforcementCell, Event, EventKind, Random, Reason, Reporter,
    clock::{self, Nanos},
    gate::Gate,
};

use crate::{
    controlled_delay::{ControlledDelay, Delays},
    statistics::Refusals,
};

/// The service is ready, or was not asked.
const READY: u64 = 0;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) gate: Gate,
    /// Locked only under the lock of the gate, or alone.
    delays: Mutex<Delays>,
    most_waiting: AtomicU32,
    longest_wait: AtomicU64,
    not_ready_for: AtomicU64,
    /// Since when the inner service has been found not ready, and when it was last.
    unready_since: AtomicU64,
    unready_at: AtomicU64,
    pub(crate) refusals: Refusals,
    pub(crate) enforcement: EnforcementCell,
    pub(crate) reporter: Reporter,
    pub(crate) random: Random,
}

impl Shared {
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            gate: Gate::new(limit),
            delays: Mutex::default(),
            most_waiting: AtomicU32::new(0),
            longest_wait: AtomicU64::new(clock::nanos_in(Duration::from_secs(1))),
            not_ready_for: AtomicU64::new(u64::MAX),
            unready_since: AtomicU64::new(READY),
            unready_at: AtomicU64::new(READY),
            refusals: Refusals::default(),
            enforcement: EnforcementCell::default(),
            reporter: Reporter::new("bulkhead"),
            random: Random::new(),
        }
    }

    pub(crate) fn separate(&self) -> Self {
        let separate = Self::new(self.gate.limit());
        separate.set_most_waiting(self.most_waiting());
        separate.set_longest_wait(self.longest_wait());
        separate.set_not_ready_for(self.not_ready_for());
        separate.enforcement.set(self.enforcement.get());
        separate.control_delay(self.delays().control());
        self.gate.with_ranks(|own| separate.gate.with_ranks(|ranks| ranks.rank_as(own)));
        separate
    }

    pub(crate) fn delays(&self) -> MutexGuard<'_, Delays> {
        self.delays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn control_delay(&self, control: Option<ControlledDelay>) {
        self.gate.with_ranks(|ranks| self.delays().set_control(control, ranks));
    }

    pub(crate) fn most_waiting(&self) -> u32 {
        self.most_waiting.load(Relaxed)
    }

    pub(crate) fn set_most_waiting(&self, most: u32) {
        self.most_waiting.store(most, Relaxed);
    }

    pub(crate) fn longest_wait(&self) -> Duration {
        Duration::from_nanos(self.longest_wait.load(Relaxed))
    }

    pub(crate) fn set_longest_wait(&self, longest: Duration) {
        self.longest_wait.store(clock::nanos_in(longest), Relaxed);
    }

    pub(crate) fn not_ready_for(&self) -> Duration {
        Duration::from_nanos(self.not_ready_for.load(Relaxed))
    }

    pub(crate) fn set_not_ready_for(&self, longest: Duration) {
        self.not_ready_for.store(clock::nanos_in(longest), Relaxed);
    }

    /// Notes that the inner service was found ready.
    #[inline]
    pub(crate) fn found_ready(&self) {
        if self.unready_since.load(Relaxed) != READY {
            self.unready_since.store(READY, Relaxed);
        }
    }

    /// Notes that the inner service was found not ready, and says until when callers have
    /// patience with it, if that ends at all.
    pub(crate) fn found_unready(&self) -> Option<Nanos> {
        let patience = self.not_ready_for();
        if patience.as_nanos() == u128::from(u64::MAX) {
            return None;
        }
        let now = clock::now();
        let last = Nanos::from_nanos(self.unready_at.swap(now.as_nanos(), AcqRel));
        if now.since(last) > patience {
            // Nobody has looked meanwhile, so nobody knows that it was not ready all the time.
            self.unready_since.store(now.as_nanos(), Relaxed);
            return Some(now + patience);
        }
        let first = self.unready_since.compare_exchange(READY, now.as_nanos(), AcqRel, Acquire);
        let since = first.err().map_or(now, Nanos::from_nanos);
        Some(since + patience)
    }

    /// Refuses, unless a refusal is only to be reported.
    #[cold]
    pub(crate) fn reject(&self, reason: Reason) -> Option<BoxError> {
        if self.enforcement.carries_out(&self.random) {
            return Some(self.refuse(reason));
        }
        self.refusals.add(reason);
        self.reporter.spare(reason, None);
        None
    }

    pub(crate) fn refuse(&self, reason: Reason) -> BoxError {
        self.refusals.add(reason);
        self.reporter.reject(reason, None)
    }

    pub(crate) fn tell_settings(&self, what: &'static str) {
        self.reporter.tell(|| Event::new(EventKind::SettingsChanged).reason(what));
    }
}
