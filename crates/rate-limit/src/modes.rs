//! Whether callers may wait, as a type.

/// Callers are refused when nothing may pass. The default.
#[derive(Debug, Clone, Copy)]
pub struct Refuse(());

/// Callers wait for their turn. Set by
/// [`PriorityRateLimitLayer::queue`](crate::PriorityRateLimitLayer::queue).
#[derive(Debug, Clone, Copy)]
pub struct Queue(());
