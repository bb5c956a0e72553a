//! The lock of a body on its way: std's, or loom's in builds that model-check it.

#[cfg(ballast_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(ballast_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};
