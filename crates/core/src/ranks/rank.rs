//! What callers have in their hands.

use crate::{Key, Priority};

/// What decides when a waiting request has its turn.
///
/// ```
/// use tower_ballast_core::{Key, Priority, ranks::Rank};
///
/// let rank = Rank { class: Priority::High, client: Some(Key::of("tenant-7")), ..Rank::default() };
/// assert_eq!((rank.cost, Rank::default().class), (1, Priority::Medium));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rank {
    /// Higher classes go first, but for the [`Floors`](super::Floors) of the others.
    pub class: Priority,
    /// Clients of one class take turns. Requests without one share a turn.
    pub client: Option<Key>,
    /// How much it takes of what is waited for; at least 1. In each round a client gets as much as the
    /// largest cost that has come while somebody of the class waited, so what is absurdly large should
    /// not be let in line.
    pub cost: u32,
}

impl Default for Rank {
    fn default() -> Self {
        Self { class: Priority::default(), client: None, cost: 1 }
    }
}

/// Whose turn it is, to be compared with whose it was before.
///
/// Nearly anything may make another the next one: who comes and who leaves, and other settings. Where
/// the next one has set a timer and all others sleep, the new next one has to be woken.
///
/// ```
/// use tower_ballast_core::{Priority, clock::Nanos, ranks::{Rank, Ranks}};
///
/// let (mut ranks, now) = (Ranks::new(), Nanos::ZERO);
/// let low = ranks.join(Rank { class: Priority::Low, ..Rank::default() }, now);
/// let before = ranks.turn();
/// let high = ranks.join(Rank { class: Priority::High, ..Rank::default() }, now);
/// assert_ne!(ranks.turn(), before);
/// # ranks.leave(low);
/// # ranks.leave(high);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn(pub(super) u32);

/// A caller's place. It is given back by [`Ranks::serve`](super::Ranks::serve) or
/// [`Ranks::leave`](super::Ranks::leave).
#[derive(Debug)]
#[must_use = "a place that is not given back blocks those behind it"]
pub struct Place(pub(super) u32);
