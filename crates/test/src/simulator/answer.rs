use std::{error::Error, fmt, time::Duration};

use super::time::Tick;

/// What a server answers: how long the call waited there, and was worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    waited: Tick,
    worked: Tick,
}

/// How a server fails a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServerError {
    /// The call itself went wrong.
    Failed,
    /// All workers are busy, and as many calls as may wait do.
    QueueFull,
    /// The server is down.
    Down,
}

impl Answer {
    pub(super) const fn new(waited: Tick, worked: Tick) -> Self {
        Self { waited, worked }
    }

    /// How long the call waited for a worker.
    #[must_use]
    pub const fn waited(&self) -> Duration {
        Duration::from_micros(self.waited)
    }

    /// How long a worker took for it.
    #[must_use]
    pub const fn worked(&self) -> Duration {
        Duration::from_micros(self.worked)
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "the call went wrong",
            Self::QueueFull => "the queue of the server is full",
            Self::Down => "the server is down",
        })
    }
}

impl Error for ServerError {}
