//! Whether callers may wait, as a type, and what is remembered when they may.

use tower_ballast_core::BoxError;

/// Callers are refused while the circuit is not closed. The default.
#[derive(Debug, Clone, Copy)]
pub struct Refuse(());

/// Callers may wait for the circuit. Set by [`CircuitBreakerLayer::wait`](crate::CircuitBreakerLayer::wait).
#[derive(Debug, Clone, Copy)]
pub struct Wait(());

/// What the inner service last said of itself to an instance that always answers ready.
#[derive(Debug, Default)]
pub(crate) enum Readiness {
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
