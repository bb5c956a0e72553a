//! Limits the rate of requests.

pub mod gate;
mod quota;

pub use self::quota::Quota;
