//! Whether the wait for the inner service to be ready is bounded too, as a type.

/// Readiness passes through and is not bounded. The default.
#[derive(Debug, Clone, Copy)]
pub struct Passes(());

/// The limit covers it. Set by
/// [`TimeoutLayer::cover_readiness`](crate::TimeoutLayer::cover_readiness).
#[derive(Debug, Clone, Copy)]
pub struct Covers(());
