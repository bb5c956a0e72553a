//! Whether callers may wait, as a type.

/// Callers are refused when all permits are taken. The default.
#[derive(Debug, Clone, Copy)]
pub struct Refuse(());

/// Callers wait for their turn. Set by [`BulkheadLayer::queue`](crate::BulkheadLayer::queue).
#[derive(Debug, Clone, Copy)]
pub struct Queue(());
