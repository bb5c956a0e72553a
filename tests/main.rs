//! The tests of the workspace as a whole.
#![allow(clippy::unwrap_used, reason = "a test that unwraps fails, as it should")]

mod allocations;
mod architecture;
mod caching_proxy;
mod examples;
mod frameworks;
mod gateway;
mod http_layers;
mod laws;
mod mocks;
mod overload;
mod presets;
mod served;
mod shared;
mod wire;
