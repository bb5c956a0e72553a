//! How long a response holds on to what its call was given.

use std::time::Duration;

/// Says how long a response holds on to what its call was given, such as a permit.
///
/// A call is over when its response is there; but a response may be only the beginning, as that of
/// HTTP is, whose body follows. A layer hands its permit to the strategy, and that gives it back at
/// once or wraps the response together with it. Dropping `held` gives it back.
///
/// ```
/// use tower_ballast_core::{Held, Hold};
///
/// /// Answers are lists, and a list is worked off for a while.
/// struct UntilDropped;
///
/// impl<T, G: Held> Hold<Vec<T>, G> for UntilDropped {
///     type Response = (Vec<T>, Option<G>);
///
///     fn hold(&self, response: Vec<T>, held: Option<G>) -> Self::Response {
///         (response, held)
///     }
/// }
/// ```
pub trait Hold<T, G> {
    /// What the layer answers with.
    type Response;

    /// Takes a response and what it may hold on to, which is nothing when the call went without it.
    fn hold(&self, response: T, held: Option<G>) -> Self::Response;
}

/// Something that a response can hold on to. Dropping it gives it back.
pub trait Held {
    /// Gives it back before the response is over, since nothing of that has come for so long.
    fn expire(self, idle: Duration);
}

/// Gives everything back when the response is there. The default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UntilResponse;

impl<T, G> Hold<T, G> for UntilResponse {
    type Response = T;

    #[inline]
    fn hold(&self, response: T, held: Option<G>) -> T {
        drop(held);
        response
    }
}
