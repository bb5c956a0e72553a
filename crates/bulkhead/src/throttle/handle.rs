use std::{num::NonZeroU32, sync::Arc, time::Duration};

use tower_ballast_core::{Enforcement, Multiplier, Ratio};

use super::shared::Shared;

/// Reads a throttle and changes it while requests run. Made by
/// [`ThrottleLayer::handle`](super::ThrottleLayer::handle).
///
/// ```
/// use tower_ballast_bulkhead::throttle::ThrottleLayer;
/// use tower_ballast_core::Ratio;
///
/// let handle = ThrottleLayer::new().handle();
/// handle.set_most_refused(Ratio::percent::<50>());
/// assert_eq!(handle.statistics().requests, 0);
/// ```
#[derive(Debug, Clone)]
pub struct ThrottleHandle(Arc<Shared>);

/// What a throttle has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Requests in the window, those that were refused here included.
    pub requests: u64,
    /// Those of them that the server accepted.
    pub accepted: u64,
    /// Refused here since it was made, also if that was only reported.
    pub refused: u64,
}

impl ThrottleHandle {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// With which chance the next request is refused, from 0 to 1.
    #[must_use]
    pub fn chance(&self) -> f64 {
        self.0.chance()
    }

    /// What it has counted.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let (tally, refused) = self.0.tally();
        let accepted = tally.calls - tally.failures;
        Statistics { requests: tally.calls, accepted, refused }
    }

    /// Changes how many requests are sent for each that is accepted.
    pub fn set_multiplier(&self, multiplier: Multiplier) {
        self.0.configure(|settings| settings.multiplier = multiplier);
        self.0.tell_settings("multiplier");
    }

    /// Changes how long a request is counted. What was counted stays, to a step of the window.
    pub fn set_window(&self, window: Duration) {
        self.0.configure(|settings| settings.window = window);
        self.0.tell_settings("window");
    }

    /// Changes with how many requests in the window it begins to refuse.
    pub fn set_fewest_requests(&self, fewest: NonZeroU32) {
        self.0.configure(|settings| settings.fewest = fewest);
        self.0.tell_settings("fewest_requests");
    }

    /// Changes the share of requests that is refused at the most.
    pub fn set_most_refused(&self, share: Ratio) {
        self.0.configure(|settings| settings.most_refused = share);
        self.0.tell_settings("most_refused");
    }

    /// Whether refusals are carried out.
    #[must_use]
    pub fn enforcement(&self) -> Enforcement {
        self.0.enforcement.get()
    }

    /// Changes whether refusals are carried out.
    pub fn set_enforcement(&self, enforcement: Enforcement) {
        self.0.enforcement.set(enforcement);
        self.0.tell_settings("enforcement");
    }
}
