use std::thread;

use tower_ballast_core::Verdict;

use crate::{export::Outcome, timing::Timing};

/// Plain code that is counted and timed as a request is. Made by
/// [`MetricsHandle::track`](crate::MetricsHandle::track).
///
/// Dropped without a word it counts as cancelled, and while the thread panics as an error.
///
/// ```
/// use tower_ballast_core::Verdict;
/// use tower_ballast_metrics::MetricsLayer;
///
/// let metrics = MetricsLayer::new().handle();
/// metrics.track("import").end(&"seventeen".parse::<u32>());
/// metrics.track("import").verdict(Verdict::Success);
/// drop(metrics.track("import"));
///
/// let import = metrics.of("import").unwrap().whole;
/// assert_eq!((import.count, import.errors, import.cancelled), (2, 1, 1));
/// ```
#[derive(Debug)]
#[must_use = "dropped at once, it counts as cancelled"]
pub struct Tracked(Timing);

impl Tracked {
    pub(crate) const fn new(timing: Timing) -> Self {
        Self(timing)
    }

    /// It has ended with this outcome: `Ok` is a success, `Err` an error.
    pub fn end<T, E>(mut self, outcome: &Result<T, E>) {
        self.0.end(if outcome.is_ok() { Outcome::Success } else { Outcome::Failure });
    }

    /// It has ended, and this is what its outcome means.
    pub fn verdict(mut self, verdict: Verdict) {
        self.0.end(verdict.into());
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.end(Outcome::Failure);
        }
    }
}
