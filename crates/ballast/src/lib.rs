//! Tower layers that keep a service upright under overload, failing dependencies and its own
//! retries, and presets of them that are ready to use.
//!
//! # A server
//!
//! ```
//! use axum::{Router, routing::get};
//!
//! let app: Router = Router::new()
//!     .route("/", get(async || "hello"))
//!     .layer(tower_ballast::http_server());
//! # let _ = app;
//! ```
//!
//! # A client
//!
#![cfg_attr(feature = "reqwest", doc = "```")]
#![cfg_attr(not(feature = "reqwest"), doc = "```text")]
//! use tower::{Service, ServiceBuilder, ServiceExt};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let mut client = ServiceBuilder::new()
//!     .layer(tower_ballast::reqwest_client())
//!     .service(reqwest::Client::new());
//!
//! let request = reqwest::Request::new(reqwest::Method::GET, "http://127.0.0.1:1/".parse()?);
//! let refused = client.ready().await?.call(request).await;
//! assert!(refused.is_err());
//! # Ok::<_, tower_ballast::BoxError>(())
//! # }).unwrap();
//! ```
//!
//! # A stack of your own
//!
//! ```
//! use std::time::Duration;
//! use tower::ServiceBuilder;
//! use tower_ballast::prelude::*;
//!
//! let stack = ServiceBuilder::new()
//!     .layer(TimeoutLayer::total(Duration::from_secs(10)))
//!     .layer(RetryLayer::new(idempotent()))
//!     .layer(CircuitBreakerLayer::new().name("inventory"))
//!     .layer(TimeoutLayer::new(Duration::from_secs(2)))
//!     .service_fn(|sku: u32| async move { Ok::<_, BoxError>(sku) });
//! # let _ = stack;
//! ```
//!
//! # Plain code
//!
//! ```
//! use tower_ballast::{BoxError, Guard};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let inventory = Guard::new("inventory");
//! let stock = inventory.run_or(|| async { Ok::<_, BoxError>(17) }, |_| Ok(0)).await?;
//! # assert_eq!(stock, 17);
//! # Ok::<_, BoxError>(())
//! # }).unwrap();
//! ```
//!
//! # What there is
//!
//! | layer | crate | keeps a service from |
//! |---|---|---|
//! | [`RetryLayer`] | [`retry`](mod@retry) | failing for what another attempt would mend |
//! | [`CircuitBreakerLayer`] | [`circuit_breaker`] | calling what is down, and from being called while it gets up |
//! | [`TimeoutLayer`] | [`timeout`] | waiting for ever |
//! | [`BulkheadLayer`] | [`bulkhead`] | taking in more than it can do at once |
//! | [`PriorityRateLimitLayer`] | [`rate_limit`] | more requests than it can serve, and from serving the wrong ones first |
//! | [`CacheLayer`] | [`cache`] | doing again what it has just done |
//! | [`CoalesceLayer`] | [`coalesce`] | doing the same for many who ask at once |
//! | [`FallbackLayer`] | [`fallback`] | answering with an error where a lesser answer would do |
//! | [`PerKeyLayer`] | [`per_key`] | letting one key, such as a host, spoil what others share |
//! | [`MetricsLayer`] | [`metrics`] | nothing, and shows how it fares |
#![cfg_attr(
    feature = "http",
    doc = "| [`RespondLayer`] | [`http`] | answering a refusal with a dropped connection |"
)]
#![cfg_attr(
    feature = "http-cache",
    doc = "| [`HttpCacheLayer`] | [`http_cache`] | fetching again what HTTP allows to keep |"
)]
#![cfg_attr(feature = "http", doc = "")]
#![cfg_attr(feature = "http", doc = "| preset | for |")]
#![cfg_attr(feature = "http", doc = "|---|---|")]
#![cfg_attr(feature = "http", doc = "| [`http_server`] | axum, hyper and tonic servers |")]
#![cfg_attr(feature = "http", doc = "| [`http_client`] | hyper-util's client, tonic channels |")]
#![cfg_attr(feature = "reqwest", doc = "| [`reqwest_client`] | `reqwest::Client` |")]
//!
//! # Features
//!
//! `http`, `http-cache` and `hyper-util` are on by default; `reqwest` adds its preset, `metrics` and `tracing` the
//! observers of those names. A feature adds types and never changes what is there.

