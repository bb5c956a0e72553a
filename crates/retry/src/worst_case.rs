use std::time::Duration;

use tower_ballast_core::Budget;

use crate::plan::Settings;

/// The most that retries can do: to one request, and to the service.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::idempotent;
/// use tower_ballast_retry::RetryLayer;
///
/// let worst = RetryLayer::new(idempotent()).longest_hint(Duration::ZERO).worst_case();
/// assert_eq!(worst.attempts, 3);
/// assert_eq!(worst.added_wait, Duration::from_millis(300)); // 100 ms and 200 ms
///
/// assert_eq!(worst.load_factor, 1.1); // the default budget
///
/// // Layers that retry inside of one another multiply, unless the inner ones are told.
/// assert_eq!(worst.over(worst).over(worst).attempts, 27);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct WorstCase {
    /// How often one request is sent.
    pub attempts: u64,
    /// How long one request waits between its attempts. Services that ask for long waits make up
    /// most of it; see [`longest_hint`](crate::RetryLayer::longest_hint).
    pub added_wait: Duration,
    /// By how much retries multiply the load on a service in the long run: what the budget pays
    /// for, beside its burst and its floor, and at most the attempts.
    pub load_factor: f64,
}

impl WorstCase {
    pub(crate) fn of(settings: &Settings, budget: &Budget) -> Self {
        let hints = settings.longest_hint.saturating_mul(settings.retries);
        let waits = settings.backoff.longest(settings.retries).saturating_add(hints);
        let attempts = u64::from(settings.retries) + 1;
        #[allow(clippy::cast_precision_loss, reason = "a factor to look at")]
        let most = attempts as f64;
        let load_factor = budget.share().map_or(most, |share| most.min(1.0 + share.get()));
        Self { attempts, added_wait: waits.min(settings.total), load_factor }
    }

    /// The worst case of a layer around another one that retries too.
    #[must_use]
    pub fn over(self, inner: Self) -> Self {
        let times = u32::try_from(self.attempts).unwrap_or(u32::MAX);
        let inner_wait = inner.added_wait.saturating_mul(times);
        Self {
            attempts: self.attempts.saturating_mul(inner.attempts),
            added_wait: self.added_wait.saturating_add(inner_wait),
            load_factor: self.load_factor * inner.load_factor,
        }
    }
}
