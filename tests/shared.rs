//! What the examples share, once for all tests of them.

#[path = "../examples/shared/client.rs"]
pub(crate) mod client;
#[path = "../examples/shared/flags.rs"]
pub(crate) mod flags;
#[allow(dead_code, reason = "the examples' mains use the rest")]
#[path = "../examples/shared/listener.rs"]
pub(crate) mod listener;
#[path = "../examples/shared/proxy/mod.rs"]
pub(crate) mod proxy;
