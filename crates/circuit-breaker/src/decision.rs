//! What goes in and out of the brain.

use std::time::Duration;

use tower_ballast_core::{Reason, Verdict};

/// What a call may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It may go, and its outcome counts for the state of this epoch.
    Admit { epoch: u64 },
    /// It may not. `after`: when the next one may, where that is known.
    Refuse { reason: Reason, after: Option<Duration> },
}

/// A call that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) epoch: u64,
    pub(crate) verdict: Verdict,
    pub(crate) slow: bool,
}
