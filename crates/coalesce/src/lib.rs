//! Lets equal requests share one call: a thousand who ask for the same thing at once ask the service once.
//!
//! ```text
//!   7 ──►┐
//!   7 ──►├──► one call for 7 ──► its answer to each of them
//!   7 ──►┘
//!   8 ─────► one call for 8
//! ```
//!
//! A page that just went viral, a value that has just left the cache, a hundred workers that start at once: all ask for
//! the same, and the service would compute it as often as it is asked. With this layer it computes it once. Nothing
//! is kept: who comes when the answer is there makes a call again. To keep answers take `CacheLayer` of
//! `tower-ballast-cache`, which shares calls in the same way.
//!
//! ```
//! use std::sync::Arc;
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_ballast_coalesce::CoalesceLayer;
//! use tower_ballast_core::BoxError;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let layer = CoalesceLayer::new(|report: &u32| Some(*report));
//! let handle = layer.handle();
//! let mut service = ServiceBuilder::new().layer(layer).service_fn(|report: u32| async move {
//!     tokio::task::yield_now().await; // a long computation
//!     Ok::<_, BoxError>(Arc::new(format!("report {report}")))
//! });
//!
//! let service = service.ready().await.unwrap();
//! let (one, other) = tokio::join!(service.call(7), { service.call(7) });
//! assert!(Arc::ptr_eq(&one.unwrap(), &other.unwrap()));
//! assert_eq!(handle.statistics().joined, 1);
//! # });
//! ```
//!
//! # Who may share
//!
//! The closure gives the key: requests with equal keys get the same answer. Whatever an answer depends on belongs in it:
//! the tenant, the language, the rights of who asks. `None` lets a request through alone; give it for whatever
//! changes something.
//!
//! # Whose call it is
//!
//! The call belongs to the key. It is polled by one of those who wait for it; when that one goes away, because its client has
//! hung up or its time is over, another one goes on with the same call. With the last of them it is dropped.
//!
//! What is of one request alone does not hold for the others: the deadline and the priority of the first one go along with
//! the call. So let layers that bound time stand outside of this one.
//!
//! # Failures
//!
//! An error belongs to the one whose request was sent. One of the others makes the call again, with its own request; when that
//! fails too, it stays at that and the rest are told: with the text of the error, or the [`Rejected`] of the layer that refused. That
//! the circuit is open is told at once, since another call would be refused as well. A panic goes on in the caller that began the call, and is a failure
//! for the others.
//!
//! A call makes progress while those who wait for it are polled. Whoever has waited for [`longest_wait`](CoalesceLayer::longest_wait)
//! makes the call anew, one for all who are tired of waiting.
//!
//! # Defaults
//!
//! | setting | default |
//! |---|---|
//! | longest wait for another one's call | 10 seconds |
//!
//! # Cost
//!
//! The answer is cloned for each of the others, so let it be an `Arc` or cheap to clone. A call costs three allocations and a lock on one
//! part of the table, joining it the place of a waker. Memory grows with the calls that run, and with nothing else. The service is
//! asked whether it is ready by the call itself: this layer is always ready.

mod future;
mod handle;
mod layer;
mod service;
mod shared;
#[cfg(test)]
mod tests;

#[allow(unused_imports, reason = "the page above links to it")]
use tower_ballast_core::Rejected;

pub use self::{
    future::ResponseFuture,
    handle::{CoalesceHandle, Statistics},
    layer::CoalesceLayer,
    service::Coalesce,
};