#[cfg(feature = "http-cache")]
mod cached_client;
#[cfg(feature = "http")]
mod client;
#[cfg(feature = "http")]
mod endpoint;
pub mod guard;
#[cfg(feature = "http")]
mod limits;
pub mod per_key;
mod plain;
#[cfg(feature = "reqwest")]
mod reqwest_client;
#[cfg(feature = "http")]
mod server;

pub use tower_ballast_bulkhead as bulkhead;
pub use tower_ballast_cache as cache;
pub use tower_ballast_circuit_breaker as circuit_breaker;
pub use tower_ballast_coalesce as coalesce;
pub use tower_ballast_core as core;
pub use tower_ballast_fallback as fallback;
#[cfg(feature = "http")]
pub use tower_ballast_http as http;
#[cfg(feature = "http-cache")]
pub use tower_ballast_http_cache as http_cache;
pub use tower_ballast_metrics as metrics;
pub use tower_ballast_rate_limit as rate_limit;
pub use tower_ballast_retry as retry;
pub use tower_ballast_timeout as timeout;

pub use tower_ballast_bulkhead::BulkheadLayer;
pub use tower_ballast_cache::CacheLayer;
pub use tower_ballast_circuit_breaker::CircuitBreakerLayer;
pub use tower_ballast_coalesce::CoalesceLayer;
pub use tower_ballast_core::{
    Backoff, BoxError, Budget, Classify, Deadline, Enforcement, Event, Facts, Jitter, Key,
    Observer, Priority, Ratio, Reason, Rejected, Retryable, Verdict, count, facts, idempotent,
};
pub use tower_ballast_fallback::FallbackLayer;
#[cfg(feature = "http")]
pub use tower_ballast_http::{HttpClassify, HttpFacts, HttpReplay, Idempotent, RespondLayer};
#[cfg(feature = "http-cache")]
pub use tower_ballast_http_cache::HttpCacheLayer;
pub use tower_ballast_metrics::MetricsLayer;
pub use tower_ballast_rate_limit::{KeyLimit, PriorityRateLimitLayer, Quota};
pub use tower_ballast_retry::RetryLayer;
pub use tower_ballast_timeout::TimeoutLayer;

#[cfg(feature = "http-cache")]
pub use self::cached_client::{CachedHttpClient, CachedHttpClientService};
#[cfg(feature = "reqwest")]
pub use self::reqwest_client::reqwest_client;
#[cfg(feature = "http")]
pub use self::{
    client::{HttpClient, HttpClientService, http_client},
    endpoint::Endpoint,
    server::{HttpServer, HttpServerService, http_server},
};
pub use self::{
    guard::Guard,
    per_key::PerKeyLayer,
    plain::{Job, RetryFuture, Run, retry},
};

/// What most stacks name: the layers, the vocabulary of their settings, and the one error.
///
/// ```
/// use tower_ballast::prelude::*;
///
/// let retry = RetryLayer::new(idempotent()).retries(4);
/// # let _ = retry;
/// ```
pub mod prelude {
    pub use crate::{
        Backoff, BoxError, Budget, BulkheadLayer, CacheLayer, CircuitBreakerLayer, CoalesceLayer,
        Deadline, Enforcement, Event, Facts, FallbackLayer, Jitter, Key, KeyLimit, MetricsLayer,
        Priority, PriorityRateLimitLayer, Quota, Ratio, Reason, Rejected, RetryLayer, TimeoutLayer,
        Verdict, count, facts, idempotent,
    };
}
