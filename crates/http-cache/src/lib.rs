//! An HTTP cache as a Tower layer.

mod answer;
mod body;
pub mod engine;
mod exchange;
mod fetch;
mod fill;
mod future;
mod handle;
mod identity;
mod layer;
mod pass;
mod progress;
mod quest;
mod resource;
mod service;
mod settings;
mod shared;
mod statistics;

pub use self::{
    body::CacheBody, future::ResponseFuture, handle::HttpCacheHandle, identity::Identity,
    layer::HttpCacheLayer, resource::Stored, service::HttpCache, statistics::Statistics,
};

#[cfg(test)]
mod tests;
