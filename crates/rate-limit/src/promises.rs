//! Who was told to come back, and when.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
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
/// The share of the rate that is kept for those who come back.
const SHARE: f64 = 0.1;

/// The moments that clients were promised, one for each.
///
/// Who comes at its moment passes, also when newcomers have taken what was there: it is charged, and
/// they wait the longer for it. That goes for a tenth of the rate at the most. Nothing is held back
/// for a promise before, so one that is not claimed costs nothing.
#[derive(Debug)]
pub(crate) struct Promises {
    moments: Mutex<HashMap<Key, Nanos>>,
    /// Spares the lock while there are none.
    any: AtomicBool,
    share: Gate,
}

impl Promises {
    pub(crate) fn new(quota: Quota) -> Self {
        Self {
            moments: Mutex::default(),
            any: AtomicBool::new(false),
            share: Gate::new(Algorithm::Gcra, quota.scaled(SHARE)),
        }
    }

    pub(crate) fn configure(&self, now: Nanos, quota: Quota) {
        self.share.configure(now, quota.scaled(SHARE));
    }

    /// Remembers a promise, in place of an earlier one to the same client. When too many are
    /// remembered, those that have passed are forgotten; if there are none, this one is not kept.
    pub(crate) fn make(&self, client: Key, moment: Nanos, now: Nanos) {
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        if moments.len() >= MOST {
            moments.retain(|_, moment| *moment + LATE >= now);
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
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(moment) = moments.get(&client).copied() else { return false };
        if now + EARLY < moment {
            return false;
        }
        moments.remove(&client);
        self.any.store(!moments.is_empty(), Relaxed);
        now <= moment + LATE && self.share.take(now, cost).is_ok()
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
    fn memory_is_bounded_and_what_has_passed_makes_room() {
        let promises = Promises::new(QUOTA);
        for client in 0..10_000_u32 {
            promises.make(Key::of(&client), NOW, NOW);
        }
        assert_eq!(promises.moments.lock().unwrap().len(), MOST);
        promises.make(Key::of("new"), NOW, NOW + Duration::from_secs(5));
        assert_eq!(promises.moments.lock().unwrap().len(), 1);
    }
}
