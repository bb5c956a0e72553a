//! Answers in place of errors.

mod answer;
mod body;
mod future;
mod layer;
mod service;

pub use self::{body::RespondBody, future::ResponseFuture, layer::RespondLayer, service::Respond};

#[cfg(test)]
mod tests;
