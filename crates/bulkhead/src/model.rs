//! The exchange between the parts of a bulkhead, which is not public, for the models in `tests/loom.rs`.

use std::{sync::Arc, task::Waker};

use tower_ballast_core::{Name, Ratio, clock, gate::Look, ranks::Rank};

use crate::{
    permit::Permit,
    shared::Shared,
    standing::{self, Entry, Standing},
};

/// A bulkhead of two parts, each of which lends what it does not use.
#[derive(Debug, Clone)]
pub struct Halves(Arc<Shared>);

/// A caller that waits for its turn, or has had it.
#[derive(Debug)]
pub enum Caller {
    /// Dropping it leaves.
    Inside(Permit),
    /// Dropping it leaves the queue.
    Waits(Waiting),
}

/// A place in the queue.
#[derive(Debug)]
pub struct Waiting(Standing);

impl Halves {
    /// So many places, of which the first part has this share.
    #[must_use]
    pub fn new(places: u32, first: Ratio) -> Self {
        let shared = Shared::new(places);
        shared.set_most_waiting(8);
        shared.divide(&[(Name::from("first"), first)]);
        Self(Arc::new(shared))
    }

    /// Goes into a part, if it has room or another lends some.
    #[must_use]
    pub fn enter(&self, part: usize) -> Option<Permit> {
        let shared = self.0.at(part);
        Permit::try_new(shared).or_else(|| Permit::try_borrow(shared))
    }

    /// Goes into a part, or waits before it.
    ///
    /// # Panics
    ///
    /// Never: there is room for all that wait.
    #[must_use]
    pub fn join(&self, part: usize) -> Caller {
        let shared = self.0.at(part);
        if let Some(permit) = Permit::try_new(shared) {
            return Caller::Inside(permit);
        }
        match standing::join(shared, Rank::default(), None) {
            Ok(Entry::Go(permit)) => Caller::Inside(permit),
            Ok(Entry::Stand(standing)) => Caller::Waits(Waiting(standing)),
            _ => panic!("there is room for all that wait"),
        }
    }

    /// How many are inside.
    #[must_use]
    pub fn inside(&self) -> u32 {
        self.0.each().map(|part| part.gate.inside()).sum()
    }

    /// How many places the parts have, or use beyond what they have.
    #[must_use]
    pub fn places(&self) -> u32 {
        self.0.each().map(|part| part.gate.limit().max(part.gate.inside())).sum()
    }

    /// Changes how many there are.
    pub fn resize(&self, places: u32) {
        self.0.resize(places);
    }
}

impl Caller {
    /// Goes in if it is its turn, or leaves word whom to wake; says whether it is inside.
    pub fn look(&mut self, waker: &Waker) -> bool {
        let Self::Waits(Waiting(standing)) = self else { return true };
        let shared = Arc::clone(&standing.shared);
        match shared.gate.look(&mut standing.place, clock::now(), waker) {
            Look::Entered => {
                *self = Self::Inside(Permit::entered(shared));
                true
            }
            _ => false,
        }
    }
}
