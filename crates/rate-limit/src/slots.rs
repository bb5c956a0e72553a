//! Moments at which refused callers are asked to come back.

use std::{
    sync::atomic::{
        AtomicU64,
        Ordering::{AcqRel, Relaxed},
    },
    time::Duration,
};

use tower_ballast_core::{RetryAfter, clock::Nanos};

/// Further ahead nothing is promised.
pub(crate) const HORIZON: Duration = Duration::from_secs(30);

/// Hands out one moment after the other, no two alike, at the rate of the limit.
///
/// A crowd that is told one moment comes back in that moment, and all but a few are refused again.
/// Told each its own, all find what they ask for.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    last: AtomicU64,
}

impl Slots {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Nanos = Nanos::from_nanos(1_000_000_000);

    #[test]
    fn no_two_are_told_the_same_moment_and_none_is_left_out() {
        let (slots, step) = (Slots::default(), Duration::from_millis(10));
        let told: Vec<_> = (0..100).map(|_| slots.next(NOW, NOW + step, step)).collect();
        for (n, after) in (1..).zip(told) {
            assert_eq!(after, RetryAfter::reserved(step * n));
        }
    }

    #[test]
    fn slots_that_have_passed_are_not_made_up_for() {
        let (slots, step) = (Slots::default(), Duration::from_millis(10));
        let _ = slots.next(NOW, NOW, step);
        let later = NOW + Duration::from_secs(5);
        assert_eq!(slots.next(later, later + step, step), RetryAfter::reserved(step));
    }

    #[test]
    fn nothing_is_promised_beyond_the_horizon() {
        let (slots, second) = (Slots::default(), Duration::from_secs(1));
        let told: Vec<_> = (0..40).map(|_| slots.next(NOW, NOW, second)).collect();
        assert!(told[..31].iter().skip(1).all(|after| after.reserved));
        assert!(told[31..].iter().all(|after| *after == RetryAfter::hint(HORIZON)));
    }
}
