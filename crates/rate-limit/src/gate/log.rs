use std::collections::VecDeque;

use tower_ballast_core::clock::Nanos;

use super::{
    Standing,
    rule::Brain,
    terms::{Terms, told},
};
use crate::Quota;

/// So many entries are told apart within a window.
const FINE: u16 = 4096;
/// So many are kept at all: those of a window, and as many that are booked for later.
const MOST: usize = 2 * FINE as usize;

/// A window that slides exactly: all that passed in the last period is remembered.
///
/// Of limits above 4096 the moments are rounded up to a 4096th of the period, so that the memory is
/// bounded: 128 KiB at most.
#[derive(Debug)]
pub(super) struct Log {
    terms: Terms,
    /// By the moment at which they no longer count.
    entries: VecDeque<Entry>,
    /// What all entries come to.
    sum: u64,
    /// For when the last one was booked. Nobody overtakes it.
    last: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    expires: u64,
    cost: u64,
}

impl Log {
    pub(super) fn new(quota: Quota) -> Self {
        Self { terms: Terms::new(quota), entries: VecDeque::new(), sum: 0, last: 0 }
    }

    /// When what passes at `moment` no longer counts.
    fn expiry(&self, moment: u64) -> u64 {
        let grain = if self.terms.count > FINE.into() {
            self.terms.period.div_ceil(FINE.into())
        } else {
            1
        };
        moment.div_ceil(grain).saturating_mul(grain).saturating_add(self.terms.period)
    }
}

impl Brain for Log {
    fn advance(&mut self, now: u64) {
        while let Some(first) = self.entries.front().filter(|first| first.expires <= now) {
            self.sum = self.sum.saturating_sub(first.cost);
            self.entries.pop_front();
        }
    }

    fn slot(&self, now: u64, cost: u32) -> Option<u64> {
        let room = self.terms.limit().checked_sub(cost.into())?;
        let (mut moment, mut sum) = (now.max(self.last), self.sum);
        for first in &self.entries {
            if sum <= room {
                break;
            }
            moment = moment.max(first.expires);
            sum = sum.saturating_sub(first.cost);
        }
        Some(moment)
    }

    fn book(&mut self, slot: u64, cost: u32) {
        if cost == 0 {
            return;
        }
        let (expires, cost) = (self.expiry(slot), u64::from(cost));
        self.last = self.last.max(slot);
        self.sum = self.sum.saturating_add(cost);
        let place = self.entries.partition_point(|entry| entry.expires < expires);
        let is_full = self.entries.len() >= MOST;
        match self.entries.get_mut(place) {
            Some(entry) if is_full || entry.expires == expires => {
                entry.cost = entry.cost.saturating_add(cost);
            }
            None if is_full => {
                if let Some(entry) = self.entries.back_mut() {
                    *entry = Entry { expires, cost: entry.cost.saturating_add(cost) };
                }
            }
            _ => self.entries.insert(place, Entry { expires, cost }),
        }
    }

    fn give_back(&mut self, now: u64, taken: u64, cost: u32) {
        let expires = taken.saturating_add(self.terms.period);
        if expires <= now {
            return;
        }
        // What was taken then is in the first entry from there on, or further on: if another's clock was ahead,
        // if the moment was rounded up, or if there was no room for an entry of its own.
        let first = self.entries.partition_point(|entry| entry.expires < expires);
        let mut left = u64::from(cost);
        for entry in self.entries.range_mut(first..) {
            let back = entry.cost.min(left);
            entry.cost -= back;
            left -= back;
            self.sum = self.sum.saturating_sub(back);
            if left == 0 {
                break;
            }
        }
        while self.entries.get(first).is_some_and(|entry| entry.cost == 0) {
            self.entries.remove(first);
        }
        let booked = self.entries.back().map(|last| last.expires - self.terms.period);
        self.last = self.last.min(booked.unwrap_or(0));
    }

    fn configure(&mut self, _now: u64, quota: Quota) {
        let old = self.terms;
        self.terms = old.changed(quota);
        for entry in &mut self.entries {
            let booked = entry.expires.saturating_sub(old.period);
            entry.expires = booked.saturating_add(self.terms.period);
        }
    }

    fn standing(&self, now: u64) -> Standing {
        let full_at = self.entries.back().map_or(now, |last| last.expires);
        Standing {
            limit: told(self.terms.limit()),
            remaining: told(self.terms.limit().saturating_sub(self.sum)),
            full_at: Nanos::from_nanos(full_at.max(now)),
        }
    }

    fn can_hold(&self, _slot: u64) -> bool {
        self.entries.len() < MOST
    }
}
