//! The locks of a body on its way and of what is kept: std's, or loom's in builds that model-check them.

#[cfg(ballast_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(ballast_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};

/// In how many parts one waits for another who changes what is kept.
pub(crate) const CHANGING: usize = if cfg!(ballast_loom) { 1 } else { 64 };
