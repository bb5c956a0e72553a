//! The quota that is set, and what signals and the time of day make of it.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, UNIX_EPOCH},
};

use tower_ballast_core::clock::{self, Nanos};

use crate::{
    Quota,
    adjust::{Adjustment, Change, Limits, Schedule, Signals},
};

const DAY: u64 = 24 * 60 * 60;
/// The time of day may be set while it goes on, so the schedule is looked at so often at least.
const LOOK: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Adjusting {
    parts: Mutex<Parts>,
    /// When the schedule is looked at next; never without one. Spares requests the lock until then.
    due: AtomicU64,
    /// How many moves of the limit were told.
    moves: AtomicU64,
}

const UNSEEN: [(Nanos, Signals); 2] = [(Nanos::ZERO, Signals::NONE); 2];

/// Who sees something of the service.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Witness {
    /// The layer, by the answers that pass it.
    Layer,
    /// Whoever tells the handle.
    User,
}

/// What one of them has seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight {
    pub(crate) by: Witness,
    pub(crate) signals: Signals,
    /// What is not sure enough to lower the rate by.
    pub(crate) hint: Signals,
    /// How long it takes until a changed rate is seen.
    pub(crate) lag: Duration,
    /// For how long what the other has seen keeps the rate from recovering.
    pub(crate) memory: Duration,
}

#[derive(Debug, Clone)]
struct Parts {
    quota: Quota,
    adjustment: Adjustment,
    limits: Limits,
    schedule: Option<Schedule>,
    /// What each witness saw last, and when.
    seen: [(Nanos, Signals); 2],
}

impl Adjusting {
    pub(crate) fn new(quota: Quota) -> Self {
        let limits = Limits::new();
        let adjustment = Adjustment::new(limits);
        Self::of(Parts { quota, adjustment, limits, schedule: None, seen: UNSEEN })
    }

    /// A schedule is looked at for the first time as soon as somebody comes.
    fn of(parts: Parts) -> Self {
        let due = if parts.schedule.is_some() { 0 } else { u64::MAX };
        Self { parts: Mutex::new(parts), due: AtomicU64::new(due), moves: AtomicU64::new(0) }
    }

    /// The same settings, and nothing adjusted yet.
    pub(crate) fn separate(&self) -> Self {
        let parts = self.parts().clone();
        Self::of(Parts { adjustment: Adjustment::new(parts.limits), seen: UNSEEN, ..parts })
    }

    /// The quota that is set.
    pub(crate) fn quota(&self) -> Quota {
        self.parts().quota
    }

    /// Sets it, and applies what that comes to now; under the lock, so that of two changes the same
    /// one is last here and where it is applied.
    pub(crate) fn set_quota<T>(&self, quota: Quota, apply: impl FnOnce(Quota) -> T) -> T {
        let mut parts = self.parts();
        parts.quota = quota;
        apply(parts.present())
    }

    /// Sets them, and applies what the quota comes to.
    pub(crate) fn set_limits<T>(&self, limits: Limits, apply: impl FnOnce(Quota) -> T) -> T {
        let mut parts = self.parts();
        parts.limits = limits;
        parts.adjustment.set_limits(limits);
        apply(parts.present())
    }

    /// Sets it for whoever comes next.
    pub(crate) fn set_schedule(&self, schedule: Option<Schedule>) {
        self.parts().schedule = schedule;
        self.due.store(0, Relaxed);
    }

    /// Which one in their order a move of the limit is, from 1. To be asked where one is applied.
    pub(crate) fn number_move(&self) -> u64 {
        self.moves.fetch_add(1, Relaxed) + 1
    }

    /// Whether the schedule has to be looked at.
    #[inline]
    pub(crate) fn is_due(&self, now: Nanos) -> bool {
        now.as_nanos() >= self.due.load(Relaxed)
    }

    /// Applies what the quota comes to by the time of day.
    #[cold]
    pub(crate) fn look<T: Default>(&self, now: Nanos, apply: impl FnOnce(Quota) -> T) -> T {
        let parts = self.parts();
        // Somebody else may have looked meanwhile.
        if !self.is_due(now) {
            return T::default();
        }
        let next = parts
            .schedule
            .as_ref()
            .map_or(Nanos::MAX, |schedule| now + schedule.next_change(time_of_day()).min(LOOK));
        self.due.store(next.as_nanos(), Relaxed);
        apply(parts.present())
    }

    /// Takes in what is seen, says how the multiplier changed, and applies what the quota comes to.
    pub(crate) fn observe<T>(
        &self,
        now: Nanos,
        sight: Sight,
        apply: impl FnOnce(Quota) -> T,
    ) -> (Option<Change>, T) {
        let Sight { by, signals, hint, lag, memory } = sight;
        let mut parts = self.parts();
        let (at, seen) = parts.seen[1 - by as usize];
        let others = if now.since(at) <= memory { hint.or_worse(seen) } else { hint };
        // Who waits is seen by both alike, and anew each time.
        parts.seen[by as usize] = (now, Signals { queue: 0, ..signals.or_worse(hint) });
        let change = parts.adjustment.observe_beside(now, signals, others, lag);
        (change, apply(parts.present()))
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parts {
    fn present(&self) -> Quota {
        let multiplier = self.adjustment.multiplier();
        let Some(schedule) = &self.schedule else { return self.quota.scaled(multiplier) };
        self.quota.scaled(multiplier * schedule.multiplier(time_of_day()))
    }
}

fn time_of_day() -> Duration {
    let since = clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::new(since.as_secs() % DAY, since.subsec_nanos())
}
