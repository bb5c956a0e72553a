//! The limits by themselves, without a layer: may this pass now, and if not, when?
//!
//! A [`Gate`] is asked with the present moment and a cost, so it needs no clock and no runtime, and a
//! test drives it through a year in a microsecond.
//!
//! ```
//! use std::time::Duration;
//! use tower_ballast_core::{clock::Nanos, count};
//! use tower_ballast_rate_limit::{
//!     Quota,
//!     gate::{Algorithm, Gate, Later},
//! };
//!
//! let gate = Gate::new(Algorithm::Gcra, Quota::per_second(count::<10>()).burst(count::<2>()));
//! let start = Nanos::from_nanos(1_000_000_000);
//!
//! assert!(gate.take(start, 1).is_ok());
//! assert!(gate.take(start, 1).is_ok());
//! let soon = start + Duration::from_millis(100);
//! assert_eq!(gate.take(start, 1), Err(Later::At(soon)));
//! assert_eq!(gate.take(start, 3), Err(Later::Never));
//! assert!(gate.take(soon, 1).is_ok());
//! ```

mod cell;
mod gcra;
#[cfg(test)]
mod tests;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tower_ballast_core::clock::Nanos;

use self::gcra::Gcra;
use crate::Quota;

/// How a quota is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Algorithm {
    /// The generic cell rate algorithm: after a rest the burst at once, then an even pace. One atomic
    /// operation.
    #[default]
    Gcra,
    /// An even pace and never two at once. What costs more than one keeps the next waiting for longer.
    Pacing,
}

/// Why not now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Later {
    /// It would pass at this moment, if nobody else came before.
    At(Nanos),
    /// It costs more than ever passes at once, or nothing passes at all.
    Never,
}

/// What is left of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// The most that passes at once.
    pub limit: u32,
    /// What would pass at once now.
    pub remaining: u32,
    /// When all of the limit is there again, if nothing else passes.
    pub full_at: Nanos,
}

/// A rate limit: a quota and how it is kept.
///
/// All moments come from the caller. One that is earlier than another seen before is no harm: it
/// finds what is left then, never more.
#[derive(Debug)]
pub struct Gate {
    kind: Kind,
    quota: Mutex<Quota>,
}

#[derive(Debug)]
enum Kind {
    Gcra(Gcra),
}

impl Gate {
    /// A gate with all of its quota left.
    #[must_use]
    pub fn new(algorithm: Algorithm, quota: Quota) -> Self {
        let kind = match algorithm {
            Algorithm::Gcra => Kind::Gcra(Gcra::new(quota)),
            Algorithm::Pacing => Kind::Gcra(Gcra::pacing(quota)),
        };
        Self { kind, quota: Mutex::new(quota) }
    }

    /// Takes so much of the quota, if it is there.
    ///
    /// # Errors
    ///
    /// Says when it would be there.
    #[inline]
    pub fn take(&self, now: Nanos, cost: u32) -> Result<(), Later> {
        match &self.kind {
            Kind::Gcra(gcra) => gcra.take(now, cost),
        }
    }

    /// Takes so much of the quota in advance, and says for when; no two get the same. `None` if that
    /// were later than `horizon` from now, or never.
    #[must_use = "what was reserved has to be used at its moment or given back"]
    pub fn reserve(&self, now: Nanos, cost: u32, horizon: Duration) -> Option<Nanos> {
        match &self.kind {
            Kind::Gcra(gcra) => gcra.reserve(now, cost, horizon),
        }
    }

    /// Gives back what was taken at the moment `taken`, or reserved for it. No more is ever left than
    /// the burst.
    pub fn give_back(&self, _taken: Nanos, cost: u32) {
        match &self.kind {
            Kind::Gcra(gcra) => gcra.give_back(cost),
        }
    }

    /// Takes so much whether it is there or not. What was not there is owed, and whoever comes next
    /// waits for it.
    pub fn charge(&self, now: Nanos, cost: u32) {
        match &self.kind {
            Kind::Gcra(gcra) => gcra.charge(now, cost),
        }
    }

    /// Another quota from now on. What is left stays left, as much as the new burst holds, and what
    /// is owed stays owed.
    pub fn configure(&self, now: Nanos, quota: Quota) {
        let mut current = self.quota.lock().unwrap_or_else(PoisonError::into_inner);
        match &self.kind {
            Kind::Gcra(gcra) => gcra.configure(now, quota),
        }
        *current = quota;
    }

    /// What is left now.
    #[must_use]
    pub fn standing(&self, now: Nanos) -> Standing {
        match &self.kind {
            Kind::Gcra(gcra) => gcra.standing(now),
        }
    }

    /// The present quota.
    #[must_use]
    pub fn quota(&self) -> Quota {
        *self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
