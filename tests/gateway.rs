//! The gateway of the examples: what it forwards, what it refuses, and what it says.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod arguments;
mod forwarding;
mod malformed;
mod rig;
mod storm_in_a_teacup;

use crate::shared::{client, flags, listener, proxy};

#[path = "../examples/gateway/args.rs"]
mod args;
#[path = "../examples/gateway/figures.rs"]
mod figures;
#[path = "../examples/gateway/load.rs"]
mod load;
#[path = "../examples/gateway/protection.rs"]
mod protection;
#[allow(dead_code, reason = "the example's main uses the rest")]
#[path = "../examples/gateway/report.rs"]
mod report;
#[allow(dead_code, reason = "the example's main uses the rest")]
#[path = "../examples/gateway/storm.rs"]
mod storm;
#[path = "../examples/gateway/upstream.rs"]
mod upstream;
#[allow(dead_code, reason = "the example's main uses the rest")]
#[path = "../examples/gateway/watch.rs"]
mod watch;
