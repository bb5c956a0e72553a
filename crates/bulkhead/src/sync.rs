//! The lock and the atomics of what parts lend each other: std's, or loom's in builds that model-check them.

#[cfg(ballast_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(ballast_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};
