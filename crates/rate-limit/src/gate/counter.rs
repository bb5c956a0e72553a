use tower_ballast_core::clock::Nanos;

use super::{
    Standing,
    rule::Brain,
    terms::{Terms, told},
};
use crate::Quota;

/// A window that slides by estimate: what passed in the window before counts as if it had come evenly,
/// for as much of it as the sliding window still covers.
///
/// Three numbers whatever the limit. What comes in one moment at the end of a window is forgotten too
/// soon: in the worst case twice the limit passes within one period.
#[derive(Debug)]
pub(super) struct Counter {
    terms: Terms,
    /// Which window is counted: the moment of its start over the period.
    index: u64,
    used: u64,
    /// What passed in the window before.
    before: u64,
    /// What is booked for the window after. While anything is, nobody else passes in this one.
    ahead: u64,
}

impl Counter {
    pub(super) fn new(quota: Quota) -> Self {
        Self { terms: Terms::new(quota), index: 0, used: 0, before: 0, ahead: 0 }
    }

    fn start(&self) -> u64 {
        self.index.saturating_mul(self.terms.period)
    }

    /// How far into a window what passed `before` weighs no more than `room`.
    fn lightened(&self, before: u64, room: u64) -> u64 {
        let room = u128::from(room) * u128::from(self.terms.period);
        match room.checked_div(before.into()) {
            Some(left) => self.terms.period.saturating_sub(u64::try_from(left).unwrap_or(u64::MAX)),
            None => 0,
        }
    }

    /// What counts now, rounded up.
    fn weight(&self, now: u64) -> u64 {
        let period = u128::from(self.terms.period);
        let elapsed = u128::from(now.saturating_sub(self.start()));
        let old = u128::from(self.before) * period.saturating_sub(elapsed);
        self.used.saturating_add(u64::try_from(old.div_ceil(period)).unwrap_or(u64::MAX))
    }
}

impl Brain for Counter {
    fn advance(&mut self, now: u64) {
        let index = now / self.terms.period;
        (self.before, self.used, self.ahead) = match index.saturating_sub(self.index) {
            0 => return,
            1 => (self.used, self.ahead, 0),
            2 => (self.ahead, 0, 0),
            _ => (0, 0, 0),
        };
        self.index = index;
    }

    fn slot(&self, now: u64, cost: u32) -> Option<u64> {
        let room = self.terms.limit().checked_sub(cost.into())?;
        let window = |number: u64| self.start().saturating_add(number * self.terms.period);
        let fits = |used| room.checked_sub(used);
        let moment = match (fits(self.used), fits(self.ahead)) {
            (Some(room), _) if self.ahead == 0 => {
                window(0).saturating_add(self.lightened(self.before, room))
            }
            (_, Some(room)) => window(1).saturating_add(self.lightened(self.used, room)),
            _ => window(2).saturating_add(self.lightened(self.ahead, room)),
        };
        Some(now.max(moment))
    }

    fn book(&mut self, slot: u64, cost: u32) {
        let used =
            if slot / self.terms.period > self.index { &mut self.ahead } else { &mut self.used };
        *used = used.saturating_add(cost.into());
    }

    fn give_back(&mut self, _now: u64, taken: u64, cost: u32) {
        let window = taken / self.terms.period;
        let used = match (window.checked_sub(self.index), self.index.checked_sub(window)) {
            (Some(0), _) => &mut self.used,
            (Some(1), _) => &mut self.ahead,
            (_, Some(1)) => &mut self.before,
            _ => return,
        };
        *used = used.saturating_sub(cost.into());
    }

    fn configure(&mut self, now: u64, quota: Quota) {
        let (old, weight) = (self.terms, self.weight(now));
        self.terms = old.changed(quota);
        if self.terms.period != old.period {
            // What an estimate spread over the old windows all counts in the new one.
            self.used = weight.saturating_add(self.ahead);
            (self.before, self.ahead) = (0, 0);
            self.index = now / self.terms.period;
        }
    }

    fn standing(&self, now: u64) -> Standing {
        let windows = match (self.before, self.used, self.ahead) {
            (0, 0, 0) => 0,
            (_, 0, 0) => 1,
            (_, _, 0) => 2,
            _ => 3,
        };
        let full_at = self.start().saturating_add(self.terms.period.saturating_mul(windows));
        let left = self.terms.limit().saturating_sub(self.weight(now));
        Standing {
            limit: told(self.terms.limit()),
            remaining: if self.ahead > 0 { 0 } else { told(left) },
            full_at: Nanos::from_nanos(full_at.max(now)),
        }
    }

    fn can_hold(&self, slot: u64) -> bool {
        slot / self.terms.period <= self.index.saturating_add(1)
    }
}
