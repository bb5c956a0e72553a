use std::time::Duration;

use super::Backoff;
use crate::Random;

/// Where one request stands in a [`Backoff`].
///
/// It is made without an allocation, and only once there is a failure to wait for.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::{Backoff, Random};
///
/// let random = Random::new();
/// let mut delays = Backoff::default().take(1).delays();
/// assert!(delays.next_with(&random) <= Some(Duration::from_millis(100)));
/// assert_eq!(delays.next_with(&random), None);
/// ```
#[derive(Debug, Clone)]
pub struct Delays {
    backoff: Backoff,
    /// The stage that draws, how many delays it gave, what they sum to, and the last of them.
    stage: usize,
    drawn: u32,
    total: Duration,
    previous: Option<Duration>,
}

impl Delays {
    pub(super) fn new(backoff: Backoff) -> Self {
        Self { backoff, stage: 0, drawn: 0, total: Duration::ZERO, previous: None }
    }

    /// The next delay, or `None` when the sequence has ended. The layer's random numbers do for
    /// all its requests.
    pub fn next_with(&mut self, random: &Random) -> Option<Duration> {
        while let Some(stage) = self.backoff.stages.get(self.stage) {
            let drawn = self.drawn.saturating_add(1);
            let delay = stage.draw(drawn, self.previous, random);
            let total = self.total.saturating_add(delay);
            if stage.holds(drawn, total) {
                (self.drawn, self.total, self.previous) = (drawn, total, Some(delay));
                return Some(delay);
            }
            (self.stage, self.drawn) = (self.stage + 1, 0);
            (self.total, self.previous) = (Duration::ZERO, None);
        }
        None
    }
}

/// The delays of a [`Backoff`] as an iterator, with random numbers of its own.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::{Backoff, Random};
///
/// let backoff = Backoff::exponential(Duration::from_secs(1)).take(5);
/// let one: Vec<Duration> = backoff.iter_with(Random::seeded(1)).collect();
/// let same: Vec<Duration> = backoff.iter_with(Random::seeded(1)).collect();
/// assert_eq!(one, same);
/// ```
#[derive(Debug)]
pub struct Iter {
    delays: Delays,
    random: Random,
}

impl Iter {
    pub(super) fn new(delays: Delays, random: Random) -> Self {
        Self { delays, random }
    }
}

impl Iterator for Iter {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.delays.next_with(&self.random)
    }
}
