//! Bounds how long an attempt, or a whole request with all its attempts, may take.
//!
//! ```text
//!   request ──► TimeoutLayer::total(30 s) ──► retry ──► TimeoutLayer::new(10 s) ──► service
//!               the deadline, for all              each attempt
//! ```
//!
//! A service that answers late ties up its callers, and theirs. A bound on every wait is the
//! first protection to add, and the cheapest: while the inner service answers at once, this layer
//! sets no timer and reads no clock.
//!
//! ```
//! use std::time::Duration;
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_ballast_core::{BoxError, Reason, Rejected};
//! use tower_ballast_timeout::TimeoutLayer;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! let mut service = ServiceBuilder::new()
//!     .layer(TimeoutLayer::new(Duration::from_secs(1)))
//!     .service_fn(|seconds: u64| async move {
//!         tokio::time::sleep(Duration::from_secs(seconds)).await;
//!         Ok::<_, BoxError>("done")
//!     });
//!
//! assert_eq!(service.ready().await.unwrap().call(0).await.unwrap(), "done");
//!
//! let late = service.ready().await.unwrap().call(60).await.unwrap_err();
//! assert_eq!(Rejected::find_in(&late).unwrap().reason(), Reason::Timeout);
//! assert_eq!(late.to_string(), "timeout: the attempt took longer than it may");
//! # });
//! ```
//!
//! # Two bounds, two meanings
//!
//! | constructor | bounds | error | what it means to other layers |
//! |---|---|---|---|
//! | [`TimeoutLayer::new`] | one attempt | [`Reason::Timeout`] | a failure of the service: breakers count it, a retry may follow |
//! | [`TimeoutLayer::total`] | the request with all its attempts and waits | [`Reason::DeadlinePassed`] | no time is left: nobody counts it, nobody retries |
//!
//! Given [`facts`](TimeoutLayer::facts), both take part in the request's deadline. `total` writes
//! it on the request, or keeps an earlier one that is there; `new` ends with it, and lets the last
//! attempt use all that is left. A request whose deadline has passed is refused before it is sent.
//!
//! # What it does, exactly
//!
//! - The time runs from the first poll that finds the service not ready with its answer; of a
//!   `total` with facts, from the call.
//! - The inner future is polled before the timer: an answer that is there is never thrown away.
//! - It ends with the response. A body that streams on after it is not bounded.
//! - When the caller drops the response, nothing is reported: only a bound that passed is a timeout.
//! - [`Enforcement::Shadow`] reports the timeout and goes on waiting.
//!
//! - The wait for the inner service to be ready is not bounded, unless by
//!   [`cover_readiness`](TimeoutLayer::cover_readiness).
//!
//! It reserves nothing, passes readiness through and needs no `Clone` of the inner service, except when it covers
//! readiness: then it asks the inner service, always answers ready, and waits in the response. The
//! happy path allocates nothing, a timeout one box. Errors of the inner service arrive unchanged,
//! as a [`BoxError`].
//!
//! [`BoxError`]: tower_ballast_core::BoxError
//! [`Enforcement::Shadow`]: tower_ballast_core::Enforcement::Shadow
//! [`Reason::Timeout`]: tower_ballast_core::Reason::Timeout
//! [`Reason::DeadlinePassed`]: tower_ballast_core::Reason::DeadlinePassed

mod bound;
mod cover;
mod future;
mod handle;
mod layer;
mod limits;
mod modes;
mod service;
#[cfg(test)]
mod tests;

pub use self::{
    cover::Covered,
    future::ResponseFuture,
    handle::TimeoutHandle,
    layer::TimeoutLayer,
    limits::{LimitFrom, Limits},
    modes::{Covers, Passes},
    service::Timeout,
};
