//! What all services of one layer share.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{
            AtomicU32, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    time::Duration,
};

use tower_ballast_core::{
    BoxError, EnforcementCell, Event, EventKind, Name, Priority, Random, Ratio, Reason, Reporter,
    clock::{self, Nanos, Span},
    gate::Gate,
    ranks::Floors,
};

use crate::{
    controlled_delay::{ControlledDelay, Delays},
    division::{Division, Part},
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
    longest_wait: Span,
    not_ready_for: Span,
    /// Since when the inner service has been found not ready, and when it was last.
    unready_since: AtomicU64,
    unready_at: AtomicU64,
    pub(crate) refusals: Refusals,
    pub(crate) enforcement: EnforcementCell,
    pub(crate) reporter: Arc<Reporter>,
    pub(crate) random: Random,
    /// What it is divided into. Its own gate then only keeps the limit.
    division: OnceLock<Division>,
    /// Its place, when it is a part of another.
    pub(crate) part: Option<Part>,
}

impl Shared {
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            gate: Gate::new(limit),
            delays: Mutex::default(),
            most_waiting: AtomicU32::new(0),
            longest_wait: Span::new(Duration::from_secs(1)),
            not_ready_for: Span::new(Duration::MAX),
            unready_since: AtomicU64::new(READY),
            unready_at: AtomicU64::new(READY),
            refusals: Refusals::default(),
            enforcement: EnforcementCell::default(),
            reporter: Arc::new(Reporter::new("bulkhead")),
            random: Random::new(),
            division: OnceLock::new(),
            part: None,
        }
    }

    pub(crate) fn separate(&self) -> Self {
        let separate = Self::new(self.gate.limit());
        separate.set_most_waiting(self.most_waiting());
        separate.set_longest_wait(self.longest_wait());
        separate.set_not_ready_for(self.not_ready_for());
        separate.enforcement.set(self.enforcement.get());
        separate.control_delay(self.delays().control());
        let newest_first = self.delays().newest_first();
        for (class, newest_first) in Priority::ALL.into_iter().zip(newest_first) {
            separate.set_newest_first(class, newest_first);
        }
        separate.set_floors(self.gate.with_ranks(|ranks| ranks.floors()));
        if let Some(division) = self.division() {
            separate.divide(division.shares());
        }
        separate
    }

    pub(crate) fn fork(&self) -> Self {
        let reporter = Arc::new(self.reporter.fork());
        let fork = Self { reporter, division: OnceLock::new(), ..self.separate() };
        if let Some(division) = self.division() {
            fork.divide(division.shares());
        }
        fork
    }

    pub(crate) fn set_newest_first(&self, class: Priority, newest_first: bool) {
        self.gate.with_ranks(|ranks| self.delays().set_newest_first(class, newest_first, ranks));
    }

    pub(crate) fn set_floors(&self, floors: Floors) {
        self.gate.with_ranks(|ranks| ranks.set_floors(floors));
    }

    pub(crate) fn part_of(&self, limit: u32, part: Part) -> Self {
        let reporter = Arc::clone(&self.reporter);
        let settings = self.separate();
        settings.gate.resize(limit);
        Self { reporter, part: Some(part), ..settings }
    }

    pub(crate) fn divide(&self, shares: &[(Name, Ratio)]) {
        self.division.get_or_init(|| Division::new(self, shares));
    }

    pub(crate) fn division(&self) -> Option<&Division> {
        self.division.get()
    }

    /// The part with this number.
    pub(crate) fn at(self: &Arc<Self>, part: usize) -> &Arc<Self> {
        self.division().map_or(self, |division| &division.parts[part])
    }

    /// Those that let requests in: its parts, or else itself.
    pub(crate) fn each(&self) -> impl Iterator<Item = &Self> {
        let parts = self.division().map_or(&[][..], |division| &division.parts);
        let whole = parts.is_empty().then_some(self);
        parts.iter().map(|part| &**part).chain(whole)
    }

    /// Sets itself and its parts alike.
    pub(crate) fn set(&self, set: impl Fn(&Self)) {
        set(self);
        self.each().for_each(set);
    }

    /// Changes the limit; that of a part is not its own to change.
    pub(crate) fn resize(&self, limit: u32) {
        if self.part.is_some() {
            return;
        }
        if let Some(division) = self.division() {
            division.exchange.resize(&self.gate, None, limit, self.may_wait());
        } else {
            self.gate.resize(limit);
        }
    }

    /// The same, if the limit is still `from`.
    pub(crate) fn resize_from(&self, from: u32, limit: u32) -> bool {
        match self.division() {
            Some(division) => {
                division.exchange.resize(&self.gate, Some(from), limit, self.may_wait())
            }
            None => self.gate.resize_from(from, limit),
        }
    }

    /// Somebody is not let in: perhaps another part has room to lend.
    #[cold]
    pub(crate) fn borrow(&self) {
        if let Some(part) = &self.part {
            part.ask(self.may_wait());
        }
    }

    pub(crate) fn may_wait(&self) -> bool {
        self.most_waiting() > 0
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
        self.longest_wait.get()
    }

    pub(crate) fn set_longest_wait(&self, longest: Duration) {
        self.longest_wait.set(longest);
    }

    pub(crate) fn not_ready_for(&self) -> Duration {
        self.not_ready_for.get()
    }

    pub(crate) fn set_not_ready_for(&self, longest: Duration) {
        self.not_ready_for.set(longest);
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

    /// Notes that the inner service was found not ready, and says whether it has been so for longer
    /// than callers have patience with it.
    pub(crate) fn is_unready_for_too_long(&self) -> bool {
        self.found_unready().is_some_and(|until| clock::now() >= until)
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
