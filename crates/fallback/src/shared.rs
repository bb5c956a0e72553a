//! What all services of one layer share.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tower_ballast_core::{
    EnforcementCell, Event, EventKind, FailureKind, Random, Rejected, Reporter, Verdict,
    permit::{Permit, Permits},
};

use crate::statistics::Statistics;

const LIMIT: u32 = 100;

/// The state, with the way to an answer beside it.
#[derive(Debug)]
pub(crate) struct Shared<W> {
    pub(crate) state: Arc<State>,
    pub(crate) way: Arc<W>,
}

#[derive(Debug)]
pub(crate) struct State {
    permits: Arc<Permits>,
    fell_back: AtomicU64,
    spared: AtomicU64,
    missed: AtomicU64,
    pub(crate) enforcement: EnforcementCell,
    pub(crate) reporter: Reporter,
    pub(crate) random: Random,
}

/// Why a fallback was not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missed {
    Limit,
    Deadline,
    NotReady,
    Failed,
    BodyGone,
}

impl Missed {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Deadline => "deadline",
            Self::NotReady => "not_ready",
            Self::Failed => "failed",
            Self::BodyGone => "body_gone",
        }
    }
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            permits: Arc::new(Permits::new(LIMIT)),
            fell_back: AtomicU64::new(0),
            spared: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            enforcement: EnforcementCell::default(),
            reporter: Reporter::new("fallback"),
            random: Random::new(),
        }
    }

    pub(crate) fn separate(&self) -> Self {
        let separate = Self::new();
        separate.set_limit(self.permits.limit());
        separate.enforcement.set(self.enforcement.get());
        separate
    }

    pub(crate) fn set_limit(&self, limit: u32) {
        self.permits.resize(limit);
    }

    pub(crate) fn permit(&self) -> Option<Permit> {
        self.permits.try_acquire()
    }

    /// Why an outcome is to be replaced, if it is.
    #[cold]
    pub(crate) fn wants<E: 'static>(
        &self,
        verdict: Verdict,
        error: Option<&E>,
    ) -> Option<&'static str> {
        // Our own rejections are ignored by whoever counts failures, but they are no answers.
        let rejected = || error.and_then(Rejected::find_in).map(|found| found.reason().as_str());
        let reason = verdict.kind().map(FailureKind::as_str).or_else(rejected)?;
        if self.enforcement.carries_out(&self.random) {
            return Some(reason);
        }
        self.spared.fetch_add(1, Relaxed);
        self.reporter.tell(|| Event::new(EventKind::FellBack).reason(reason).shadow(true));
        None
    }

    #[cold]
    pub(crate) fn fell_back(&self, reason: &'static str) {
        self.fell_back.fetch_add(1, Relaxed);
        self.reporter.tell(|| Event::new(EventKind::FellBack).reason(reason));
    }

    #[cold]
    pub(crate) fn missed(&self, why: Missed) {
        self.missed.fetch_add(1, Relaxed);
        self.reporter.tell(|| Event::new(EventKind::FallbackMissed).reason(why.as_str()));
    }

    pub(crate) fn tell_settings(&self, what: &'static str) {
        self.reporter.tell(|| Event::new(EventKind::SettingsChanged).reason(what));
    }

    pub(crate) fn statistics(&self) -> Statistics {
        Statistics {
            fell_back: self.fell_back.load(Relaxed),
            spared: self.spared.load(Relaxed),
            missed: self.missed.load(Relaxed),
            in_flight: self.permits.in_use(),
            limit: self.permits.limit(),
        }
    }
}
