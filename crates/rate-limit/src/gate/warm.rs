use std::time::Duration;

use tower_ballast_core::clock::{Nanos, nanos_in};

use super::{Standing, rule::Brain};
use crate::{Quota, quota::LONGEST};

/// An even pace that is three times slower after a rest and quickens to the quota, as in Guava's
/// `SmoothWarmingUp`.
///
/// A service that was idle has cold caches and few connections, and cannot do at once what it could do
/// before. Each nanosecond of idleness is stored, up to the time that warming up takes. What passes
/// uses the stored time up first, and as long as more than half is stored, each nanosecond of it lasts
/// longer: three times as long when all is stored, falling evenly. That adds up: from cold to warm
/// takes the time given.
#[derive(Debug, Clone, Copy)]
pub(super) struct WarmUp {
    interval: u64,
    closed: bool,
    warming: u64,
    stored: u64,
    /// When the next one may pass, and when so much was stored.
    next: u64,
}

impl WarmUp {
    pub(super) fn new(quota: Quota, warming: Duration) -> Self {
        let warming = nanos_in(warming).min(LONGEST);
        let cold = Self { interval: LONGEST, closed: true, warming, stored: warming, next: 0 };
        cold.changed(quota)
    }

    fn changed(self, quota: Quota) -> Self {
        if quota.is_closed() {
            Self { closed: true, ..self }
        } else {
            Self { closed: false, interval: nanos_in(quota.interval()), ..self }
        }
    }

    /// What the stored time above the half lasts longer, up to a level.
    fn extra(&self, stored: u64) -> u128 {
        let cold = u128::from(stored.saturating_sub(self.warming / 2));
        (2 * cold * cold).checked_div(self.warming.into()).unwrap_or(0)
    }

    fn weight(&self, cost: u32) -> u64 {
        self.interval.saturating_mul(cost.into())
    }
}

impl Brain for WarmUp {
    fn advance(&mut self, now: u64) {
        let idle = now.saturating_sub(self.next);
        self.stored = self.stored.saturating_add(idle).min(self.warming);
        self.next = self.next.max(now);
    }

    fn slot(&self, now: u64, _cost: u32) -> Option<u64> {
        (!self.closed).then(|| self.next.max(now))
    }

    fn book(&mut self, _slot: u64, cost: u32) {
        let weight = self.weight(cost);
        let rest = self.stored.saturating_sub(weight);
        let longer = self.extra(self.stored) - self.extra(rest);
        self.stored = rest;
        let longer = u64::try_from(longer).unwrap_or(u64::MAX);
        self.next = self.next.saturating_add(weight).saturating_add(longer);
    }

    fn give_back(&mut self, _now: u64, _taken: u64, cost: u32) {
        self.next = self.next.saturating_sub(self.weight(cost));
    }

    fn configure(&mut self, now: u64, quota: Quota) {
        let (old, owed) = (u128::from(self.interval), u128::from(self.next - now));
        *self = self.changed(quota);
        let owed = owed * u128::from(self.interval) / old;
        self.next = now.saturating_add(u64::try_from(owed).unwrap_or(u64::MAX));
    }

    fn standing(&self, now: u64) -> Standing {
        let limit = u32::from(!self.closed);
        Standing {
            limit,
            remaining: if self.next > now { 0 } else { limit },
            full_at: Nanos::from_nanos(self.next.max(now)),
        }
    }
}
