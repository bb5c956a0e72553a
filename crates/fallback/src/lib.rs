//! Answers with something else when the service fails: a value, what a closure makes, or another
//! service.
//!
//! ```text
//!   request ──► the service ──► good ─────────────────────────────► answer
//!                    │
//!                    └──► failed, refused ──► the fallback ──► good ──► answer
//!                                                  │
//!                                                  └──► none to be had ──► the first outcome
//! ```
//!
//! A list of recommendations that is empty, a price of an hour ago, the same page from another
//! region: often a lesser answer is better than an error. What a fallback costs must be less than
//! what it stands in for, or it fails with it.
//!
//! ```
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_ballast_core::BoxError;
//! use tower_ballast_fallback::FallbackLayer;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let mut service = ServiceBuilder::new()
//!     .layer(FallbackLayer::value(Vec::<String>::new()))
//!     .service_fn(|_user: u32| async { Err::<Vec<String>, _>(BoxError::from("no recommendations")) });
//!
//! assert_eq!(service.ready().await.unwrap().call(7).await.unwrap(), Vec::<String>::new());
//! # });
//! ```
//!
//! # The ways
//!
//! | constructor | answers with | asks for |
//! |---|---|---|
//! | [`value`](FallbackLayer::value) | a clone of a value | a response that is `Clone` |
//! | [`outcome`](FallbackLayer::outcome) | what a closure makes of the outcome, which may be an error again | nothing |
//! | [`request`](FallbackLayer::request) | the same, with what another closure has kept of the request | nothing |
//! | [`service`](FallbackLayer::service) | the answer of another service to the same request | a request that can be [kept](FallbackLayer::replay) |
//!
//! # When
//!
//! For every outcome that the classifier calls a failure, by default each `Err`, and for every rejection by
//! our layers inside: an open circuit, a full bulkhead, a timeout. An outcome that the classifier ignores is handed on.
//! An error of `poll_ready` is handed on too, since no request has been made then.
//!
//! When another service is asked, at most [`limit`](FallbackLayer::limit) requests are there at a time, so that what is
//! left standing does not go down as well; it is not asked past the deadline that
//! [`facts`](FallbackLayer::facts) know of. If it cannot be asked, fails, or gives a response that the classifier calls a
//! failure, the caller gets the first outcome, which says more of what is wrong. Without a deadline it may take for ever:
//! give it a timeout of its own, one that covers readiness.
//!
//! # Defaults
//!
//! | setting | default |
//! |---|---|
//! | classifier | `Err` is a failure |
//! | limit, for a service | 100 at a time |
//! | deadline, for a service | none |
//! | enforcement | on; in shadow it tells and hands on the first outcome |
//!
//! # Events and cost
//!
//! [`FellBack`](EventKind::FellBack) tells of every answer that was replaced, by the kind of the failure or the reason of the
//! rejection; [`FallbackMissed`](EventKind::FallbackMissed) of every one that was wanted and not to be had: `limit`,
//! `deadline`, `not_ready`, `failed`, `body_gone`. A closure that gives an error again has `failed`.
//!
//! The happy path costs a count of owners, and for a service the copy of the request; nothing is allocated by this layer. The
//! error type stays that of the inner service.

mod future;
mod handle;
mod layer;
mod service;
mod shared;
mod statistics;
#[cfg(test)]
mod tests;
mod through;
mod way;

#[allow(unused_imports, reason = "the page above links to it")]
use tower_ballast_core::EventKind;

pub use self::{
    future::ResponseFuture,
    handle::FallbackHandle,
    layer::FallbackLayer,
    service::Fallback,
    statistics::Statistics,
    through::ThroughFuture,
    way::{Made, Make, Outcome, Request, Through, Value},
};
