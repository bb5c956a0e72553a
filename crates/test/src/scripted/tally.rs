use std::fmt;

/// What a [`Scripted`](crate::Scripted) service and all its clones have seen so far.
///
/// ```
/// use tower_ballast_test::{Scripted, time};
/// use tower_service::Service;
///
/// let mut backend = Scripted::echo();
/// time::drive(async {
///     std::future::poll_fn(|cx| backend.poll_ready(cx)).await.unwrap();
///     let response = backend.call(7);
///     assert_eq!(backend.script().tally().alive, 1);
///     assert_eq!(response.await, Ok(7));
/// });
///
/// let tally = backend.script().tally();
/// assert_eq!((tally.calls, tally.alive, tally.peak), (1, 0, 1));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Tally {
    /// Calls made, whatever became of them.
    pub calls: usize,
    /// Responses that have not been dropped yet, finished or not.
    pub alive: usize,
    /// The most responses that were alive at once.
    pub peak: usize,
    /// Responses that gave their outcome.
    pub finished: usize,
    /// Polls of responses.
    pub polls: usize,
    /// Polls of readiness.
    pub ready_polls: usize,
    /// Instances that were asked for readiness and have been neither called nor dropped since.
    pub polled: usize,
    /// Wake-ups that the script has issued.
    pub wakes: usize,
    /// Breaches of the service contract; [`Script::violations`](crate::Script::violations) lists them.
    pub violations: usize,
}

/// A breach of the contract between a service and its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Violation {
    /// An instance was called whose `poll_ready` had not just said that it is ready. A clone
    /// carries no readiness.
    CalledUnready {
        /// Which call it was, counted from 1.
        call: usize,
    },
    /// A response was polled again after it had given its outcome.
    PolledAfterEnd {
        /// Which call it was, counted from 1.
        call: usize,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CalledUnready { call } => {
                write!(f, "call {call} was made on an instance that had not said it is ready")
            }
            Self::PolledAfterEnd { call } => {
                write!(f, "the response of call {call} was polled after its end")
            }
        }
    }
}
