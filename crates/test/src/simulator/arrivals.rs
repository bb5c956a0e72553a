use std::{
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::time::{Tick, tick_of};

/// When calls reached a place: a server, or a service of one's own that notes them.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_test::simulator::{Server, ServiceTime, Stream, simulate};
///
/// let second = Duration::from_secs;
/// simulate(7, async |scene| {
///     let backend = scene.serve(Server::new(10, ServiceTime::constant(second(1))));
///     let arrivals = backend.arrivals();
///     scene.offer(&[Stream::per_second(8.0).evenly()], second(10), |_| backend.clone()).await;
///     assert_eq!(arrivals.count(second(0)..second(10)), 80);
///     assert_eq!(arrivals.peak(second(0)..second(10), second(1)), 8);
/// });
/// ```
#[derive(Debug, Clone, Default)]
pub struct Arrivals {
    moments: Arc<Mutex<Vec<Tick>>>,
}

impl Arrivals {
    /// A place that nothing has reached yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes one more call, at this moment of the scenario. Calls are noted as they come, so the
    /// moment is no earlier than the one before.
    pub fn note(&self, moment: Duration) {
        self.note_tick(tick_of(moment));
    }

    pub(super) fn note_tick(&self, tick: Tick) {
        self.moments().push(tick);
    }

    /// How many came in a span of the scenario.
    #[must_use]
    pub fn count(&self, span: Range<Duration>) -> u64 {
        let moments = self.moments();
        let before = |end| moments.partition_point(|moment| *moment < tick_of(end));
        before(span.end).saturating_sub(before(span.start)) as u64
    }

    /// The most that came in one step of a span, which is cut into such steps.
    ///
    /// # Panics
    ///
    /// When the step is shorter than a microsecond.
    #[must_use]
    pub fn peak(&self, span: Range<Duration>, step: Duration) -> u64 {
        self.curve(span, step).into_iter().max().unwrap_or(0)
    }

    /// How many came in each step of a span.
    ///
    /// # Panics
    ///
    /// When the step is shorter than a microsecond.
    #[must_use]
    pub fn curve(&self, span: Range<Duration>, step: Duration) -> Vec<u64> {
        let (start, end, step) = (tick_of(span.start), tick_of(span.end), tick_of(step));
        assert!(step > 0, "a step takes at least a microsecond");
        let steps = usize::try_from(end.saturating_sub(start).div_ceil(step)).unwrap_or(0);
        let mut counts = vec![0; steps];
        for moment in self.moments().iter().filter(|moment| (start..end).contains(*moment)) {
            if let Ok(place) = usize::try_from((moment - start) / step) {
                counts[place] += 1;
            }
        }
        counts
    }

    fn moments(&self) -> MutexGuard<'_, Vec<Tick>> {
        self.moments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
