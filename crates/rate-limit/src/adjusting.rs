//! The quota that is set, and what signals and the time of day make of it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use tower_ballast_core::clock;

use crate::{
    Quota,
    adjust::{Adjustment, Change, Limits, Schedule, Signals},
};

const DAY: u64 = 24 * 60 * 60;

#[derive(Debug)]
pub(crate) struct Adjusting(Mutex<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    quota: Quota,
    adjustment: Adjustment,
    limits: Limits,
    schedule: Option<Schedule>,
}

impl Adjusting {
    pub(crate) fn new(quota: Quota) -> Self {
        let limits = Limits::new();
        let adjustment = Adjustment::new(limits);
        Self(Mutex::new(Parts { quota, adjustment, limits, schedule: None }))
    }

    /// The same settings, and nothing adjusted yet.
    pub(crate) fn separate(&self) -> Self {
        let parts = self.parts().clone();
        Self(Mutex::new(Parts { adjustment: Adjustment::new(parts.limits), ..parts }))
    }

    /// The quota that is set.
    pub(crate) fn quota(&self) -> Quota {
        self.parts().quota
    }

    /// Sets it, and applies what that comes to now; under the lock, so that of two changes the same
    /// one is last here and where it is applied.
    pub(crate) fn set_quota<T>(&self, quota: Quota, apply: impl FnOnce(Quota) -> T) -> T {
        let mut parts = self.parts();
        parts.quota = quota;
        apply(parts.present())
    }

    pub(crate) fn set_limits(&self, limits: Limits) {
        let mut parts = self.parts();
        parts.limits = limits;
        parts.adjustment = Adjustment::new(limits);
    }

    pub(crate) fn set_schedule(&self, schedule: Schedule) {
        self.parts().schedule = Some(schedule);
    }

    /// Takes in what is seen, says how the multiplier changed, and applies what the quota comes to.
    pub(crate) fn observe<T>(
        &self,
        signals: Signals,
        lag: Duration,
        apply: impl FnOnce(Quota) -> T,
    ) -> (Option<Change>, T) {
        let mut parts = self.parts();
        let change = parts.adjustment.observe(clock::now(), signals, lag);
        (change, apply(parts.present()))
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parts {
    fn present(&self) -> Quota {
        let multiplier = self.adjustment.multiplier();
        let Some(schedule) = &self.schedule else { return self.quota.scaled(multiplier) };
        let since = clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time = Duration::from_secs(since.as_secs() % DAY);
        self.quota.scaled(multiplier * schedule.multiplier(time))
    }
}
