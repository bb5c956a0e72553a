use std::time::Duration;

use tower_ballast_core::clock::Nanos;

use super::{
    Later, Standing,
    cell::Cell,
    rule::Rule,
    terms::{Terms, told},
};
use crate::Quota;

/// The flag of a closed quota, beside a count.
const CLOSED: u64 = 1 << 63;

/// Windows that lie side by side, each with the whole count.
///
/// The cell holds one position on the line of all that could ever have passed: the number of the
/// window times the count, and what was used of that window. The rate is at most one per nanosecond, so
/// a position is never greater than the moment, and fits.
#[derive(Debug)]
pub(super) struct Fixed(Cell);

impl Fixed {
    pub(super) fn new(quota: Quota) -> Self {
        Self(Cell::new(settings(Terms::new(quota))))
    }

    fn carry(position: u64, old: [u64; 2], new: [u64; 2], now: u64) -> u64 {
        let used = position.saturating_sub(base(terms(old), now));
        base(terms(new), now).saturating_add(used)
    }
}

impl Rule for Fixed {
    fn take(&self, now: Nanos, cost: u32) -> Result<(), Later> {
        let now = now.as_nanos();
        self.0.update(|position, settings| {
            let (slot, next) = slot(position, terms(settings), now, cost).ok_or(Later::Never)?;
            if slot > now { Err(Later::At(Nanos::from_nanos(slot))) } else { Ok((next, ())) }
        })
    }

    fn reserve(&self, now: Nanos, cost: u32, horizon: Duration) -> Option<Nanos> {
        let (now, latest) = (now.as_nanos(), (now + horizon).as_nanos());
        let reserved = self.0.update(|position, settings| {
            let (slot, next) = slot(position, terms(settings), now, cost).ok_or(())?;
            if slot > latest { Err(()) } else { Ok((next, slot)) }
        });
        reserved.ok().map(Nanos::from_nanos)
    }

    fn give_back(&self, taken: Nanos, cost: u32) {
        let _unless_over = self.0.update(|position, settings| {
            let terms = terms(settings);
            let window = position.saturating_sub(1) / terms.count;
            if window != taken.as_nanos() / terms.period {
                return Err(());
            }
            let used = position - window * terms.count;
            Ok((position - used.min(cost.into()), ()))
        });
    }

    fn charge(&self, now: Nanos, cost: u32) {
        let _always = self.0.update(|position, settings| {
            let base = base(terms(settings), now.as_nanos());
            Ok::<_, ()>((position.max(base).saturating_add(cost.into()), ()))
        });
    }

    fn drain(&self, now: Nanos) {
        let _always = self.0.update(|position, settings| {
            let terms = terms(settings);
            let end = base(terms, now.as_nanos()).saturating_add(terms.limit());
            Ok::<_, ()>((position.max(end), ()))
        });
    }

    fn configure(&self, now: Nanos, quota: Quota) {
        let now = now.as_nanos();
        self.0.configure(
            |old| settings(terms(old).changed(quota)),
            |position, old, new| Self::carry(position, old, new, now),
        );
    }

    fn standing(&self, now: Nanos) -> Standing {
        let (position, settings) = self.0.read();
        let terms = terms(settings);
        let used = position.saturating_sub(base(terms, now.as_nanos()));
        let over = position.div_ceil(terms.count).saturating_mul(terms.period);
        let full_at = if used == 0 { now } else { now.max(Nanos::from_nanos(over)) };
        Standing {
            limit: told(terms.limit()),
            remaining: told(terms.limit().saturating_sub(used)),
            full_at,
        }
    }

    fn when(&self, now: Nanos, cost: u32) -> Option<Nanos> {
        let (position, settings) = self.0.read();
        let (slot, _) = slot(position, terms(settings), now.as_nanos(), cost)?;
        Some(Nanos::from_nanos(slot))
    }
}

/// When so much may pass, and the position after it; nothing if it never may.
fn slot(position: u64, terms: Terms, now: u64, cost: u32) -> Option<(u64, u64)> {
    let (count, cost) = (terms.count, u64::from(cost));
    if cost > terms.limit() {
        return None;
    }
    let mut position = position.max(base(terms, now));
    if position % count + cost > count {
        // What is left of this window is not enough, and is left.
        position = position.next_multiple_of(count);
    }
    let start = (position / count).saturating_mul(terms.period);
    Some((now.max(start), position.saturating_add(cost)))
}

/// The position at which the window of `now` begins.
fn base(terms: Terms, now: u64) -> u64 {
    now / terms.period * terms.count
}

fn settings(terms: Terms) -> [u64; 2] {
    [terms.count | if terms.closed { CLOSED } else { 0 }, terms.period]
}

fn terms([count, period]: [u64; 2]) -> Terms {
    Terms { count: count & !CLOSED, period, closed: count & CLOSED != 0 }
}
