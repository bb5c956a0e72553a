//! Who was told to come back, and when.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tower_ballast_core::{Key, RetryAfter, clock::Nanos};

use crate::{Quota, ahead::Ahead, gate::Algorithm};

/// The most clients that promises are remembered for.
const MOST: usize = 4096;
/// The most promises to one client. Its further refusals are told one of these again, or they would
/// push the moments of all others away.
const EACH: usize = 4;
/// Timers and clocks are not exact: a client may be so much early.
const EARLY: Duration = Duration::from_millis(5);
/// And so much late. Over HTTP a moment is a hint, which `RetryLayer` rounds up to a second and puts a
/// delay of its backoff behind, by default up to 5 seconds.
const LATE: Duration = Duration::from_secs(10);
/// A full memory is not searched again for so long.
const PAUSE: Duration = Duration::from_millis(100);
/// One part in so many of the rate is kept for those who come back.
const SHARE: u32 = 10;

/// The moments that clients were promised, up to four for each.
///
/// Who comes at its moment passes, also when newcomers have taken what was there: it is charged, and
/// they wait the longer for it. That goes for a tenth of the rate at the most, and after a rest for a
/// burst. Nothing is held back for a promise before, so one that is not claimed costs nothing. One that
/// was not needed, because its client passed like anybody, is used up as well.
#[derive(Debug)]
pub(crate) struct Promises {
    kept: Mutex<Kept>,
    /// When the last of them can no longer be claimed. Spares the lock while there are none.
    until: AtomicU64,
    share: Ahead,
}

#[derive(Debug, Default)]
struct Kept {
    clients: HashMap<Key, Moments>,
    /// When those that have passed may be looked for again.
    sweep: Nanos,
}

/// The moments of one client, the earliest first.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    moments: [Nanos; EACH],
    len: usize,
}

impl Promises {
    pub(crate) fn new(quota: Quota) -> Self {
        Self {
            kept: Mutex::default(),
            until: AtomicU64::new(0),
            share: Ahead::new(Algorithm::Gcra, quota, SHARE),
        }
    }

    pub(crate) fn configure(&self, now: Nanos, quota: Quota) {
        self.share.configure(now, quota);
    }

    /// Whether anybody may come at a moment that it was promised.
    #[inline]
    pub(crate) fn are_out(&self, now: Nanos) -> bool {
        now.as_nanos() <= self.until.load(Relaxed)
    }

    /// Promises a client its next slot, and remembers it; or says again the next moment that it was promised,
    /// if it has had as many as it may or there is no further slot to promise.
    pub(crate) fn make(
        &self,
        client: Key,
        now: Nanos,
        slot: impl FnOnce() -> RetryAfter,
    ) -> RetryAfter {
        let mut kept = self.kept();
        // Others of its own may have been told the same, so it is left to their jitter.
        let again = |moment: Nanos| RetryAfter::hint(moment.since(now));
        let own = kept.clients.get(&client).map_or(&[][..], |own| own.ahead(now));
        let next = own.first().copied();
        if let (Some(next), EACH) = (next, own.len()) {
            return again(next);
        }
        let after = slot();
        if !after.reserved {
            return next.map_or(after, again);
        }
        let moment = now + after.delay;
        if kept.remember(client, moment, now) {
            self.until.fetch_max((moment + LATE).as_nanos(), Relaxed);
        }
        after
    }

    /// Whether a client comes at a moment that it was promised, which is then used up.
    pub(crate) fn claim(&self, client: Key, now: Nanos, cost: u32) -> bool {
        self.use_up(client, now) && self.share.take(now, cost)
    }

    /// Uses up the earliest moment that a client was promised and that has come; says whether there is one.
    pub(crate) fn use_up(&self, client: Key, now: Nanos) -> bool {
        if !self.are_out(now) {
            return false;
        }
        let clients = &mut self.kept().clients;
        let Some(own) = clients.get_mut(&client) else { return false };
        own.forget(now);
        let is_due = own.first().is_some_and(|moment| now + EARLY >= moment);
        if is_due {
            own.remove_first();
        }
        if own.len == 0 {
            clients.remove(&client);
        }
        is_due
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// When too many clients are remembered, those whose moments have passed are forgotten; if there are
    /// none, this one is not kept.
    fn remember(&mut self, client: Key, moment: Nanos, now: Nanos) -> bool {
        let Self { clients, sweep } = self;
        if clients.len() >= MOST && now >= *sweep {
            clients.retain(|_, own| {
                own.forget(now);
                own.len > 0
            });
            *sweep = now + PAUSE;
        }
        let has_room = clients.len() < MOST || clients.contains_key(&client);
        if has_room {
            clients.entry(client).or_default().add(moment);
        }
        has_room
    }
}

impl Moments {
    fn kept(&self) -> &[Nanos] {
        &self.moments[..self.len]
    }

