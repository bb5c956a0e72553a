//! What there is for a key.

use std::time::SystemTime;

use tower_ballast_core::{BoxError, clock::Nanos, epochs::Epoch};

use crate::entry::Stored;

/// When an answer was begun to be fetched.
pub(crate) struct Since {
    pub(crate) epoch: Epoch,
    pub(crate) began: Nanos,
    /// The same for other processes, if there is a tier that they share.
    pub(crate) asked: Option<SystemTime>,
}

/// What there is for a key.
pub(crate) enum Found<V> {
    Value(V),
    /// It is served, and made anew beside that.
    Refresh(V),
    Failed(BoxError),
    /// Nobody waits for the answer of another.
    Pass,
    /// Nothing, or what serves only if the call fails.
    Miss(Option<Stored<V>>),
}
