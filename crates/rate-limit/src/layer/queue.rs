//! What only a layer with a queue can be told.

use std::time::Duration;

use tower_ballast_core::{Priority, ranks::Floors};

use super::PriorityRateLimitLayer;
use crate::modes::Queue;

impl<F, C, L, A> PriorityRateLimitLayer<F, C, Queue, L, A> {
    /// How long a caller may wait for its turn. Default: 1 second, and 10 seconds for
    /// [`Priority::Batch`].
    #[must_use]
    pub fn longest_wait(self, longest: Duration) -> Self {
        Priority::ALL.into_iter().fold(self, |layer, class| layer.longest_wait_of(class, longest))
    }

    /// How long a caller of one class may wait for its turn.
    #[must_use]
    pub fn longest_wait_of(self, class: Priority, longest: Duration) -> Self {
        self.shared.set_longest_wait(class, longest);
        self
    }

    /// How long a request needs once it has passed. Default: no time. Who could not be served
    /// before its deadline any more leaves the queue instead of taking a turn.
    #[must_use]
    pub fn needs(self, needs: Duration) -> Self {
        self.shared.set_needs(needs);
        self
    }

    /// What the lower classes get in any case. Default: see [`Floors`].
    #[must_use]
    pub fn floors(self, floors: Floors) -> Self {
        self.shared.door.rank_by(|ranks| ranks.set_floors(floors));
        self
    }

    /// Whether of one client's requests in a class the newest is served first. Default: no.
    #[must_use]
    pub fn newest_first(self, class: Priority, newest_first: bool) -> Self {
        self.shared.door.rank_by(|ranks| ranks.set_newest_first(class, newest_first));
        self
    }
}
