//! How the limit follows its settings, the time of day, and what is seen of the service.

#[cfg(test)]
mod tests;

use std::time::Duration;

use tower_ballast_core::{
    Event, EventKind,
    clock::{self, Nanos},
    ranks::Ranks,
};

use crate::{
    Quota,
    adjust::{Change, Limits, Load, Schedule, Signals},
    adjusting::{Sight, Witness},
    meter::Meter,
    shared::Shared,
};

/// That the limit was moved.
#[derive(Debug, Clone, Copy)]
struct Moved {
    from: u32,
    to: u32,
    /// Which one it is, if it is told.
    sequence: u64,
}

impl Shared {
    pub(crate) fn set_quota(&self, quota: Quota) {
        let moved = self.adjusting.set_quota(quota, |present| self.apply(present));
        self.tell_moved(moved, "quota");
    }

    pub(crate) fn set_limits(&self, limits: Limits) {
        let moved = self.adjusting.set_limits(limits, |present| self.apply(present));
        self.tell_moved(moved, "limits");
    }

    pub(crate) fn set_schedule(&self, schedule: Option<Schedule>) {
        self.adjusting.set_schedule(schedule);
    }

    /// Follows the time of day, if there is a schedule and it is time to look at it.
    #[inline]
    pub(crate) fn follow_schedule(&self, now: Nanos) {
        if self.adjusting.is_due(now) {
            let moved = self.adjusting.look(now, |present| self.apply(present));
            self.tell_moved(moved, "schedule");
        }
    }

    /// How long a period of measuring is, if it is measured.
    pub(crate) fn set_period(&self, period: Duration) {
        if let Some(meter) = self.meter.get() {
            meter.set_period(period);
        }
    }

    /// Measures from now on.
    pub(crate) fn measure(&self) {
        self.meter.get_or_init(Meter::new);
    }

    /// Counts an answer.
    #[inline]
    pub(crate) fn count(&self, is_failure: bool, took: Duration) {
        if let Some(meter) = self.meter.get() {
            meter.count(is_failure, took);
        }
    }

    /// Takes in what the layer itself has seen, if a period is over.
    #[inline]
    pub(crate) fn end_period(&self, now: Nanos, load: &impl Load) {
        if let Some(meter) = self.meter.get()
            && meter.is_due(now)
        {
            self.end_period_of(meter, now, load);
        }
    }

    #[cold]
    fn end_period_of(&self, meter: &Meter, now: Nanos, load: &impl Load) {
        if !meter.begin_next(now) {
            return;
        }
        // A closure of the user, asked before a lock is taken; should it panic, nothing is lost: what was
        // counted is counted in the next period.
        let load = load.load();
        let seen = meter.end(now);
        self.see(
            now,
            Sight {
                by: Witness::Layer,
                signals: Signals { load, ..seen.signals },
                hint: seen.hint,
                // Then most of what a period counts has been let through at the changed rate.
                lag: seen.latency.saturating_add(meter.period() / 2),
                memory: meter.memory(),
            },
        );
    }

    /// Takes in what somebody else sees of the service.
    pub(crate) fn observe(&self, signals: Signals, lag: Duration) -> Option<Change> {
        let memory = self.meter.get().map_or(Duration::ZERO, Meter::memory);
        let sight = Sight { by: Witness::User, signals, hint: Signals::NONE, lag, memory };
        self.see(clock::now(), sight)
    }

    fn see(&self, now: Nanos, sight: Sight) -> Option<Change> {
        self.follow_schedule(now);
        let waiting = self.door.with_ranks(Ranks::len);
        let queue = sight.signals.queue.max(waiting);
        let sight = Sight { signals: Signals { queue, ..sight.signals }, ..sight };
        let (change, moved) = self.adjusting.observe(now, sight, |present| self.apply(present));
        self.tell_moved(moved, change.map_or("schedule", |change| change.cause.as_str()));
        change
    }

    /// Makes it the quota of the gate. Called under the lock of what is adjusted.
    fn apply(&self, quota: Quota) -> Option<Moved> {
        let before = self.door.gate.quota();
        if quota == before {
            return None;
        }
        let now = clock::now();
        self.door.gate.configure(now, quota);
        self.slots.configure(now, quota);
        self.promises.configure(now, quota);
        self.ahead.configure(now, quota);
        let (from, to) = (before.count(), quota.count());
        let is_told = from != to && self.reporter.is_observed();
        let sequence = if is_told { self.adjusting.number_move() } else { 0 };
        Some(Moved { from, to, sequence })
    }

    /// Who was told the old moment must not sleep until then.
    fn tell_moved(&self, moved: Option<Moved>, why: &'static str) {
        let Some(Moved { from, to, sequence }) = moved else { return };
        self.door.stir();
        if sequence > 0 {
            self.reporter.tell(|| {
                Event::new(EventKind::LimitChanged).reason(why).limits(from, to).sequence(sequence)
            });
        }
    }
}
