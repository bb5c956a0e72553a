use std::time::Duration;

use tower_ballast_core::clock::{Nanos, nanos_in};

use super::{Later, Standing, cell::Cell, rule::Rule};
use crate::quota::{LONGEST, Quota};

/// The generic cell rate algorithm: one moment, the theoretical arrival time, by which all that
/// passed so far would have passed at an even pace. It may run ahead of now by the burst.
///
/// The settings of the cell are the interval from one to the next and the burst, both in
/// nanoseconds. A burst of 0 is closed.
#[derive(Debug)]
pub(super) struct Gcra {
    arrival: Cell,
    /// What costs more than the burst waits until nothing is owed, instead of passing never.
    patient: bool,
}

impl Gcra {
    pub(super) fn new(quota: Quota) -> Self {
        Self { arrival: Cell::new(settings(quota, LONGEST)), patient: false }
    }

    /// One after the other at an even pace, whatever each of them costs.
    pub(super) fn pacing(quota: Quota) -> Self {
        Self { arrival: Cell::new(paced(settings(quota, LONGEST))), patient: true }
    }

    /// When so much may pass, and the arrival time after it; nothing if it never may.
    #[inline]
    fn slot(
        &self,
        arrival: u64,
        [interval, burst]: [u64; 2],
        now: u64,
        cost: u32,
    ) -> Option<(u64, u64)> {
        let weight = weight(interval, cost);
        let ahead = match burst.checked_sub(weight) {
            Some(ahead) => ahead,
            None if self.patient && burst > 0 => 0,
            None => return None,
        };
        let slot = now.max(arrival.saturating_sub(ahead));
        Some((slot, arrival.max(slot).saturating_add(weight)))
    }

    fn move_arrival(&self, step: impl Fn(u64, u64) -> u64) {
        let moved = |arrival, [interval, _]: [u64; 2]| Some((step(arrival, interval), ()));
        let _always = self.arrival.update(|arrival, settings| moved(arrival, settings).ok_or(()));
    }
}

impl Rule for Gcra {
    #[inline]
    fn take(&self, now: Nanos, cost: u32) -> Result<(), Later> {
        let now = now.as_nanos();
        self.arrival.update(|arrival, settings| {
            let (slot, next) = self.slot(arrival, settings, now, cost).ok_or(Later::Never)?;
            if slot > now { Err(Later::At(Nanos::from_nanos(slot))) } else { Ok((next, ())) }
        })
    }

    fn reserve(&self, now: Nanos, cost: u32, horizon: Duration) -> Option<Nanos> {
        let (now, latest) = (now.as_nanos(), (now + horizon).as_nanos());
        let reserved = self.arrival.update(|arrival, settings| {
            let (slot, next) = self.slot(arrival, settings, now, cost).ok_or(())?;
            if slot > latest { Err(()) } else { Ok((next, slot)) }
        });
        reserved.ok().map(Nanos::from_nanos)
    }

    fn give_back(&self, _taken: Nanos, cost: u32) {
        self.move_arrival(|arrival, interval| arrival.saturating_sub(weight(interval, cost)));
    }

    fn charge(&self, now: Nanos, cost: u32) {
        self.move_arrival(|arrival, interval| {
            arrival.max(now.as_nanos()).saturating_add(weight(interval, cost))
        });
    }

    fn drain(&self, now: Nanos) {
        let _always = self.arrival.update(|arrival, [_, burst]| {
            Ok::<_, ()>((arrival.max(now.as_nanos().saturating_add(burst)), ()))
        });
    }

    fn configure(&self, now: Nanos, quota: Quota) {
        let change = |[interval, _]: [u64; 2]| {
            let settings = settings(quota, interval);
            if self.patient { paced(settings) } else { settings }
        };
        self.arrival.configure(change, |arrival, old, new| carried(arrival, old, new, now));
    }

    fn standing(&self, now: Nanos) -> Standing {
        let (arrival, [interval, burst]) = self.arrival.read();
        let left = burst.saturating_sub(arrival.saturating_sub(now.as_nanos()));
        let whole = |nanos: u64| u32::try_from(nanos / interval).unwrap_or(u32::MAX);
        Standing {
            limit: whole(burst),
            remaining: whole(left),
            full_at: now.max(Nanos::from_nanos(arrival)),
        }
    }

    fn when(&self, now: Nanos, cost: u32) -> Option<Nanos> {
        let (arrival, settings) = self.arrival.read();
        let (slot, _) = self.slot(arrival, settings, now.as_nanos(), cost)?;
        Some(Nanos::from_nanos(slot))
    }
}

/// Interval and burst; what is closed keeps the interval that it had, by which debts are counted.
fn settings(quota: Quota, interval: u64) -> [u64; 2] {
    if quota.is_closed() {
        return [interval, 0];
    }
    let interval = nanos_in(quota.interval());
    // More than 146 years of burst would not fit.
    [interval, weight(interval, quota.burst_size()).min(LONGEST / interval * interval)]
}

fn paced([interval, burst]: [u64; 2]) -> [u64; 2] {
    [interval, burst.min(interval)]
}

#[inline]
fn weight(interval: u64, cost: u32) -> u64 {
    interval.saturating_mul(u64::from(cost))
}

/// The arrival time by which as much is left as before, or owed, but never more than the new burst.
fn carried(arrival: u64, old: [u64; 2], new: [u64; 2], now: Nanos) -> u64 {
    let now = i128::from(now.as_nanos());
    let owed = (i128::from(arrival) - now).max(0);
    let left = i128::from(old[1]) - owed;
    let left = (left * i128::from(new[0])).div_euclid(i128::from(old[0])).min(new[1].into());
    u64::try_from(now + i128::from(new[1]) - left).unwrap_or(u64::MAX)
}
