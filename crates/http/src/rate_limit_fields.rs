//! Telling clients what is left of their limits.

mod fields;
mod future;
mod layer;
mod service;

pub use self::{future::ResponseFuture, layer::RateLimitFieldsLayer, service::RateLimitFields};

#[cfg(test)]
mod tests;
