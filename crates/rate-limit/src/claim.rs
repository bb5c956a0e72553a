//! What a request takes.

use tower_ballast_core::clock::Nanos;

use crate::{gate::Later, levels::KeysOf};

/// How much a request takes, when, and of whose limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) taken: Nanos,
    pub(crate) cost: u32,
    pub(crate) keys: KeysOf,
}

/// Why it could not be taken.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refused {
    /// A limit of the request's own key is reached until then.
    Key(Nanos),
    /// The common limit is, and nobody waits for it. What was asked for by key is taken.
    Gate(Later),
    /// Others wait for the common limit. What was asked for by key is taken.
    Others,
}
