use tower_ballast_core::clock::Nanos;

use super::{
    Standing,
    rule::Brain,
    terms::{Terms, told},
};
use crate::Quota;

/// A token bucket that is filled continuously and exactly.
///
/// A token is as many units as the period has nanoseconds, and each nanosecond brings as many units as
/// the period has tokens, so nothing is ever rounded.
#[derive(Debug)]
pub(super) struct Bucket {
    terms: Terms,
    burst: u32,
    /// Units; below zero while something is owed.
    level: i128,
    /// When the level was this.
    at: u64,
}

impl Bucket {
    pub(super) fn new(quota: Quota) -> Self {
        let terms = Terms::new(quota);
        let bucket = Self { terms, burst: quota.burst_size(), level: 0, at: 0 };
        Self { level: bucket.full(), ..bucket }
    }

    fn units(&self, tokens: u32) -> i128 {
        i128::from(tokens) * i128::from(self.terms.period)
    }

    fn full(&self) -> i128 {
        self.units(self.burst)
    }

    /// When the level is this, if nothing is taken.
    fn when(&self, level: i128) -> u64 {
        let missing = (level - self.level).max(0).unsigned_abs();
        let nanos = missing.div_ceil(self.terms.count.into());
        self.at.saturating_add(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Brain for Bucket {
    fn advance(&mut self, now: u64) {
        let units = i128::from(now - self.at) * i128::from(self.terms.count);
        self.level = self.level.saturating_add(units).min(self.full());
        self.at = now;
    }

    fn slot(&self, now: u64, cost: u32) -> Option<u64> {
        let needed = self.units(cost);
        if cost > self.burst {
            None
        } else if self.level >= needed {
            Some(now)
        } else {
            Some(self.when(needed))
        }
    }

    fn book(&mut self, _slot: u64, cost: u32) {
        // A slot that lies ahead is paid for in advance: the level of now goes below zero.
        self.level = self.level.saturating_sub(self.units(cost));
    }

    fn give_back(&mut self, _now: u64, _taken: u64, cost: u32) {
        self.level = (self.level + self.units(cost)).min(self.full());
    }

    fn configure(&mut self, _now: u64, quota: Quota) {
        let old = i128::from(self.terms.period);
        self.terms = self.terms.changed(quota);
        self.burst = quota.burst_size();
        let new = i128::from(self.terms.period);
        let part = self.level.rem_euclid(old) * new / old;
        let level = self.level.div_euclid(old).saturating_mul(new).saturating_add(part);
        self.level = level.min(self.full());
    }

    fn standing(&self, _now: u64) -> Standing {
        let whole = self.level.max(0) / i128::from(self.terms.period);
        Standing {
            limit: self.burst,
            remaining: told(u64::try_from(whole).unwrap_or(u64::MAX)),
            full_at: Nanos::from_nanos(self.when(self.full())),
        }
    }
}
