//! Moments at which refused callers are asked to come back.

use std::{
    sync::atomic::{
        AtomicU64,
        Ordering::{AcqRel, Relaxed},
    },
    time::Duration,
};

use tower_ballast_core::{
    RetryAfter,
    clock::{Nanos, nanos_in},
};

use crate::Quota;

/// Further ahead nothing is promised.
pub(crate) const HORIZON: Duration = Duration::from_secs(30);

/// Hands out one moment after the other, no two alike, at the rate of the limit.
///
/// A crowd that is told one moment comes back in that moment, and all but a few are refused again.
/// Told each its own, all find what they ask for.
#[derive(Debug)]
pub(crate) struct Slots {
    last: AtomicU64,
    /// From one to the next by the latest quota that was not closed.
    interval: AtomicU64,
}

impl Slots {
    pub(crate) fn new(quota: Quota) -> Self {
        Self { last: AtomicU64::new(0), interval: AtomicU64::new(nanos_in(quota.interval())) }
    }

    /// A slot of its own at `earliest` or later, for what costs so many `interval`s; or, beyond the
    /// horizon, a moment that others may be told too.
    pub(crate) fn next(&self, now: Nanos, earliest: Nanos, cost: Duration) -> RetryAfter {
        let horizon = now + HORIZON;
        let place = |last: u64| {
            let slot = (Nanos::from_nanos(last) + cost).max(earliest);
            (slot <= horizon).then_some(slot.as_nanos())
        };
        match self.last.fetch_update(AcqRel, Relaxed, place) {
            Ok(last) => {
                let slot = (Nanos::from_nanos(last) + cost).max(earliest);
                RetryAfter::reserved(slot.since(now))
            }
            Err(last) => RetryAfter::hint(earliest.max(Nanos::from_nanos(last)).since(now)),
        }
    }

    /// At another rate those who were told a moment are through sooner or later. Changes come one after
    /// the other.
    pub(crate) fn configure(&self, now: Nanos, quota: Quota) {
        if quota.is_closed() {
            return;
        }
        let new = nanos_in(quota.interval()).max(1);
        let old = self.interval.swap(new, Relaxed).max(1);
        let moved = |last: u64| {
            let ahead = u128::from(last.saturating_sub(now.as_nanos()));
            let ahead = ahead * u128::from(new) / u128::from(old);
            let ahead = u64::try_from(ahead).unwrap_or(u64::MAX).min(nanos_in(HORIZON));
            Some(last.min(now.as_nanos()).saturating_add(ahead))
        };
        let _always = self.last.fetch_update(AcqRel, Relaxed, moved);
    }
}

#[cfg(test)]
mod tests {
    use tower_ballast_core::count;

    use super::*;

    const NOW: Nanos = Nanos::from_nanos(1_000_000_000);
    const QUOTA: Quota = Quota::per_second(count::<1>());

    #[test]
    fn no_two_are_told_the_same_moment_and_none_is_left_out() {
        let (slots, step) = (Slots::new(QUOTA), Duration::from_millis(10));
        let told: Vec<_> = (0..100).map(|_| slots.next(NOW, NOW + step, step)).collect();
        for (n, after) in (1..).zip(told) {
            assert_eq!(after, RetryAfter::reserved(step * n));
        }
    }

    #[test]
    fn slots_that_have_passed_are_not_made_up_for() {
        let (slots, step) = (Slots::new(QUOTA), Duration::from_millis(10));
        let _ = slots.next(NOW, NOW, step);
        let later = NOW + Duration::from_secs(5);
        assert_eq!(slots.next(later, later + step, step), RetryAfter::reserved(step));
    }

    #[test]
    fn nothing_is_promised_beyond_the_horizon() {
        let (slots, second) = (Slots::new(QUOTA), Duration::from_secs(1));
        let told: Vec<_> = (0..40).map(|_| slots.next(NOW, NOW, second)).collect();
        assert!(told[..31].iter().skip(1).all(|after| after.reserved));
        assert!(told[31..].iter().all(|after| *after == RetryAfter::hint(HORIZON)));
    }

    #[test]
    fn those_who_were_told_a_moment_are_through_sooner_at_a_higher_rate_and_later_at_a_lower_one() {
        let (slots, second) = (Slots::new(QUOTA), Duration::from_secs(1));
        let told = |slots: &Slots| slots.next(NOW, NOW, Duration::ZERO).delay;
        for n in 1..=10 {
            assert_eq!(slots.next(NOW, NOW + second, second), RetryAfter::reserved(second * n));
        }
        slots.configure(NOW, Quota::per_second(count::<10>()));
        assert_eq!(told(&slots), second);
        slots.configure(NOW, Quota::CLOSED);
        slots.configure(NOW, Quota::per_second(count::<5>()));
        assert_eq!(told(&slots), second * 2);
        slots.configure(NOW, Quota::per_hour(count::<1>()));
        assert_eq!(told(&slots), HORIZON, "further nothing is promised");
        slots.configure(NOW + HORIZON * 2, QUOTA);
        assert_eq!(told(&slots), HORIZON, "and what has passed stays");
    }
}
