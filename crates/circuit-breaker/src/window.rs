//! The outcomes that a closed circuit judges by.

use std::num::NonZeroU32;

use tower_ballast_core::{
    clock::Nanos,
    count,
    window::{CountWindow, Tally, TimeWindow},
};

use crate::settings::WindowOf;

/// A time window is exact to a tenth of it.
const BUCKETS: NonZeroU32 = count::<10>();

#[derive(Debug)]
pub(crate) enum Window {
    Calls(CountWindow),
    Time(TimeWindow),
}

impl Window {
    pub(crate) fn new(of: WindowOf) -> Self {
        match of {
            WindowOf::Calls(calls) => Self::Calls(CountWindow::new(calls)),
            WindowOf::Time(time) => Self::Time(TimeWindow::new(time, BUCKETS)),
        }
    }

    pub(crate) fn record(&mut self, now: Nanos, failed: bool, slow: bool) {
        match self {
            Self::Calls(window) => window.record(failed, slow),
            Self::Time(window) => window.record(now, failed, slow),
        }
    }

    /// Adds successes to the bucket that is filled now.
    pub(crate) fn fold(&mut self, successes: u64) {
        if let Self::Time(window) = self {
            window.record_many(Nanos::ZERO, Tally::successes(successes));
        }
    }

    pub(crate) fn tally(&mut self, now: Nanos) -> Tally {
        match self {
            Self::Calls(window) => window.tally(),
            Self::Time(window) => window.tally(now),
        }
    }

    pub(crate) fn is_all_success(&self) -> bool {
        match self {
            Self::Calls(window) => {
                let tally = window.tally();
                tally.calls == u64::from(window.length()) && tally.failures + tally.slow == 0
            }
            Self::Time(_) => false,
        }
    }

    pub(crate) fn bucket_end(&self) -> Option<Nanos> {
        match self {
            Self::Calls(_) => None,
            Self::Time(window) => Some(window.bucket_end()),
        }
    }
}
