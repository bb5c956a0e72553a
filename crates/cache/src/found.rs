//! What there is for a key, and what a call gives to whom.

use std::time::SystemTime;

use tower_ballast_core::{BoxError, clock::Nanos, epochs::Epoch, flights::Failure};

use crate::entry::Stored;

/// What a call gives to the one whose request was sent.
pub(crate) struct Own<V> {
    pub(crate) outcome: Result<V, BoxError>,
    pub(crate) is_for_all: bool,
}

/// What it gives to the others.
#[derive(Clone)]
pub(crate) enum Shares<V> {
    Value(V),
    /// The answer is for one alone.
    Alone,
    Failed(Failure),
}

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
    Failed(Failure),
    /// Nobody waits for the answer of another.
    Pass,
    /// Nothing, or what serves only if the call fails.
    Miss(Option<Stored<V>>),
}

impl<V: Clone> Own<V> {
    /// What the others get of it.
    pub(crate) fn share(&self) -> Shares<V> {
        match &self.outcome {
            Ok(value) if self.is_for_all => Shares::Value(value.clone()),
            Ok(_) => Shares::Alone,
            Err(error) => Shares::Failed(Failure::of(&**error)),
        }
    }
}
