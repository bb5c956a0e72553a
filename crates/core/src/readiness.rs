//! What a layer that always answers ready remembers of the service behind it.

use std::{mem, task::Poll};

use crate::BoxError;

/// What the inner service last said of itself to an instance that always answers ready.
///
/// A layer whose callers may wait asks the inner service, says ready in any case, and calls the
/// instance that was asked only if it was ready. One that was asked and is not called may hold a
/// place somewhere, so it is [let go](Readiness::let_go).
///
/// ```
/// use std::task::Poll;
/// use tower_ballast_core::{BoxError, Readiness};
///
/// let mut readiness = Readiness::of(Poll::<Result<(), BoxError>>::Pending);
/// assert!(matches!(readiness, Readiness::Polled));
/// assert!(matches!(readiness.take(), Readiness::Polled));
/// assert!(matches!(readiness, Readiness::Unknown));
/// ```
#[derive(Debug, Default)]
pub enum Readiness {
    /// It was not asked.
    #[default]
    Unknown,
    /// It is ready: this very instance may be called, once.
    Ready,
    /// It was asked and is not ready; it may hold a place somewhere.
    Polled,
    /// It failed.
    Failed(BoxError),
}

impl Readiness {
    /// What an inner service's answer says.
    #[inline]
    pub fn of<E: Into<BoxError>>(answer: Poll<Result<(), E>>) -> Self {
        match answer {
            Poll::Ready(Ok(())) => Self::Ready,
            Poll::Pending => Self::Polled,
            Poll::Ready(Err(error)) => Self::Failed(error.into()),
        }
    }

    /// Takes what is remembered; it serves for one call.
    #[inline]
    #[must_use]
    pub fn take(&mut self) -> Self {
        mem::take(self)
    }

    /// A fresh clone for a call that cannot be made at once. An instance that was asked is
    /// replaced as well.
    pub fn let_go<S: Clone>(&self, inner: &mut S) -> S {
        let fresh = inner.clone();
        if !matches!(self, Self::Unknown) {
            *inner = fresh.clone();
        }
        fresh
    }
}
