use std::{sync::Arc, time::Duration};

use tower_ballast_core::{Enforcement, Priority, clock, ranks::Floors};

use crate::{Quota, gate::Standing, shared::Shared, statistics::Statistics};

/// Reads a limiter and changes it while requests run. Made by
/// [`PriorityRateLimitLayer::handle`](crate::PriorityRateLimitLayer::handle).
///
/// ```
/// use tower_ballast_core::{Priority, count};
/// use tower_ballast_rate_limit::{PriorityRateLimitLayer, Quota};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let handle = PriorityRateLimitLayer::new(Quota::per_second(count::<100>())).handle();
/// assert_eq!(handle.standing().remaining, 100);
///
/// handle.set_quota(Quota::per_second(count::<40>()));
/// assert_eq!(handle.standing().remaining, 40);
/// assert_eq!(handle.statistics().of(Priority::High).limited, 0);
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct PriorityRateLimitHandle(Arc<Shared>);

impl PriorityRateLimitHandle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// How much may pass.
    #[must_use]
    pub fn quota(&self) -> Quota {
        self.0.door.gate.quota()
    }

    /// Changes how much may pass. What is left stays left, as far as the new burst holds it, and
    /// who waits goes on waiting, by the new rate.
    pub fn set_quota(&self, quota: Quota) {
        self.0.set_quota(quota);
        self.0.tell_settings("quota");
    }

    /// What is left of the quota.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.0.door.gate.standing(clock::now())
    }

    /// How many wait for their turn.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.0.door.with_ranks(|ranks| ranks.len())
    }

    /// How many of each class may wait. Changes nothing for a layer without a queue.
    pub fn set_queue(&self, most: u32) {
        self.0.set_most_waiting(most);
        self.0.tell_settings("queue");
    }

    /// How long those of a class that come from now on may wait.
    pub fn set_longest_wait(&self, class: Priority, longest: Duration) {
        self.0.set_longest_wait(class, longest);
        self.0.tell_settings("longest_wait");
    }

    /// How long a request needs once it has passed.
    pub fn set_needs(&self, needs: Duration) {
        self.0.set_needs(needs);
        self.0.tell_settings("needs");
    }

    /// What the lower classes get in any case.
    pub fn set_floors(&self, floors: Floors) {
        self.0.door.with_ranks(|ranks| ranks.set_floors(floors));
        self.0.tell_settings("floors");
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

    /// What has waited and what was refused since the layer was made.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.0.statistics()
    }
}
