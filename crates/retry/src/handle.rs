use std::time::Duration;

use tower_ballast_core::{Backoff, Budget, Event, EventKind, Spread};

use crate::{plan::Settings, shared::Shared, statistics::Statistics, worst_case::WorstCase};

/// Reads and changes a [`RetryLayer`](crate::RetryLayer) while its services run.
///
/// A request that waits goes by the settings of the moment when its next decision is made.
///
/// ```
/// use tower_ballast_core::idempotent;
/// use tower_ballast_retry::RetryLayer;
///
/// let layer = RetryLayer::new(idempotent());
/// let handle = layer.handle();
/// handle.set_retries(0); // an operator turns retries off
/// assert_eq!(layer.worst_case().attempts, 1);
/// ```
#[derive(Debug, Clone)]
pub struct RetryHandle(pub(crate) Spread<Shared>);

impl RetryHandle {
    /// How often a request may be sent again.
    #[must_use]
    pub fn retries(&self) -> u32 {
        self.0.retries()
    }

    /// Changes how often a request may be sent again. 0 turns retries off, also for requests that
    /// run; more than before holds for those that begin from now on.
    pub fn set_retries(&self, retries: u32) {
        self.change("retries", |settings| settings.retries = retries);
    }

    /// The waits between attempts.
    #[must_use]
    pub fn backoff(&self) -> Backoff {
        self.0.settings().backoff
    }

    /// Changes the waits of requests that fail for the first time from now on.
    pub fn set_backoff(&self, backoff: Backoff) {
        self.change("backoff", |settings| settings.backoff = backoff);
    }

    /// The longest time from a call to the start of its last attempt; [`Duration::MAX`] for none.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.0.settings().total
    }

    /// Changes that time for requests that begin from now on.
    pub fn set_total(&self, total: Duration) {
        self.change("total", |settings| settings.total = total);
    }

    /// The longest wait that it makes because a service asks for it.
    #[must_use]
    pub fn longest_hint(&self) -> Duration {
        self.0.settings().longest_hint
    }

    /// Changes the longest wait that it makes because a service asks for it.
    pub fn set_longest_hint(&self, longest: Duration) {
        self.change("longest_hint", |settings| settings.longest_hint = longest);
    }

    /// How long an attempt needs at the least.
    #[must_use]
    pub fn needs(&self) -> Duration {
        self.0.settings().needs
    }

    /// Changes how long an attempt needs at the least.
    pub fn set_needs(&self, needs: Duration) {
        self.change("needs", |settings| settings.needs = needs);
    }

    /// Whether it also retries inside of another retrying layer.
    #[must_use]
    pub fn is_nested(&self) -> bool {
        self.0.is_nested()
    }

    /// Changes whether it also retries inside of another retrying layer.
    pub fn set_nested(&self, nested: bool) {
        self.change("nested", |settings| settings.nested = nested);
    }

    /// The budget, to be read, to be tuned by its setters, or to be shared with another layer.
    #[must_use]
    pub fn budget(&self) -> Budget {
        self.0.budget().clone()
    }

    /// What became of the requests that failed at first.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.0.counters.read(self.0.budget().balance())
    }

    /// The most that the present settings can do to one request and to the service.
    #[must_use]
    pub fn worst_case(&self) -> WorstCase {
        WorstCase::of(&self.0.settings(), self.0.budget())
    }

    fn change(&self, setting: &'static str, change: impl FnOnce(&mut Settings)) {
        self.0.configure(change);
        self.0.reporter.tell(|| Event::new(EventKind::SettingsChanged).reason(setting));
    }
}
