//! Who was told to come back, and when.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tower_ballast_core::{Key, clock::Nanos};

use crate::{
    Quota,
    gate::{Algorithm, Gate},
};

/// The most clients that a promise is remembered for.
const MOST: usize = 4096;
/// Timers and clocks are not exact: a client may be so much early, and so much late.
const EARLY: Duration = Duration::from_millis(5);
const LATE: Duration = Duration::from_secs(1);
/// A full memory is not searched again for so long.
const PAUSE: Duration = Duration::from_millis(100);
/// One part in so many of the rate is kept for those who come back.
const SHARE: u32 = 10;

/// The moments that clients were promised, one for each.
///
/// Who comes at its moment passes, also when newcomers have taken what was there: it is charged, and
/// they wait the longer for it. That goes for a tenth of the rate at the most, and after a rest for a
/// burst. Nothing is held back for a promise before, so one that is not claimed costs nothing.
#[derive(Debug)]
pub(crate) struct Promises {
    kept: Mutex<Kept>,
    /// Spares the lock while there are none.
    any: AtomicBool,
    share: Gate,
}

#[derive(Debug, Default)]
struct Kept {
    moments: HashMap<Key, Nanos>,
    /// When those that have passed may be looked for again.
    sweep: Nanos,
}

impl Promises {
    pub(crate) fn new(quota: Quota) -> Self {
        Self {
            kept: Mutex::default(),
            any: AtomicBool::new(false),
            share: Gate::new(Algorithm::Gcra, share_of(quota)),
        }
    }

    pub(crate) fn configure(&self, now: Nanos, quota: Quota) {
        self.share.configure(now, share_of(quota));
    }

    /// Remembers a promise, in place of an earlier one to the same client. When too many are
    /// remembered, those that have passed are forgotten; if there are none, this one is not kept.
    pub(crate) fn make(&self, client: Key, moment: Nanos, now: Nanos) {
        let mut kept = self.kept();
        let Kept { moments, sweep } = &mut *kept;
        if moments.len() >= MOST && now >= *sweep {
            moments.retain(|_, moment| *moment + LATE >= now);
            *sweep = now + PAUSE;
        }
        if moments.len() < MOST || moments.contains_key(&client) {
            moments.insert(client, moment);
            self.any.store(true, Relaxed);
        }
    }

    /// Whether a client comes at the moment that it was promised, which is then used up.
    pub(crate) fn claim(&self, client: Key, now: Nanos, cost: u32) -> bool {
        if !self.any.load(Relaxed) {
            return false;
        }
        let moments = &mut self.kept().moments;
        let Some(moment) = moments.get(&client).copied() else { return false };
        if now + EARLY < moment {
            return false;
        }
        moments.remove(&client);
        self.any.store(!moments.is_empty(), Relaxed);
        now <= moment + LATE && self.share.take(now, cost).is_ok()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As many at once, in ten times the time: of a low count there is no tenth.
fn share_of(quota: Quota) -> Quota {
    let (period, burst) = (quota.period().saturating_mul(SHARE), quota.burst_size());
    match (NonZeroU32::new(quota.count()), NonZeroU32::new(burst)) {
        (Some(count), Some(burst)) => Quota::per(period, count).burst(burst),
        _ => Quota::CLOSED,
    }
}

#[cfg(test)]
mod tests {
    use tower_ballast_core::count;

    use super::*;

    const NOW: Nanos = Nanos::from_nanos(10_000_000_000);
    const QUOTA: Quota = Quota::per_second(count::<100>());

    #[test]
    fn a_promise_is_kept_once_at_its_moment() {
        let (promises, client) = (Promises::new(QUOTA), Key::of("a"));
        let moment = NOW + Duration::from_secs(2);
        promises.make(client, moment, NOW);
        assert!(!promises.claim(client, NOW, 1), "too early");
        assert!(!promises.claim(Key::of("b"), moment, 1), "another client");
        assert!(promises.claim(client, moment, 1));
        assert!(!promises.claim(client, moment, 1), "once");
        promises.make(client, moment, NOW);
        assert!(!promises.claim(client, moment + Duration::from_secs(2), 1), "too late");
    }

    #[test]
    fn promises_take_no_more_than_a_tenth_of_the_rate() {
        let promises = Promises::new(QUOTA.burst(count::<1>()));
        for client in 0..1000_u32 {
            promises.make(Key::of(&client), NOW, NOW);
        }
        let kept = (0..1000_u32)
            .filter(|client| {
                promises.claim(Key::of(client), NOW + Duration::from_millis((*client).into()), 1)
            })
            .count();
        assert_eq!(kept, 10);
    }

    #[test]
    fn a_tenth_of_a_low_rate_is_no_more_than_a_tenth() {
        for most in [1, 5, 10, 19] {
            let quota = Quota::try_new("quota", most, Duration::from_secs(1)).unwrap();
            let promises = Promises::new(quota.burst(count::<1>()));
            let kept = (0..60_000_u32)
                .filter(|millis| {
                    let (client, now) =
                        (Key::of(millis), NOW + Duration::from_millis((*millis).into()));
                    promises.make(client, now, now);
                    promises.claim(client, now, 1)
                })
                .count();
            assert!(kept <= most as usize * 6 + 1, "{kept} of {most} a second in a minute");
        }
    }

    #[test]
    fn a_full_memory_is_searched_ten_times_a_second_and_not_for_each_refusal() {
        let (promises, past) = (Promises::new(QUOTA), Nanos::from_nanos(9_050_000_000));
        for client in 0..4096_u32 {
            promises.make(Key::of(&client), past, NOW);
        }
        let is_kept = |client: &str, now| {
            promises.make(Key::of(client), now, now);
            promises.claim(Key::of(client), now, 1)
        };
        assert!(!is_kept("a", NOW), "it looks, and all of them still count");
        assert!(!is_kept("b", NOW + Duration::from_millis(60)));
        assert!(is_kept("c", NOW + Duration::from_millis(100)));
    }

    #[test]
    fn memory_is_bounded_and_what_has_passed_makes_room() {
        let promises = Promises::new(QUOTA);
        for client in 0..10_000_u32 {
            promises.make(Key::of(&client), NOW, NOW);
        }
        assert_eq!(promises.kept().moments.len(), MOST);
        promises.make(Key::of("new"), NOW, NOW + Duration::from_secs(5));
        assert_eq!(promises.kept().moments.len(), 1);
    }
}
