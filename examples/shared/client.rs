//! The way to the upstream.

use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use hyper_util::{
    client::legacy::{Builder, Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

/// hyper-util's client, with limits for what may hang.
///
/// When a kept connection turns out to be closed before a byte of a request was written,
/// `repeats_unsent` tries another one. Two that retry multiply: it is for clients without a retry
/// of their own.
pub(crate) fn hyper_client<B>(repeats_unsent: bool) -> Client<HttpConnector, B>
where
    B: HttpBody<Data = Bytes> + Send,
{
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(Duration::from_secs(1)));
    Builder::new(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_secs(5))
        .retry_canceled_requests(repeats_unsent)
        .build(connector)
}
