//! How a failure is told to those who did not make the call.

use std::{error::Error, fmt, sync::Arc};

use crate::{BoxError, Reason, Rejected};

/// What remains of an error, which is one caller's own, for the others.
///
/// A [`Rejected`] is told to each of them as it is. Of any other error they get the text.
///
/// ```
/// use tower_ballast_core::{BoxError, Reason, Rejected, flights::Failure};
///
/// let refused = BoxError::from(Rejected::new(Reason::CircuitOpen));
/// let told = Failure::of(&*refused).into_error();
/// assert_eq!(Rejected::find(&*told).unwrap().reason(), Reason::CircuitOpen);
///
/// let broken = BoxError::from("connection reset");
/// let told = Failure::of(&*broken).into_error();
/// assert_eq!(told.to_string(), "the call that was shared failed: connection reset");
/// ```
#[derive(Debug, Clone)]
pub struct Failure(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Rejected(Rejected),
    Text(Arc<str>),
    Panicked,
}

impl Failure {
    /// What remains of `error`.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        match Rejected::find(error) {
            Some(rejected) => Self(Kind::Rejected(rejected.clone())),
            None => Self(Kind::Text(error.to_string().into())),
        }
    }

    /// The call panicked, or was never begun.
    #[must_use]
    pub const fn panicked() -> Self {
        Self(Kind::Panicked)
    }

    /// Whether another caller's call would fail in the same way: the circuit is open. What is refused for any other reason
    /// may be so for the sake of one caller: its deadline, its priority, its rate.
    #[must_use]
    pub fn is_for_all(&self) -> bool {
        let reason = match &self.0 {
            Kind::Rejected(rejected) => Some(rejected.reason()),
            Kind::Text(_) | Kind::Panicked => None,
        };
        matches!(reason, Some(Reason::CircuitOpen | Reason::CircuitForcedOpen))
    }

    /// The error for one of the others.
    #[must_use]
    pub fn into_error(self) -> BoxError {
        match self.0 {
            Kind::Rejected(rejected) => rejected.into(),
            Kind::Text(text) => Box::new(SharedCallFailed(Some(text))),
            Kind::Panicked => Box::new(SharedCallFailed(None)),
        }
    }
}

/// The call that another caller made for this one as well failed.
#[derive(Debug, Clone)]
pub struct SharedCallFailed(Option<Arc<str>>);

impl fmt::Display for SharedCallFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(text) => write!(f, "the call that was shared failed: {text}"),
            None => f.write_str("the call that was shared panicked"),
        }
    }
}

impl Error for SharedCallFailed {}
