//! What a layer may know of a request.
//!
//! Layers treat requests as opaque. What they need to know of one, and what they want to write on
//! one before it is sent on, goes through a strategy that implements [`Facts`].

use std::{
    hash::{BuildHasher, Hash, RandomState},
    num::NonZeroU32,
    sync::OnceLock,
};

use crate::{Deadline, Priority, value::count};

mod known;

pub use self::known::*;

static SEED: OnceLock<RandomState> = OnceLock::new();

/// What a layer may know of a request, and may write on it.
///
/// Every method has a default that means "not known", so `()` is the strategy that knows nothing.
/// Start from [`facts()`] and add what you can tell, or from [`idempotent()`] when every request
/// may be repeated.
///
/// ```
/// use tower_ballast_core::{facts, Facts, Priority};
///
/// struct Job {
///     urgent: bool,
/// }
///
/// let known = facts().priority_from(|job: &Job| job.urgent.then_some(Priority::High));
/// assert_eq!(known.priority(&Job { urgent: true }), Some(Priority::High));
/// assert_eq!(known.priority(&Job { urgent: false }), None);
/// ```
pub trait Facts<R> {
    /// By when an answer is wanted.
    fn deadline(&self, request: &R) -> Option<Deadline> {
        let _ = request;
        None
    }

    /// How much the request matters.
    fn priority(&self, request: &R) -> Option<Priority> {
        let _ = request;
        None
    }

    /// Who or what the request belongs to, for limits and circuits by key.
    fn key(&self, request: &R) -> Option<Key> {
        let _ = request;
        None
    }

    /// How much of a limit it takes; one unless said otherwise.
    fn cost(&self, request: &R) -> NonZeroU32 {
        let _ = request;
        count::<1>()
    }

    /// Whether sending it twice does no more than sending it once. Not, unless said otherwise.
    fn is_repeatable(&self, request: &R) -> bool {
        let _ = request;
        false
    }

    /// Which attempt this is, when a retrying layer outside has said so.
    fn attempt(&self, request: &R) -> Option<Attempt> {
        let _ = request;
        None
    }

    /// Writes on the request what the layers and services inside should know.
    fn mark(&self, request: &mut R, mark: Mark) {
        let _ = (request, mark);
    }
}

/// Knows nothing of any request.
impl<R> Facts<R> for () {}

/// Which try of one request this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u32,
    /// Whether no other will follow; the last may use all the time that is left.
    pub last: bool,
}

impl Attempt {
    /// The attempt with this number, with more to follow.
    #[must_use]
    pub const fn number(number: u32) -> Self {
        Self { number, last: false }
    }
}

/// Something a layer writes on a request before sending it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mark {
    /// Which attempt this is.
    Attempt(Attempt),
    /// By when an answer is wanted.
    Deadline(Deadline),
}

/// A fingerprint of whom or what a request belongs to.
///
/// Equal values have equal fingerprints within one process; the hash is seeded anew in each, so
/// nobody outside can prepare values that collide.
///
/// ```
/// use tower_ballast_core::Key;
///
/// assert_eq!(Key::of("tenant-7"), Key::of("tenant-7"));
/// assert_ne!(Key::of("tenant-7"), Key::of("tenant-8"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(u64);

impl Key {
    /// The fingerprint of `value`.
    #[must_use]
    pub fn of<T: Hash + ?Sized>(value: &T) -> Self {
        Self(SEED.get_or_init(RandomState::new).hash_one(value))
    }

    /// The fingerprint as a number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}
