use std::{ops::RangeInclusive, time::Duration};

use tower_ballast_core::clock::Nanos;

use super::{Change, Limiter, Outcome, Sample, bounds::Bounds};

/// A client's window: halved when calls time out, and one more for each window of answers.
///
/// It looks at no latency, so it needs to know nothing of the server, and it is what lets an
/// overloaded server drain: a budget for retries bounds what is added, and this window what is
/// kept there. What is halved is what was in use, since half of a limit that nobody reaches changes
/// nothing. Timeouts come in crowds; it is halved at most once in the time of an attempt, so one
/// crowd counts once.
///
/// The rule is that of TCP's congestion avoidance: Jacobson, "Congestion Avoidance and Control",
/// 1988.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_bulkhead::adaptive::{ClientWindow, Limiter, Outcome, Sample};
/// use tower_ballast_core::clock::Nanos;
///
/// let (now, attempt) = (Nanos::from_nanos(1), Duration::from_secs(1));
/// let mut window = ClientWindow::new(attempt);
/// let timeout = Sample::new(now, attempt, Outcome::Overloaded, 80);
/// assert_eq!(window.sample(timeout).unwrap().limit, 40);
/// assert_eq!(window.sample(timeout), None, "the same crowd");
/// ```
#[derive(Debug, Clone)]
pub struct ClientWindow {
    attempt: Duration,
    bounds: Bounds,
    limit: u32,
    /// How many were answered since it last changed.
    answered: u32,
    halved: Option<Nanos>,
}

impl ClientWindow {
    /// Starts with 100, from 1 to 1000. `attempt` is the time after which an attempt is given up.
    #[must_use]
    pub const fn new(attempt: Duration) -> Self {
        Self { attempt, bounds: Bounds::DEFAULT, limit: 100, answered: 0, halved: None }
    }

    /// The limit at the beginning, kept within its bounds.
    #[must_use]
    pub fn initial(mut self, limit: u32) -> Self {
        self.limit = self.bounds.keep(limit);
        self
    }

    /// Between which numbers the limit stays, given in either order. Default: 1 to 1000. At least
    /// one is always let in, or nothing would ever be learnt.
    #[must_use]
    pub fn bounds(mut self, range: RangeInclusive<u32>) -> Self {
        self.bounds = Bounds::of(&range);
        self.limit = self.bounds.keep(self.limit);
        self
    }

    fn halve(&mut self, sample: &Sample) {
        if self.halved.is_some_and(|halved| sample.now.since(halved) < self.attempt) {
            return;
        }
        self.halved = Some(sample.now);
        self.limit = self.bounds.keep(self.limit.min(sample.in_flight) / 2);
        self.answered = 0;
    }
}

impl Limiter for ClientWindow {
    fn initial(&self) -> u32 {
        self.limit
    }

    fn range(&self) -> RangeInclusive<u32> {
        self.bounds.range()
    }

    fn set_range(&mut self, range: RangeInclusive<u32>) -> Option<u32> {
        self.bounds = Bounds::of(&range);
        self.limit = self.bounds.keep(self.limit);
        Some(self.limit)
    }

    fn restart(&mut self, limit: u32) {
        self.limit = self.bounds.keep(limit);
        self.answered = 0;
    }

    fn sample(&mut self, sample: Sample) -> Option<Change> {
        let before = self.limit;
        match sample.outcome {
            Outcome::Overloaded => {
                self.halve(&sample);
                Change::between(before, self.limit, "overloaded")
            }
            Outcome::Answered if sample.in_flight >= self.limit.div_ceil(2) => {
                self.answered = self.answered.saturating_add(sample.calls);
                while self.answered >= self.limit {
                    let more = self.bounds.keep(self.limit.saturating_add(1));
                    // At the most, nothing is saved up for later.
                    self.answered = if more > self.limit { self.answered - self.limit } else { 0 };
                    self.limit = more;
                }
                Change::between(before, self.limit, "room")
            }
            Outcome::Answered | Outcome::Failed => None,
        }
    }
}
