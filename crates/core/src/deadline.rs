//! The moment by which an answer is wanted.

use std::time::Duration;

use crate::clock::{self, Nanos};

/// The moment by which an answer is wanted; after it, no work on the request is worth anything.
///
/// It is absolute, so it can be handed from layer to layer and queue to queue without shrinking
/// or growing on the way. Every wait of every layer ends at it.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::{clock, Deadline};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let deadline = Deadline::after(Duration::from_secs(2));
/// tokio::time::advance(Duration::from_millis(500)).await;
/// assert_eq!(deadline.remaining(clock::now()), Duration::from_millis(1500));
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Nanos);

impl Deadline {
    /// The deadline `within` from now. Saturates some 584 years out.
    #[must_use]
    pub fn after(within: Duration) -> Self {
        Self(clock::now() + within)
    }

    /// The deadline at a moment of the process's clock.
    #[must_use]
    pub const fn at(moment: Nanos) -> Self {
        Self(moment)
    }

    /// The moment itself.
    #[must_use]
    pub const fn moment(self) -> Nanos {
        self.0
    }

    /// What is left of it at `now`; zero once it has passed.
    #[must_use]
    pub const fn remaining(self, now: Nanos) -> Duration {
        self.0.since(now)
    }

    /// Whether nothing is left of it at `now`.
    #[must_use]
    pub fn is_passed(self, now: Nanos) -> bool {
        self.0 <= now
    }
}
