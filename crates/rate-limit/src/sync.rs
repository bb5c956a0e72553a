//! The atomics of the gates without a lock: std's, or loom's in builds that model-check them.

#[cfg(ballast_loom)]
pub(crate) use loom::sync::{Mutex, atomic};
#[cfg(not(ballast_loom))]
pub(crate) use std::sync::{Mutex, atomic};
