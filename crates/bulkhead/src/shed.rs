//! Refuses what matters least while the machine is overloaded.
//!
//! ```text
//!   load   0 ........ 80 % ..... 87 % ..... 94 % ..... never
//!   refuses nothing    BATCH      + LOW      + MEDIUM    + HIGH
//! ```
//!
//! A queue helps while work comes in faster than it is done. When processors or memory run out,
//! everything gets slower, what matters included, and then only less work helps. A [`ShedLayer`] refuses
//! the lowest class first, and one more with each new reading of a [`SystemLoad`] that is above the
//! threshold of the next; so a single bad reading costs only one class. A class comes back when the
//! load is below its threshold by more than the hysteresis, one with each reading too, so that
//! it does not flap.
//!
//! ```
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_ballast_bulkhead::{shed::ShedLayer, system::SystemLoad};
//! use tower_ballast_core::{BoxError, Priority, Ratio, Reason, Rejected, facts};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let load = SystemLoad::new(); // or that of a `System`
//! let report = |is_report: &bool| is_report.then_some(Priority::Batch);
//! let layer = ShedLayer::new(&load).facts(facts().priority_from(report));
//! let mut service = ServiceBuilder::new()
//!     .layer(layer)
//!     .service_fn(|is_report: bool| async move { Ok::<_, BoxError>(is_report) });
//!
//! load.set(Ratio::percent::<85>());
//! assert!(service.ready().await.unwrap().call(false).await.is_ok());
//! let refused = service.ready().await.unwrap().call(true).await.unwrap_err();
//! assert_eq!(Rejected::find(&*refused).unwrap().reason(), Reason::Overloaded);
//! # });
//! ```
//!
//! # Defaults
//!
//! | setting | default |
//! |---|---|
//! | thresholds | 80 % for `Batch`, 87 % for `Low`, 94 % for `Medium`; `High` is never refused |
//! | hysteresis | 5 % |
//! | priority | [`Medium`](tower_ballast_core::Priority::Medium), for all that the facts do not know |
//! | enforcement | on |
//!
//! A load that nobody has told for 10 seconds is none, and all classes are let in again.
//!
//! # Cost
//!
//! Two atomic loads for a request that is let through while nothing is refused, and a look at its priority
//! while something is. Nothing is allocated; a refusal is one box of at most 64 bytes, and reads the clock.
//!
//! [`SystemLoad`]: crate::system::SystemLoad

mod future;
mod handle;
mod layer;
mod level;
mod service;
mod shared;
#[cfg(test)]
mod tests;

pub use self::{
    future::ResponseFuture, handle::ShedHandle, layer::ShedLayer, level::Thresholds, service::Shed,
};
