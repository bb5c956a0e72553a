//! The meaning of HTTP and gRPC over real sockets.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod errors;
mod rate_limit;
mod replay;
mod respond;
mod retry;
