//! Counts and times requests by operation: errors, rates and percentiles, of the whole time and of
//! the last minute, without a lock on the path.
//!
//! ```
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_ballast_core::BoxError;
//! use tower_ballast_metrics::MetricsLayer;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let layer = MetricsLayer::new().name("shop").operation(|request: &String| request);
//! let metrics = layer.handle();
//! let mut service = ServiceBuilder::new().layer(layer).service_fn(|request: String| async move {
//!     Ok::<_, BoxError>(request.len())
//! });
//!
//! service.ready().await.unwrap().call("browse".to_owned()).await.unwrap();
//! service.ready().await.unwrap().call("buy".to_owned()).await.unwrap();
//!
//! let bought = metrics.of("buy").unwrap();
//! assert_eq!((bought.whole.count, bought.whole.errors), (1, 0));
//! println!("{}", metrics.statistics());
//! # });
//! ```
//!
//! # What is counted
//!
//! | figure | of |
//! |---|---|
//! | [`count`](Figures::count), [`errors`](Figures::errors), [`ignored`](Figures::ignored) | requests that were answered, by the [`Verdict`] on the outcome: `Success`, `Failure`, `Ignore` |
//! | [`cancelled`](Figures::cancelled) | requests whose caller went away first; they have no place in the times |
//! | [`in_flight`](OperationStatistics::in_flight) | requests without an answer yet |
//! | [`total`](Figures::total), [`min`](Figures::min), [`max`](Figures::max), [`mean`](Figures::mean), [`p50`](Figures::p50), [`p95`](Figures::p95), [`p99`](Figures::p99) | the time from the call to its answer; over HTTP, to the head of it |
//!
//! Percentiles come from a log-linear [`Histogram`] and are within 1.6 % of the exact ones; counts and the
//! total are exact, and of the whole time so are the smallest and the largest. The last minute is exact to one
//! slice of five seconds: it covers between 55 and 60 seconds.
//!
//! A call that panics is an error. What our own layers refuse is `Ignore`d, except for the timeout of an
//! attempt: put this layer outside of them to count what callers see, inside to count what the service does.
//!
//! # Operations
//!
//! Without [`operation`](MetricsLayer::operation) all requests are counted as `requests`. The name should be a
//! route and not a path, for each one has a histogram of its own. Should a hostile client still make up names, no
//! more than [`most_operations`](MetricsLayer::most_operations) get one and the rest is counted as `other`.
//!
//! # Plain code
//!
//! ```
//! use tower_ballast_metrics::MetricsLayer;
//!
//! let metrics = MetricsLayer::new().handle();
//! let import = metrics.track("import");
//! let outcome = "17".parse::<u32>();
//! import.end(&outcome);
//! assert_eq!(metrics.of("import").unwrap().whole.count, 1);
//! ```
//!
//! # Elsewhere
//!
//! With the feature `metrics`, `.export(Exporter::new())` gives the same figures to the `metrics` facade, and so to
//! Prometheus and others; the same exporter as `.observer(..)` of any layer turns its events into metrics. With the
//! feature `tracing`, `.observer(Tracer)` turns events into those of `tracing`. Names and labels are in the
//! tables at the [end of this page](#names).
//!
//! # Defaults
//!
//! | setting | default |
//! |---|---|
//! | operation | none: all are `requests` |
//! | most operations | 1000 |
//! | classifier | `Err` is an error |
//! | export | none |
//!
//! # Cost
//!
//! Two readings of the clock, a count of owners up and down, two additions; no lock, no allocation but for the first
//! requests of an operation. With names, a hash of the name. Once in five seconds, the first request of
//! each operation copies its histogram, for the minute. An operation holds about 4 KiB for every eight threads of the
//! machine, 256 bytes for every power of two of nanoseconds that it has seen, and twelve copies of what is
//! not zero in it.
#![doc = ""]
#![doc = include_str!("names.md")]

mod export;
#[cfg(feature = "metrics")]
mod exporter;
mod future;
mod handle;
mod layer;
mod minute;
mod series;
mod service;
mod shared;
mod statistics;
mod table;
#[cfg(test)]
mod tests;
mod timing;
#[cfg(feature = "tracing")]
mod tracer;
mod tracked;

#[allow(unused_imports, reason = "the page above links to it")]
use tower_ballast_core::{Histogram, Verdict};

#[cfg(feature = "metrics")]
pub use self::exporter::Exporter;
#[cfg(feature = "tracing")]
pub use self::tracer::Tracer;
pub use self::{
    export::{Export, Outcome, Sink},
    future::ResponseFuture,
    handle::MetricsHandle,
    layer::MetricsLayer,
    service::Metrics,
    statistics::{Figures, OperationStatistics, Statistics},
    tracked::Tracked,
};
