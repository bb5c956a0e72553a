use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tower_ballast_core::{
    BoxError, Enforcement, EnforcementCell, Event, EventKind, Random, Reason, Reporter, clock,
};

use crate::bound::Scope;

/// What all services of one layer share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) scope: Scope,
    limit: AtomicU64,
    pub(crate) enforcement: EnforcementCell,
    pub(crate) reporter: Reporter,
    random: Random,
}

impl Shared {
    pub(crate) fn new(scope: Scope, limit: Duration) -> Self {
        Self {
            scope,
            limit: AtomicU64::new(clock::nanos_in(limit)),
            enforcement: EnforcementCell::default(),
            reporter: Reporter::new("timeout"),
            random: Random::new(),
        }
    }

    pub(crate) fn separate(&self) -> Self {
        let separate = Self::new(self.scope, self.limit());
        separate.enforcement.set(self.enforcement.get());
        separate
    }

    pub(crate) fn limit(&self) -> Duration {
        Duration::from_nanos(self.limit_nanos())
    }

    #[inline]
    pub(crate) fn limit_nanos(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    pub(crate) fn set_limit(&self, limit: Duration) {
        self.limit.store(clock::nanos_in(limit), Ordering::Relaxed);
    }

    /// The layer's name, when that is all a timeout needs: it is a literal, nobody has to be told,
    /// and every timeout is carried out.
    #[inline]
    pub(crate) fn unwatched_name(&self) -> Option<&'static str> {
        if self.reporter.is_observed() || !self.enforcement.is_on() {
            return None;
        }
        self.reporter.literal_name()
    }

    /// The rejection of a request whose deadline has passed, if it is carried out.
    #[cold]
    pub(crate) fn refuses(&self) -> Option<BoxError> {
        if self.enforcement.carries_out(&self.random) {
            return Some(self.reporter.reject(Reason::DeadlinePassed, None));
        }
        self.reporter.spare(Reason::DeadlinePassed, None);
        None
    }

    /// Reports a timeout, and says whether it is carried out.
    pub(crate) fn times_out(&self, after: Duration) -> bool {
        let carried_out = self.enforcement.carries_out(&self.random);
        self.reporter.tell(|| {
            Event::new(EventKind::TimedOut)
                .reason(self.scope.reason().as_str())
                .delay(after)
                .shadow(!carried_out)
        });
        carried_out
    }
}

/// Reads and changes a [`TimeoutLayer`](crate::TimeoutLayer) while its services run.
#[derive(Debug, Clone)]
pub struct TimeoutHandle(pub(crate) Arc<Shared>);

impl TimeoutHandle {
    /// The present limit.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.0.limit()
    }

    /// Changes the limit of requests that begin from now on. [`Duration::MAX`] means none;
    /// anything above 584 years counts as that.
    pub fn set_limit(&self, limit: Duration) {
        self.0.set_limit(limit);
        self.0
            .reporter
            .tell(|| Event::new(EventKind::SettingsChanged).reason("limit").delay(limit));
    }

    /// Whether timeouts are carried out.
    #[must_use]
    pub fn enforcement(&self) -> Enforcement {
        self.0.enforcement.get()
    }

    /// Changes whether timeouts are carried out.
    pub fn set_enforcement(&self, enforcement: Enforcement) {
        self.0.enforcement.set(enforcement);
        self.0.reporter.tell(|| Event::new(EventKind::SettingsChanged).reason("enforcement"));
    }
}
