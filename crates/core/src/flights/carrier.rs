//! What a layer says of its calls for them to be shared.

use std::{hash::Hash, sync::Arc, time::Duration};

use tower_service::Service;

use super::{Failure, Flights};
use crate::BoxError;

/// The calls of a layer that are shared, by key.
pub type Calls<K, V> = Flights<K, Shares<V>, Own<V>>;

/// What a call gives to the one whose request was sent.
#[derive(Debug)]
pub struct Own<V> {
    /// What came of it.
    pub outcome: Result<V, BoxError>,
    /// Whether the others get it as well. A failure is told to all.
    pub is_for_all: bool,
}

/// What a call gives to the others.
#[derive(Debug, Clone)]
pub enum Shares<V> {
    /// An answer for all.
    Value(V),
    /// The answer is for one alone.
    Alone,
    /// The call failed.
    Failed(Failure),
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It is sent, and others may wait for its answer.
    Led,
    /// It waits for the answer to another one; counted once, however often that is.
    Joined,
    /// It is sent for itself alone, since the answer to another one was not for all.
    Alone,
    /// It is told the failure of another one.
    Failed,
}

/// When a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// By the first who asks.
    First,
    /// By one of those who waited for another call in vain.
    Again,
    /// By one for itself alone.
    Alone,
}

/// Makes the calls of a layer that are shared: what its services have in common. `E` is a request and all that is needed to
/// send it.
pub trait Carrier<E> {
    /// Requests with equal keys share a call.
    type Key: Clone + Eq + Hash;
    /// What those get who share it.
    type Value: Clone + Send + Sync + 'static;

    /// The calls that run.
    fn calls(&self) -> &Calls<Self::Key, Self::Value>;

    /// How long one waits for the call of another.
    fn longest_wait(&self) -> Duration;

    /// Makes the call. The future does nothing before it is polled.
    fn call(
        self: Arc<Self>,
        key: Self::Key,
        errand: E,
        turn: Turn,
    ) -> impl Future<Output = Own<Self::Value>> + Send + 'static;

    /// Counts what becomes of a request.
    fn count(&self, role: Role);
}

/// A service whose calls can be shared: each is a future of its own that goes on whoever polls it, and gives what can be cloned.
pub trait Callee<R>:
    Service<
        R,
        Response: Clone + Send + Sync + 'static,
        Error: Into<BoxError>,
        Future: Send + 'static,
    > + Send
    + 'static
{
}

impl<S, R> Callee<R> for S
where
    S: Service<R> + Send + 'static,
    S::Response: Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
}

impl<V> Own<V> {
    /// What all get.
    #[must_use]
    pub const fn for_all(outcome: Result<V, BoxError>) -> Self {
        Self { outcome, is_for_all: true }
    }
}

impl<V: Clone> Own<V> {
    /// What the others get of it.
    pub fn share(&self) -> Shares<V> {
        match &self.outcome {
            Ok(value) if self.is_for_all => Shares::Value(value.clone()),
            Ok(_) => Shares::Alone,
            Err(error) => Shares::Failed(Failure::of(&**error)),
        }
    }
}
