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

mod bucket;
mod cell;
mod counter;
mod fixed;
mod gcra;
mod log;
mod rule;
mod terms;
#[cfg(all(test, not(ballast_loom)))]
mod tests;
mod warm;

use std::{sync::PoisonError, time::Duration};

use tower_ballast_core::clock::Nanos;

use self::{
    bucket::Bucket,
    counter::Counter,
    fixed::Fixed,
    gcra::Gcra,
    log::Log,
    rule::{Brain, Locked, Rule},
    warm::WarmUp,
};
use crate::{Quota, sync::Mutex};

/// How a quota is kept.
///
/// | | at once after a rest | within any one period | memory | |
/// |---|---|---|---|---|
/// | [`Gcra`](Self::Gcra) | the burst | burst + count | a few words | one atomic operation |
/// | [`TokenBucket`](Self::TokenBucket) | the burst | burst + count | a few words | a short lock |
/// | [`FixedWindow`](Self::FixedWindow) | the count | 2 x count | a few words | one atomic operation |
/// | [`SlidingCounter`](Self::SlidingCounter) | the count | 2 x count at worst | a few words | a short lock |
/// | [`SlidingLog`](Self::SlidingLog) | the count | the count | at most 128 KiB | a short lock |
/// | [`Pacing`](Self::Pacing) | one | count + 1 | a few words | one atomic operation |
/// | [`WarmUp`](Self::WarmUp) | one | count + 1 | a few words | a short lock |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Algorithm {
    /// The generic cell rate algorithm (ITU-T I.371): after a rest the burst at once, then an even
    /// pace. Its interval is in whole nanoseconds, rounded up: at a million a second the rate may be
    /// 0.1 % below the quota, never above.
    #[default]
    Gcra,
    /// As [`Gcra`](Self::Gcra), without rounding: exact at any rate.
    TokenBucket,
    /// The count in each window, and windows lie side by side. Simple to explain; twice the count
    /// passes around the border of two windows.
    FixedWindow,
    /// The count in a window that slides by estimate: what passed in the window before counts as if it
    /// had come evenly. Reservations reach to the end of the next window.
    SlidingCounter,
    /// The count in a window that slides exactly. Above a count of 4096 it keeps moments to a 4096th of
    /// the period, rounded up.
    SlidingLog,
    /// An even pace and never two at once. What costs more than one keeps the next waiting for longer.
    Pacing,
    /// An even pace that is three times slower after a rest, and quickens to the quota within so long.
    WarmUp(Duration),
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
    Other(Box<dyn Rule>),
}

impl Gate {
    /// A gate with all of its quota left.
    #[must_use]
    pub fn new(algorithm: Algorithm, quota: Quota) -> Self {
        let kind = match algorithm {
            Algorithm::Gcra => Kind::Gcra(Gcra::new(quota)),
            Algorithm::Pacing => Kind::Gcra(Gcra::pacing(quota)),
            Algorithm::FixedWindow => Kind::Other(Box::new(Fixed::new(quota))),
            Algorithm::TokenBucket => locked(Bucket::new(quota)),
            Algorithm::SlidingCounter => locked(Counter::new(quota)),
            Algorithm::SlidingLog => locked(Log::new(quota)),
            Algorithm::WarmUp(warming) => locked(WarmUp::new(quota, warming)),
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
            Kind::Other(rule) => rule.take(now, cost),
        }
    }

    /// Takes so much of the quota in advance, and says for when. Who asks later goes behind. `None` if
    /// that were later than `horizon` from now, or never.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_ballast_core::{clock::Nanos, count};
    /// use tower_ballast_rate_limit::{Quota, gate::{Algorithm, Gate}};
    ///
    /// let gate = Gate::new(Algorithm::Gcra, Quota::per_second(count::<2>()).burst(count::<1>()));
    /// let (now, second) = (Nanos::from_nanos(5), Duration::from_secs(1));
    /// assert_eq!(gate.reserve(now, 1, second), Some(now));
    /// assert_eq!(gate.reserve(now, 1, second), Some(now + Duration::from_millis(500)));
    /// assert_eq!(gate.reserve(now, 1, second), Some(now + Duration::from_secs(1)));
    /// assert_eq!(gate.reserve(now, 1, second), None);
    /// ```
    #[must_use = "what was reserved has to be used at its moment or given back"]
    pub fn reserve(&self, now: Nanos, cost: u32, horizon: Duration) -> Option<Nanos> {
        self.rule().reserve(now, cost, horizon)
    }

    /// Gives back what was taken at the moment `taken`, or reserved for it. No more is ever left than
    /// after a rest.
    ///
    /// The algorithms with a pace give it to whoever comes next. Windows give back only what still
    /// counts in them, and fixed ones only in the last window of which anything was taken.
    pub fn give_back(&self, taken: Nanos, cost: u32) {
        self.rule().give_back(taken, cost);
    }

    /// Takes so much whether it is there or not. What was not there is owed, and whoever comes next
    /// waits for it. A window that slides forgets what is owed when it has passed.
    pub fn charge(&self, now: Nanos, cost: u32) {
        self.rule().charge(now, cost);
    }

    /// Takes all that is left. Nothing is owed for it.
    pub fn drain(&self, now: Nanos) {
        self.rule().drain(now);
    }

    /// Another quota from now on.
    ///
    /// With a pace, what is left stays left, as much as the new burst holds, and what is owed stays
    /// owed. With windows, what has passed still counts.
    pub fn configure(&self, now: Nanos, quota: Quota) {
        // Held meanwhile, so that of two changes the same one is last in both places.
        let mut current = self.quota.lock().unwrap_or_else(PoisonError::into_inner);
        self.rule().configure(now, quota);
        *current = quota;
    }

    /// What is left now.
    #[must_use]
    pub fn standing(&self, now: Nanos) -> Standing {
        self.rule().standing(now)
    }

    /// The present quota.
    #[must_use]
    pub fn quota(&self) -> Quota {
        *self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether so much could ever pass, by the present quota.
    pub(crate) fn admits(&self, cost: u32) -> bool {
        self.rule().when(Nanos::ZERO, cost).is_some()
    }

    /// When so much would pass, if nobody else came before. Nothing is taken.
    pub(crate) fn when(&self, now: Nanos, cost: u32) -> Option<Nanos> {
        self.rule().when(now, cost)
    }

    /// When there is more than what is left now, or at once if all is there.
    pub(crate) fn more_at(&self, now: Nanos, left: Standing) -> Nanos {
        if left.remaining >= left.limit {
            return now;
        }
        self.when(now, left.remaining + 1).unwrap_or(left.full_at)
    }

    fn rule(&self) -> &dyn Rule {
        match &self.kind {
            Kind::Gcra(gcra) => gcra,
            Kind::Other(rule) => &**rule,
        }
    }
}

fn locked(brain: impl Brain + 'static) -> Kind {
    Kind::Other(Box::new(Locked::new(brain)))
}
