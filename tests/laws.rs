//! Every layer, in every mode, under every law.

mod bulkhead;
mod cache;
mod circuit_breaker;
mod closures;
mod coalesce;
mod fallback;
mod http;
mod http_cache;
mod metrics;
mod mock;
mod per_key;
mod rate_limit;
mod retry;
mod shed;
mod throttle;
mod timeout;
