//! A request that is being timed.

use std::mem;

use tower_ballast_core::{
    Lease,
    clock::{self, Nanos},
};

use crate::{export::Outcome, series::Series};

/// Counts exactly one outcome. Dropped without one, the request counts as cancelled.
///
/// Whole words, because a smaller field would make each move of the future stall.
#[derive(Debug)]
#[must_use = "dropped at once, the request counts as cancelled"]
pub(crate) struct Timing {
    /// Until the outcome has been counted.
    series: Option<Lease<Series>>,
    began: Nanos,
}

/// The service runs just now. Dropped instead of left, it has panicked.
#[derive(Debug)]
pub(crate) struct Inside<'a>(&'a mut Timing);

impl Timing {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) fn new(series: Lease<Series>) -> Self {
        series.begin();
        Self { series: Some(series), began: clock::now() }
    }

    #[inline]
    pub(crate) const fn enter(&mut self) -> Inside<'_> {
        Inside(self)
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "dropped after its end, nothing is left of it")]
    pub(crate) fn end(&mut self, outcome: Outcome) {
        if let Some(series) = self.series.take() {
            count(&series, outcome, self.began);
        }
    }
}

#[inline(never)]
fn count(series: &Series, outcome: Outcome, began: Nanos) {
    series.end(outcome, began, clock::now());
}

impl Drop for Timing {
    #[inline]
    fn drop(&mut self) {
        self.end(Outcome::Cancelled);
    }
}

impl Inside<'_> {
    #[inline]
    pub(crate) const fn leave(self) {
        mem::forget(self);
    }
}

impl Drop for Inside<'_> {
    #[cold]
    fn drop(&mut self) {
        self.0.end(Outcome::Failure);
    }
}
