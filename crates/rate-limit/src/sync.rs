//! The atomics of the gates without a lock, and of the door: std's, or loom's in builds that model-check them.

#[cfg(ballast_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(ballast_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};
