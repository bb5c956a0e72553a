use std::{
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tower_ballast_core::{
    Budget, Event, EventKind, Random, Reporter, Verdict,
    clock::{self, Nanos},
};

use crate::{
    plan::{Again, Settings},
    statistics::Counters,
    stop::Stop,
};

/// What all services of one layer share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What a call asks before it is made, published from the settings.
    retries: AtomicU32,
    total: AtomicU64,
    nested: AtomicBool,
    settings: Mutex<Settings>,
    own_budget: Budget,
    given_budget: OnceLock<Budget>,
    pub(crate) random: Random,
    pub(crate) counters: Counters,
    pub(crate) reporter: Reporter,
}

impl Shared {
    pub(crate) fn new(settings: Settings) -> Self {
        let shared = Self {
            retries: AtomicU32::new(0),
            total: AtomicU64::new(0),
            nested: AtomicBool::new(false),
            settings: Mutex::new(settings),
            own_budget: Budget::new(),
            given_budget: OnceLock::new(),
            random: Random::new(),
            counters: Counters::default(),
            reporter: Reporter::new("retry"),
        };
        shared.configure(|_| ());
        shared
    }

    pub(crate) fn separate(&self) -> Self {
        let separate = Self::new(self.settings());
        if let Some(given) = self.given_budget.get() {
            separate.give_budget(given.separate());
        }
        separate
    }

    pub(crate) fn settings(&self) -> Settings {
        self.lock().clone()
    }

    pub(crate) fn configure(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.lock();
        change(&mut settings);
        self.retries.store(settings.retries, Relaxed);
        self.total.store(clock::nanos_in(settings.total), Relaxed);
        self.nested.store(settings.nested, Relaxed);
    }

    #[inline]
    pub(crate) fn retries(&self) -> u32 {
        self.retries.load(Relaxed)
    }

    #[inline]
    pub(crate) fn is_nested(&self) -> bool {
        self.nested.load(Relaxed)
    }

    /// The latest start of an attempt of a request that comes now; no clock is read without need.
    #[inline]
    pub(crate) fn starts_by(&self) -> Option<Nanos> {
        match self.total.load(Relaxed) {
            u64::MAX => None,
            total => Some(clock::now() + Duration::from_nanos(total)),
        }
    }

    #[inline]
    pub(crate) fn budget(&self) -> &Budget {
        self.given_budget.get().unwrap_or(&self.own_budget)
    }

    pub(crate) fn give_budget(&self, budget: Budget) {
        let _ = self.given_budget.set(budget);
    }

    pub(crate) fn tell_again(&self, number: u32, verdict: Verdict, again: Again) {
        let reason = verdict.kind().map_or("ignored", |kind| kind.as_str());
        self.reporter.tell(|| {
            Event::new(EventKind::Retrying)
                .attempt(number.saturating_add(1))
                .reason(reason)
                .delay(again.delay)
        });
    }

    pub(crate) fn tell_stop(&self, number: u32, stop: Stop) {
        self.counters.stop(stop);
        self.reporter
            .tell(|| Event::new(EventKind::RetryStopped).attempt(number).reason(stop.as_str()));
    }

    fn lock(&self) -> MutexGuard<'_, Settings> {
        // Nothing of a user runs under this lock, and each change to it is whole.
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
