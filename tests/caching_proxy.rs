//! The caching proxy of the examples: what it passes on, and what it says.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod arguments;
mod caching;
mod interim;
#[cfg(target_os = "linux")]
mod memory;
mod passing;
mod rig;
mod wire;

use crate::shared::{client, flags, listener, proxy};

#[path = "../examples/caching_proxy/args.rs"]
mod args;
#[path = "../examples/caching_proxy/stack.rs"]
mod stack;