    fn first(&self) -> Option<Nanos> {
        self.kept().first().copied()
    }

    /// Those that have not come yet.
    fn ahead(&self, now: Nanos) -> &[Nanos] {
        let passed = self.kept().partition_point(|moment| *moment <= now);
        &self.kept()[passed..]
    }

    /// One more, in place of the earliest if there is no room.
    fn add(&mut self, moment: Nanos) {
        if self.len == EACH {
            self.remove_first();
        }
        let place = self.kept().partition_point(|other| *other <= moment);
        self.moments[place..=self.len].rotate_right(1);
        self.moments[place] = moment;
        self.len += 1;
    }

    fn remove_first(&mut self) {
        self.moments.rotate_left(1);
        self.len -= 1;
    }

    /// Forgets those that can no longer be claimed.
    fn forget(&mut self, now: Nanos) {
        while self.first().is_some_and(|moment| moment + LATE < now) {
            self.remove_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use tower_ballast_core::{Backoff, count};

    use super::*;

    const NOW: Nanos = Nanos::from_nanos(10_000_000_000);
    const QUOTA: Quota = Quota::per_second(count::<100>());

    fn make(promises: &Promises, client: Key, moment: Nanos, now: Nanos) -> RetryAfter {
        promises.make(client, now, || RetryAfter::reserved(moment.since(now)))
    }

    #[test]
    fn a_promise_is_kept_once_at_its_moment() {
        let (promises, client) = (Promises::new(QUOTA), Key::of("a"));
        let moment = NOW + Duration::from_secs(2);
        make(&promises, client, moment, NOW);
        assert!(!promises.claim(client, NOW, 1), "too early");
        assert!(!promises.claim(Key::of("b"), moment, 1), "another client");
        assert!(promises.claim(client, moment, 1));
        assert!(!promises.claim(client, moment, 1), "once");
        make(&promises, client, moment, NOW);
        assert!(!promises.claim(client, moment + LATE + EARLY, 1), "too late");
    }

    #[test]
    fn promises_take_no_more_than_a_tenth_of_the_rate() {
        let promises = Promises::new(QUOTA.burst(count::<1>()));
        for client in 0..1000_u32 {
            make(&promises, Key::of(&client), NOW, NOW);
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
                    make(&promises, client, now, now);
                    promises.claim(client, now, 1)
                })
                .count();
            assert!(kept <= most as usize * 6 + 1, "{kept} of {most} a second in a minute");
        }
    }

    #[test]
    fn a_full_memory_is_searched_ten_times_a_second_and_not_for_each_refusal() {
        let (promises, past) = (Promises::new(QUOTA), NOW);
        let now = past + LATE.mul_f64(0.995);
        for client in 0..4096_u32 {
            make(&promises, Key::of(&client), past, past);
        }
        let is_kept = |client: &str, now| {
            make(&promises, Key::of(client), now, now);
            promises.claim(Key::of(client), now, 1)
        };
        assert!(!is_kept("a", now), "it looks, and all of them still count");
        assert!(!is_kept("b", now + Duration::from_millis(60)));
        assert!(is_kept("c", now + Duration::from_millis(100)));
    }

    #[test]
    fn memory_is_bounded_and_what_has_passed_makes_room() {
        let promises = Promises::new(QUOTA);
        for client in 0..10_000_u32 {
            make(&promises, Key::of(&client), NOW, NOW);
        }
        assert_eq!(promises.kept().clients.len(), MOST);
        let later = NOW + LATE + EARLY;
        make(&promises, Key::of("new"), later, later);
        assert_eq!(promises.kept().clients.len(), 1);
    }

    #[test]
    fn who_comes_as_late_as_our_client_does_over_http_is_still_expected() {
        let second = Duration::from_secs(1);
        let before = |n| Backoff::default().longest(n);
        assert!((1..100).all(|n| before(n + 1) + second <= before(n) + LATE));
    }

    #[test]
    fn moments_stay_in_order_and_the_earliest_makes_room() {
        let (mut own, second) = (Moments::default(), Duration::from_secs(1));
        for n in [3, 1, 5, 2, 4] {
            own.add(NOW + second * n);
        }
        assert_eq!(own.kept(), [2, 3, 4, 5].map(|n| NOW + second * n));
        assert_eq!(own.ahead(NOW + second * 3), [4, 5].map(|n| NOW + second * n));
        own.forget(NOW + second * 4 + LATE);
        assert_eq!(own.kept(), [4, 5].map(|n| NOW + second * n));
    }
}
