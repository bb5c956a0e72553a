//! What all services of one layer share.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use tower_ballast_core::{
    BoxError, EnforcementCell, Event, EventKind, Random, Reason, Reporter, clock, window::Tally,
};

use super::ledger::{Ledger, Settings};

#[derive(Debug)]
pub(super) struct Shared {
    ledger: Mutex<Ledger>,
    /// Whether any request may be refused; while not, nothing is asked.
    wary: AtomicBool,
    refused: AtomicU64,
    pub(super) enforcement: EnforcementCell,
    pub(super) reporter: Reporter,
    pub(super) random: Random,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            ledger: Mutex::new(Ledger::new(settings)),
            wary: AtomicBool::new(false),
            refused: AtomicU64::new(0),
            enforcement: EnforcementCell::default(),
            reporter: Reporter::new("throttle"),
            random: Random::new(),
        }
    }

    /// The same settings, and nothing counted yet.
    pub(super) fn separate(&self) -> Self {
        let separate = Self::new(self.settings());
        separate.enforcement.set(self.enforcement.get());
        separate
    }

    pub(super) fn settings(&self) -> Settings {
        self.ledger().settings()
    }

    pub(super) fn configure(&self, configure: impl FnOnce(&mut Settings)) {
        let now = clock::now();
        let mut ledger = self.ledger();
        ledger.configure(now, configure);
        self.wary.store(ledger.chance(now) > 0.0, Relaxed);
    }

    /// Refuses the request at hand, or lets it through.
    #[inline]
    pub(super) fn refuse(&self) -> Option<BoxError> {
        if self.wary.load(Relaxed) { self.draw() } else { None }
    }

    /// Counts a request that was let through.
    pub(super) fn end(&self, accepted: bool) {
        let now = clock::now();
        let mut ledger = self.ledger();
        ledger.record(now, accepted);
        self.wary.store(ledger.chance(now) > 0.0, Relaxed);
    }

    /// With which chance the next request is refused.
    pub(super) fn chance(&self) -> f64 {
        let now = clock::now();
        self.ledger().chance(now)
    }

    pub(super) fn tally(&self) -> (Tally, u64) {
        let now = clock::now();
        (self.ledger().tally(now), self.refused.load(Relaxed))
    }

    pub(super) fn tell_settings(&self, what: &'static str) {
        self.reporter.tell(|| Event::new(EventKind::SettingsChanged).reason(what));
    }

    #[cold]
    fn draw(&self) -> Option<BoxError> {
        let now = clock::now();
        let mut ledger = self.ledger();
        let chance = ledger.chance(now);
        self.wary.store(chance > 0.0, Relaxed);
        if self.random.unit() >= chance {
            return None;
        }
        let carried_out = self.enforcement.carries_out(&self.random);
        if carried_out {
            // One that is let through instead is counted when it ends.
            ledger.record(now, false);
        }
        drop(ledger);
        self.refused.fetch_add(1, Relaxed);
        if carried_out {
            return Some(self.reporter.reject(Reason::Throttled, None));
        }
        self.reporter.spare(Reason::Throttled, None);
        None
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Nothing of a user runs under this lock, and each change is whole.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
