//! Refuses at the client what the server would refuse.
//!
//! A server that is asked for too much refuses, but a refusal costs it something too, and with enough
//! of them it does nothing else. A [`ThrottleLayer`] counts how many requests were asked for and how
//! many the server accepted, and once these are too far apart it refuses some by itself, by chance:
//!
//! ```text
//!   max(0, (requests - K * accepted) / (requests + 1))
//! ```
//!
//! So the server is sent about K times what it accepts: with the default of 2, one refused request for
//! each that it accepts. That is how the client finds out that the server accepts more again. What is
//! refused here counts as a request.
//!
//! ```
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_ballast_bulkhead::throttle::ThrottleLayer;
//! use tower_ballast_core::{BoxError, Reason, Rejected, Verdict};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let layer = ThrottleLayer::new().name("search").classify(|outcome: Result<&u32, &BoxError>| {
//!     match outcome {
//!         Ok(503) => Verdict::throttled(),
//!         Ok(_) => Verdict::Success,
//!         Err(_) => Verdict::transient(),
//!     }
//! });
//! let handle = layer.handle();
//! let mut server = ServiceBuilder::new()
//!     .layer(layer)
//!     .service_fn(|_query: &str| async { Ok::<_, BoxError>(503) });
//!
//! let mut refused = 0;
//! for _ in 0..100 {
//!     if let Err(error) = server.ready().await.unwrap().call("ballast").await {
//!         assert_eq!(Rejected::find(&*error).unwrap().reason(), Reason::Throttled);
//!         refused += 1;
//!     }
//! }
//! assert!(refused > 50);
//! assert_eq!(handle.statistics().refused, refused);
//! # });
//! ```
//!
//! # What is accepted
//!
//! | outcome | counts as |
//! |---|---|
//! | [`Success`](tower_ballast_core::Verdict::Success), and any failure but `Throttled` | accepted: the server took it on |
//! | `Failure` of the kind [`Throttled`](tower_ballast_core::FailureKind::Throttled) | not accepted |
//! | a rejection of [overload](tower_ballast_core::Reason::is_overload) by a layer inside, such as a full bulkhead | not accepted |
//! | [`Ignore`](tower_ballast_core::Verdict::Ignore), other rejections, a call that its caller gave up | nothing |
//!
//! # Defaults
//!
//! | setting | default |
//! |---|---|
//! | multiplier K | 2 |
//! | window | 2 minutes, in 24 steps |
//! | fewest requests in it | 20 |
//! | highest share refused | 90 % |
//! | what is accepted | by [`ByResult`](tower_ballast_core::ByResult): an `Err` is a failure and no refusal |
//! | enforcement | on |
//!
//! Formula, multiplier and window are those of "Handling Overload" in Google's "Site Reliability
//! Engineering" (2016), chapter 21. The book has no highest share: after an outage a client of few
//! requests would then send hardly any for as long as the window lasts. 90 % leaves it one of ten.
//!
//! A refusal names no moment to come back, so it is not [repeated](tower_ballast_core::Retryable). Put the layer
//! inside of the retries: each attempt is one request to the server.
//!
//! # Cost
//!
//! While nothing is refused, one reading of the clock and one short lock for each call, when it ends. Nothing
//! is allocated; a refusal is one box of at most 64 bytes. The window takes 576 bytes.

mod future;
mod handle;
mod layer;
mod ledger;
mod service;
mod shared;
#[cfg(test)]
mod tests;

pub use self::{
    future::ResponseFuture,
    handle::{Statistics, ThrottleHandle},
    layer::ThrottleLayer,
    service::Throttle,
};
