use std::{fmt, sync::Arc, time::Duration};

use tower_ballast_core::clock::{self, Nanos};

use crate::shared::Shared;

/// A share of the limit that is taken in advance, for work that goes on by another way than the
/// layer. Made by [`PriorityRateLimitHandle::try_reserve`](crate::PriorityRateLimitHandle::try_reserve).
///
/// Dropped before it is [spent](Self::spend), it is given back.
#[must_use = "dropped at once, it is given back at once"]
pub struct Reservation {
    shared: Option<Arc<Shared>>,
    moment: Nanos,
    cost: u32,
}

impl Reservation {
    pub(crate) fn new(shared: &Arc<Shared>, moment: Nanos, cost: u32) -> Self {
        Self { shared: Some(Arc::clone(shared)), moment, cost }
    }

    /// How long it is until its moment; zero once that has come.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.moment.since(clock::now())
    }

    /// Waits for its moment.
    ///
    /// Dropping the future drops nothing of the reservation.
    pub async fn ready(&self) {
        if !self.remaining().is_zero() {
            clock::sleep_until(self.moment).await;
        }
    }

    /// It has been used, and is not given back.
    pub fn spend(mut self) {
        self.shared = None;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.door.gate.give_back(self.moment, self.cost);
            shared.door.stir();
        }
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("moment", &self.moment)
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}
