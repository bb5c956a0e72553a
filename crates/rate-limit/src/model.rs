//! The door, which is not public, for the models in `tests/loom.rs`.

use std::{task::Waker, time::Duration};

use tower_ballast_core::{
    clock::Nanos,
    count,
    ranks::{Place, Rank},
};

use crate::{
    Quota,
    door::{Door, Joined, Look},
    gate::{Algorithm, Gate},
};

/// A door that lets one pass a minute, who has passed.
#[derive(Debug)]
pub struct Full {
    door: Door,
    now: Nanos,
}

impl Full {
    /// At this moment, which stays.
    ///
    /// # Panics
    ///
    /// Never: the first one passes.
    #[must_use]
    pub fn new(now: Nanos) -> Self {
        let door = Door::new(Gate::new(Algorithm::Gcra, Quota::per_minute(count::<1>())));
        assert!(door.try_pass(now, 1).is_ok(), "the first one passes");
        Self { door, now }
    }

    /// What has been taken is given back.
    pub fn give_back(&self) {
        self.door.gate.give_back(self.now, 1);
        self.door.stir();
    }

    /// From now on one may pass a nanosecond.
    pub fn raise(&self) {
        let quota = Quota::per(Duration::from_nanos(1), count::<1>());
        self.door.gate.configure(self.now, quota);
        self.door.stir();
    }

    /// Takes a place; nothing if it passes.
    pub fn join(&self) -> Option<Place> {
        let rank = Rank { cost: 1, ..Rank::default() };
        match self.door.join(rank, self.now, |_, _| true) {
            Joined::Waits(place) => Some(place),
            _ => None,
        }
    }

    /// When whoever has this place passes as far as it knows: now, at the moment to which it sets its timer, or
    /// when it is woken.
    pub fn look(&self, place: &mut Option<Place>, waker: &Waker) -> Nanos {
        if place.is_none() {
            return self.now;
        }
        match self.door.look(place, self.now, waker) {
            Look::Passed => self.now,
            Look::Opens(moment) => moment,
            Look::NotYet | Look::Never | Look::Evicted => Nanos::MAX,
        }
    }

    /// Gives a place back.
    pub fn quit(&self, place: Place) {
        self.door.quit(place);
    }

    /// Whether somebody waits, as a newcomer sees it.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self.door.try_pass(self.now, 1), Err(None))
    }
}
