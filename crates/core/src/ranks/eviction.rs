//! Who has waited for too long.

use std::task::Waker;

use super::{Ranks, slab::NONE};
use crate::{Priority, clock::Nanos};

impl Ranks {
    /// When the one of a class came that has waited for the longest.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_ballast_core::{Priority, clock::Nanos, ranks::{Rank, Ranks}};
    ///
    /// let (mut ranks, later) = (Ranks::new(), Nanos::ZERO + Duration::from_secs(1));
    /// let first = ranks.join(Rank::default(), Nanos::ZERO);
    /// let second = ranks.join(Rank::default(), later);
    /// assert_eq!(ranks.oldest(Priority::Medium), Some(Nanos::ZERO));
    ///
    /// let _waker = ranks.evict_oldest(Priority::Medium);
    /// assert!(ranks.is_evicted(&first) && ranks.is_next(&second));
    /// # ranks.leave(first);
    /// # ranks.leave(second);
    /// ```
    #[must_use]
    pub fn oldest(&self, class: Priority) -> Option<Nanos> {
        match self.classes[class.index()].oldest() {
            NONE => None,
            oldest => Some(self.slots.get(oldest).joined),
        }
    }

    /// Puts out whoever of a class came first. Its waker is returned, if it left one, so that it can be
    /// told.
    #[must_use = "who was put out has to be woken"]
    pub fn evict_oldest(&mut self, class: Priority) -> Option<Waker> {
        self.evict(self.classes[class.index()].oldest())
    }

    pub(super) fn evict(&mut self, number: u32) -> Option<Waker> {
        if number == NONE {
            return None;
        }
        self.slots.at(number).evicted = true;
        self.take_out(number, false)
    }
}
