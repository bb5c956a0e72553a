use std::time::Duration;

use tower_ballast_core::{Multiplier, Ratio};

use super::{ServiceTime, time::Tick, time::tick_of};

/// A server as a scenario describes it: workers, how long they take, a queue, and what happens to
/// it when. [`Scene::serve`](super::Scene::serve) starts it.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::{Multiplier, Ratio};
/// use tower_ballast_test::simulator::{Change, Server, ServiceTime};
///
/// let seconds = Duration::from_secs;
/// let server = Server::new(10, ServiceTime::exponential(Duration::from_millis(10)))
///     .queue(10_000)
///     .at(seconds(30), Change::Slowdown(Multiplier::of::<10, 1>()))
///     .at(seconds(40), Change::Slowdown(Multiplier::of::<1, 1>()));
/// assert_eq!(server.capacity(), 1_000.0);
/// # let _ = Change::Errors(Ratio::percent::<5>());
/// ```
///
/// The queue is first come, first served. Unless told otherwise it is empty of room: a call that
/// finds all workers busy fails. A call whose client has gone away is worked on all the same, as
/// most servers do.
#[derive(Debug, Clone)]
pub struct Server {
    pub(super) workers: u32,
    pub(super) times: ServiceTime,
    pub(super) queue: usize,
    pub(super) skips_abandoned: bool,
    /// In the order of their moments.
    pub(super) changes: Vec<(Tick, Change)>,
}

/// What happens to a [`Server`]. It holds until something else is said of the same matter.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// So many workers. Those that are busy finish their call.
    Workers(u32),
    /// Calls that are begun from now on take so many times as long.
    Slowdown(Multiplier),
    /// This share of the calls fails when the work is done.
    Errors(Ratio),
    /// This share of the calls fails the moment it comes.
    QuickErrors(Ratio),
    /// Every call fails the moment it comes. Those inside fail at once.
    Down,
    /// No call is answered any more, those inside neither.
    Hung,
    /// Works again.
    Up,
    /// Works again, at first at this share of its speed; it gains the rest evenly.
    ColdUp {
        /// The share of the full speed at which it starts.
        from: Ratio,
        /// How long it takes to full speed.
        within: Duration,
    },
}

impl Server {
    /// So many workers that take so long for a call, always well, with room for none but them.
    #[must_use]
    pub const fn new(workers: u32, times: ServiceTime) -> Self {
        Self { workers, times, queue: 0, skips_abandoned: false, changes: Vec::new() }
    }

    /// How many calls may wait for a worker; further ones fail at once. Default: none.
    #[must_use]
    pub const fn queue(mut self, most: usize) -> Self {
        self.queue = most;
        self
    }

    /// Whether calls whose clients have gone away are taken out of the queue. Default: no. A call
    /// that a worker has begun is finished either way.
    #[must_use]
    pub const fn skips_abandoned(mut self, skips: bool) -> Self {
        self.skips_abandoned = skips;
        self
    }

    /// What happens at a moment of the scenario.
    #[must_use]
    pub fn at(mut self, moment: Duration, change: Change) -> Self {
        let moment = tick_of(moment);
        let place = self.changes.partition_point(|(earlier, _)| *earlier <= moment);
        self.changes.insert(place, (moment, change));
        self
    }

    /// How many calls per second it can serve, before anything changes.
    #[must_use]
    pub fn capacity(&self) -> f64 {
        f64::from(self.workers) / self.times.mean().as_secs_f64()
    }
}
