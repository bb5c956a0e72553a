//! The layers in every framework, over real sockets: one state for all connections, and refusals
//! that arrive as what they are.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod axum;
mod cached;
mod hyper;
mod reqwest;
mod station;
mod tonic;
