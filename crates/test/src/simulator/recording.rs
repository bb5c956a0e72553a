use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tower_ballast_core::{BoxError, Priority, Reason, Rejected};

use super::time::{Tick, tick_of};

/// How a call ended, as its client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum End {
    /// Answered in time.
    Success,
    /// Answered after its deadline.
    Late,
    /// Refused by a layer.
    Refused,
    /// Given up by a layer because it took too long.
    TimedOut,
    /// Failed otherwise.
    Failed,
    /// Neither, until the scenario ended.
    Unanswered,
}

/// One call of a [`Recording`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    pub(super) client: u32,
    pub(super) priority: Priority,
    pub(super) made: Tick,
    pub(super) ended: Tick,
    pub(super) deadline: Tick,
    pub(super) end: End,
}

/// Every call of a scenario with its end, and the figures that are made of them. Made by
/// [`Scene::offer`](super::Scene::offer).
///
/// A span is counted from the start of the scenario. Unless said otherwise a call belongs to the
/// moment at which it was made. Printed, it is a table with a line for each priority.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recording {
    pub(super) calls: Vec<Recorded>,
}

impl Recorded {
    /// Which client made it.
    #[must_use]
    pub const fn client(&self) -> u32 {
        self.client
    }

    /// How much it mattered.
    #[must_use]
    pub const fn priority(&self) -> Priority {
        self.priority
    }

    /// When it was made.
    #[must_use]
    pub const fn made(&self) -> Duration {
        Duration::from_micros(self.made)
    }

    /// How long it took, whatever its end.
    #[must_use]
    pub const fn took(&self) -> Duration {
        Duration::from_micros(self.ended.saturating_sub(self.made))
    }

    /// How it ended.
    #[must_use]
    pub const fn end(&self) -> End {
        self.end
    }

    pub(super) fn is_success(&self) -> bool {
        self.end == End::Success
    }
}

impl Recording {
    /// All calls, in the order in which they were made.
    #[must_use]
    pub fn calls(&self) -> &[Recorded] {
        &self.calls
    }

    /// The calls of some clients, priorities or kinds alone.
    ///
    /// ```
    /// use tower_ballast_test::simulator::Recording;
    ///
    /// let polite = |recording: &Recording| recording.only(|call| call.client() < 100);
    /// # polite(&Recording::default());
    /// ```
    #[must_use]
    pub fn only(&self, belongs: impl Fn(&Recorded) -> bool) -> Self {
        Self { calls: self.calls.iter().filter(|call| belongs(call)).copied().collect() }
    }

    /// The calls made in a span.
    pub(super) fn within(&self, span: Range<Duration>) -> &[Recorded] {
        let before = |end| self.calls.partition_point(|call| call.made < tick_of(end));
        let (start, end) = (before(span.start), before(span.end));
        &self.calls[start..end.max(start)]
    }
}

/// Takes down the calls while they run.
#[derive(Debug)]
pub(super) struct Recorder {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    calls: Vec<Recorded>,
    running: usize,
}

impl Recorder {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(State { calls: Vec::new(), running: 0 }) })
    }

    /// The number of the call.
    pub(super) fn begin(
        &self,
        client: u32,
        priority: Priority,
        made: Tick,
        deadline: Option<Tick>,
    ) -> u64 {
        let mut state = self.state();
        let deadline = deadline.unwrap_or(Tick::MAX);
        let ended = Tick::MAX;
        state.calls.push(Recorded {
            client,
            priority,
            made,
            ended,
            deadline,
            end: End::Unanswered,
        });
        state.running += 1;
        state.calls.len() as u64 - 1
    }

    pub(super) fn end(&self, number: u64, now: Tick, outcome: Result<(), BoxError>) {
        let mut state = self.state();
        state.running -= 1;
        let place = usize::try_from(number).ok().and_then(|place| state.calls.get_mut(place));
        if let Some(call) = place {
            call.ended = now;
            call.end = match outcome {
                Ok(()) if now <= call.deadline => End::Success,
                Ok(()) => End::Late,
                Err(error) => end_of(&error),
            };
        }
    }

    pub(super) fn running(&self) -> usize {
        self.state().running
    }

    pub(super) fn take(&self) -> Recording {
        Recording { calls: std::mem::take(&mut self.state().calls) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end_of(error: &BoxError) -> End {
    match Rejected::find(&**error).map(Rejected::reason) {
        Some(Reason::Timeout | Reason::DeadlinePassed) => End::TimedOut,
        Some(_) => End::Refused,
        None => End::Failed,
    }
}
