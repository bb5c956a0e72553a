//! Telling a standing queue from a burst.

#[cfg(test)]
mod tests;

use std::{mem, task::Waker, time::Duration};

use tower_ballast_core::{Priority, clock::Nanos, ranks::Ranks};

/// So many are put out at one event, whatever is in the queue.
const AT_ONCE: usize = 4;

/// Shortens the queue when it no longer drains: controlled delay, or `CoDel`.
///
/// A queue is good for bursts: it fills, drains, and all are served. One that stays full serves nobody the
/// sooner, and only makes everybody wait. What tells them apart is not the length but the delay: in a burst
/// it falls back soon, in a standing queue it does not. So as long as the one that has waited for the
/// longest has done so for more than the target, through a whole interval, the queue stands, and nobody
/// may wait for longer than the target: who does is refused as
/// [`QueueTimeout`](tower_ballast_core::Reason::QueueTimeout). It is over when the delay is below
/// the target or only one waits.
///
/// The rule is that of RFC 8289 (Nichols and Jacobson, "Controlling Queue Delay", 2012), put to requests
/// as in Maurer, "Fail at Scale", ACM Queue 2015: not one packet after another is dropped to slow a
/// sender down, but at once all that are too late. There it goes with serving
/// [the newest first](Self::newest_first) meanwhile, since their callers have not given up yet.
///
/// Each class is judged for itself. One that is meant to wait, such as
/// [`Batch`](Priority::Batch), can be [spared](Self::spare).
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_bulkhead::{BulkheadLayer, ControlledDelay};
/// use tower_ballast_core::Priority;
///
/// let delay = ControlledDelay::new()
///     .target(Duration::from_millis(20))
///     .newest_first()
///     .spare(Priority::Batch);
/// let layer = BulkheadLayer::new(20).queue(200).controlled_delay(delay);
/// # let _ = layer;
/// ```
///
/// The target should be more than the usual time between two turns, which is what a request takes
/// by the limit; the interval some times what a request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ControlledDelay {
    target: Duration,
    interval: Duration,
    newest_first: bool,
    spared: [bool; 4],
}

impl ControlledDelay {
    /// A target of 5 and an interval of 100 milliseconds.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            target: Duration::from_millis(5),
            interval: Duration::from_millis(100),
            newest_first: false,
            spared: [false; 4],
        }
    }

    /// How long the queue may be in the long run, as a delay. Default: 5 milliseconds.
    #[must_use]
    pub const fn target(mut self, target: Duration) -> Self {
        self.target = target;
        self
    }

    /// For how long it may be longer. Default: 100 milliseconds.
    #[must_use]
    pub const fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Has the newest of each client served first while the queue stands. Default: the order stays what it is.
    #[must_use]
    pub const fn newest_first(mut self) -> Self {
        self.newest_first = true;
        self
    }

    /// Leaves the queue of this class alone.
    #[must_use]
    pub const fn spare(mut self, class: Priority) -> Self {
        self.spared[class.index()] = true;
        self
    }
}

impl Default for ControlledDelay {
    fn default() -> Self {
        Self::new()
    }
}

/// The queues of all classes, as seen by a [`ControlledDelay`].
#[derive(Debug, Default)]
pub(crate) struct Delays {
    control: Option<ControlledDelay>,
    /// Of which classes the newest goes first in any case.
    newest_first: [bool; 4],
    queues: [Queue; 4],
}

#[derive(Debug, Clone, Copy, Default)]
struct Queue {
    /// Since when its delay has been above the target.
    above_since: Option<Nanos>,
    stands: bool,
}

impl Delays {
    pub(crate) const fn control(&self) -> Option<ControlledDelay> {
        self.control
    }

    pub(crate) const fn newest_first(&self) -> [bool; 4] {
        self.newest_first
    }

    /// Whether the newest goes first, also while the queue does not stand.
    pub(crate) fn set_newest_first(&mut self, class: Priority, always: bool, ranks: &mut Ranks) {
        self.newest_first[class.index()] = always;
        let stands = self.queues[class.index()].stands;
        let for_now = stands && self.control.is_some_and(|control| control.newest_first);
        ranks.set_newest_first(class, always || for_now);
    }

    /// Changes the control; what was seen is forgotten.
    pub(crate) fn set_control(&mut self, control: Option<ControlledDelay>, ranks: &mut Ranks) {
        self.queues = Default::default();
        for (class, newest_first) in Priority::ALL.into_iter().zip(self.newest_first) {
            ranks.set_newest_first(class, newest_first);
        }
        self.control = control;
    }

    /// Looks at the queue of a class, and puts out who has waited for too long; their wakers are put
    /// into `evicted`. Says how long a newcomer may wait at the most, if the queue stands.
    pub(crate) fn tend(
        &mut self,
        class: Priority,
        now: Nanos,
        ranks: &mut Ranks,
        evicted: &mut Vec<Waker>,
    ) -> Option<Duration> {
        let control = self.control.filter(|control| !control.spared[class.index()])?;
        let is_late = |ranks: &Ranks| {
            let oldest = ranks.oldest(class).filter(|_| ranks.len_of(class) > 1);
            oldest.is_some_and(|joined| now.since(joined) > control.target)
        };
        let queue = &mut self.queues[class.index()];
        queue.above_since = is_late(ranks).then(|| queue.above_since.unwrap_or(now));
        let stands = queue.above_since.is_some_and(|since| now.since(since) >= control.interval);
        if mem::replace(&mut queue.stands, stands) != stands && control.newest_first {
            ranks.set_newest_first(class, stands || self.newest_first[class.index()]);
        }
        if !stands {
            return None;
        }
        for _ in 0..AT_ONCE {
            if is_late(ranks) {
                evicted.extend(ranks.evict_oldest(class));
            }
        }
        Some(control.target)
    }

    /// Whether who has waited for so long and lost its place was too late.
    pub(crate) fn is_late(&self, waited: Duration) -> bool {
        self.control.is_some_and(|control| waited > control.target)
    }
}
