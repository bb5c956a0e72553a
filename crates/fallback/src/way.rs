//! Where the answer comes from.

use std::sync::{Mutex, PoisonError};

use tower_ballast_core::ByClone;

/// Makes an answer on the spot, of an outcome that failed.
pub trait Make<Req, Res, E> {
    /// What is kept of the request until its outcome is there.
    type Kept;

    /// Looks at the request before it is sent.
    fn keep(&self, request: &Req) -> Self::Kept;

    /// Makes another outcome.
    ///
    /// # Errors
    ///
    /// When there is no better answer than an error.
    fn make(&self, kept: Self::Kept, outcome: Result<Res, E>) -> Result<Res, E>;
}

/// The answer is made on the spot, as `W` says.
#[derive(Debug)]
pub struct Made<W>(pub(crate) W);

/// A clone of a value. Made by [`FallbackLayer::value`](crate::FallbackLayer::value).
#[derive(Debug)]
pub struct Value<T>(pub(crate) T);

/// What a closure makes of the outcome. Made by
/// [`FallbackLayer::outcome`](crate::FallbackLayer::outcome).
#[derive(Debug)]
pub struct Outcome<F>(pub(crate) F);

/// What a closure makes of the outcome and of what another has kept of the request. Made by
/// [`FallbackLayer::request`](crate::FallbackLayer::request).
#[derive(Debug)]
pub struct Request<K, F> {
    pub(crate) keep: K,
    pub(crate) make: F,
}

/// The answer of another service. Made by [`FallbackLayer::service`](crate::FallbackLayer::service).
#[derive(Debug)]
pub struct Through<T, R = ByClone> {
    /// Only locked to be cloned, when an answer is wanted of it; so it need not be `Sync`.
    service: Mutex<T>,
    pub(crate) replay: R,
}

impl<T, R> Through<T, R> {
    pub(crate) const fn new(service: T, replay: R) -> Self {
        Self { service: Mutex::new(service), replay }
    }

    /// An instance of its own for one request.
    pub(crate) fn instance(&self) -> T
    where
        T: Clone,
    {
        self.service.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<Req, T: Clone, E> Make<Req, T, E> for Value<T> {
    type Kept = ();

    fn keep(&self, _: &Req) {}

    fn make(&self, (): (), _: Result<T, E>) -> Result<T, E> {
        Ok(self.0.clone())
    }
}

impl<Req, Res, E, F> Make<Req, Res, E> for Outcome<F>
where
    F: Fn(Result<Res, E>) -> Result<Res, E>,
{
    type Kept = ();

    fn keep(&self, _: &Req) {}

    fn make(&self, (): (), outcome: Result<Res, E>) -> Result<Res, E> {
        (self.0)(outcome)
    }
}

impl<Req, Res, E, K, T, F> Make<Req, Res, E> for Request<K, F>
where
    K: Fn(&Req) -> T,
    F: Fn(T, Result<Res, E>) -> Result<Res, E>,
{
    type Kept = T;

    fn keep(&self, request: &Req) -> T {
        (self.keep)(request)
    }

    fn make(&self, kept: T, outcome: Result<Res, E>) -> Result<Res, E> {
        (self.make)(kept, outcome)
    }
}
