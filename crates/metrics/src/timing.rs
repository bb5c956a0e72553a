//! A request that is being timed.

use tower_ballast_core::{
    Lease,
    clock::{self, Nanos},
};

use crate::{export::Outcome, series::Series};

/// Counts what becomes of one request, exactly once. While it lives the request is in flight.
#[derive(Debug)]
#[must_use = "dropped at once, the request counts as cancelled"]
pub(crate) struct Timing {
    series: Lease<Series>,
    began: Nanos,
    /// Whether the code that is timed runs just now. If it is dropped then, that has panicked.
    inside: bool,
    ended: bool,
}

impl Timing {
    /// Begins now.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) fn new(series: Lease<Series>) -> Self {
        series.begin();
        Self { series, began: clock::now(), inside: false, ended: false }
    }

    #[inline]
    pub(crate) const fn enter(&mut self) {
        self.inside = true;
    }

    #[inline]
    pub(crate) const fn leave(&mut self) {
        self.inside = false;
    }

    #[inline]
    pub(crate) fn end(&mut self, outcome: Outcome) {
        self.ended = true;
        self.series.end(outcome, self.began, clock::now());
    }
}

impl Drop for Timing {
    #[inline]
    fn drop(&mut self) {
        if !self.ended {
            self.end(if self.inside { Outcome::Failure } else { Outcome::Cancelled });
        }
    }
}
