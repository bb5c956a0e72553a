//! Whether callers may wait, as a type.

/// Callers are refused while the circuit is not closed. The default.
#[derive(Debug, Clone, Copy)]
pub struct Refuse(());

/// Callers may wait for the circuit. Set by [`CircuitBreakerLayer::wait`](crate::CircuitBreakerLayer::wait).
#[derive(Debug, Clone, Copy)]
pub struct Wait(());
