use std::time::Duration;

/// Where a circuit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Calls pass, and their outcomes are counted.
    Closed,
    /// Calls are refused until the rest is over.
    Open,
    /// A few trial calls pass, to see whether the service has recovered.
    HalfOpen,
    /// Calls pass in growing numbers.
    Recovering,
    /// Calls are refused until somebody says otherwise.
    ForcedOpen,
    /// Calls pass and nothing is counted until somebody says otherwise.
    ForcedClosed,
}

impl Phase {
    /// The name used in events and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::Recovering => "recovering",
            Self::ForcedOpen => "forced_open",
            Self::ForcedClosed => "forced_closed",
        }
    }
}

/// Why a circuit went from one phase to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tripped {
    /// Too large a share of the calls failed.
    FailureRate,
    /// Too large a share of the calls was slow.
    SlowRate,
    /// Too many of the calls in the window failed.
    Failures,
    /// Too many calls in a row failed.
    Consecutive,
    /// A trial failed.
    Trial,
    /// The trials gave no answer in time.
    TrialsHung,
    /// The recovery was taken back by new failures.
    Relapse,
    /// The rest is over.
    Rested,
    /// The trials succeeded.
    TrialsSucceeded,
    /// The recovery is complete.
    Recovered,
    /// Somebody said so.
    ByHand,
    /// Nobody holds the circuit any more; as if it were closed, which nobody counts.
    Dropped,
}

impl Tripped {
    /// The name used as the reason in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FailureRate => "failure_rate",
            Self::SlowRate => "slow_rate",
            Self::Failures => "failures",
            Self::Consecutive => "consecutive_failures",
            Self::Trial => "trial_failed",
            Self::TrialsHung => "trials_hung",
            Self::Relapse => "relapse",
            Self::Rested => "rested",
            Self::TrialsSucceeded => "trials_succeeded",
            Self::Recovered => "recovered",
            Self::ByHand => "by_hand",
            Self::Dropped => "dropped",
        }
    }
}

/// One step of a circuit from one phase to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    /// The phase that was left.
    pub(crate) from: Phase,
    /// The phase that was entered.
    pub(crate) to: Phase,
    /// Why.
    pub(crate) reason: Tripped,
    /// How many changes there were, this one included. They are told in any order when threads
    /// race; this puts them in the order in which they happened.
    pub(crate) sequence: u64,
    /// How long the circuit will rest, when it opened.
    pub(crate) rest: Duration,
}
