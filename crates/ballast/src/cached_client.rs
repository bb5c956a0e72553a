use std::task::{Context, Poll};

use tower_ballast_http::{ByAuthority, HttpClassify, HttpDrain, HttpFacts, HttpReplay, Idempotent};
use tower_ballast_http_cache::{HttpCache, HttpCacheHandle, HttpCacheLayer, WholeOnly};
use tower_ballast_metrics::Metrics;
use tower_ballast_retry::Retry;
use tower_ballast_timeout::Timeout;
use tower_layer::Layer;
use tower_service::Service;

use crate::{HttpClient, endpoint::Endpoint, per_key::PerKey};

type Attempts<S, R, D> =
    Retry<PerKey<S, ByAuthority, Endpoint, Endpoint>, Idempotent, R, HttpClassify, D>;
type Stack<S, R, D, P> =
    Metrics<Timeout<HttpCache<Attempts<S, R, D>, P>, HttpFacts>, HttpClassify, ByAuthority>;

/// [`http_client`](crate::http_client) with a response cache. Made by [`HttpClient::cache`].
///
/// The cache stands inside of the deadline and outside of the retries: an answer that is there costs neither an attempt nor a
/// place in the bulkhead, and is served while the circuit is open. Where its rules say so, a stale answer is served when all else
/// fails: the service, its retries, or the circuit that refuses.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast::{http_cache::{HttpCacheLayer, engine::Rules}, http_client};
///
/// let hour = Duration::from_secs(3600);
/// let rules = Rules::private().stale_if_error(hour).stale_if_disconnected(hour);
/// let preset = http_client().retry(|layer| layer.retries(1)).cache(HttpCacheLayer::new(rules));
/// println!("{}", preset.explain());
/// assert_eq!(preset.cache_handle().statistics().hits, 0);
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct CachedHttpClient<R = HttpReplay, D = HttpDrain, P = WholeOnly> {
    client: HttpClient<R, D>,
    cache: HttpCacheLayer<P>,
}

impl<R, D> HttpClient<R, D> {
    /// Keeps responses by the rules of HTTP. To be said last: the handles of the other layers are this client's.
    ///
    /// The cache of one user is [`Rules::private`](crate::http_cache::engine::Rules::private); one that many users share through this client
    /// is [`Rules::shared`](crate::http_cache::engine::Rules::shared).
    pub const fn cache<P>(self, cache: HttpCacheLayer<P>) -> CachedHttpClient<R, D, P> {
        CachedHttpClient { client: self, cache }
    }
}

impl<R, D, P> CachedHttpClient<R, D, P> {
    /// The client without its cache, with all its handles.
    pub const fn client(&self) -> &HttpClient<R, D> {
        &self.client
    }

    /// A handle to what is kept.
    #[must_use]
    pub fn cache_handle(&self) -> HttpCacheHandle {
        self.cache.handle()
    }

    /// The stack in words, outermost first, with its present settings.
    #[must_use]
    pub fn explain(&self) -> String {
        const CACHE: &str = "cache     answers by the rules of HTTP, kept while they stream\n";
        let client = self.client.explain();
        let at = client.find("retry ").unwrap_or(client.len());
        let (before, after) = client.split_at(at);
        format!("{before}{CACHE}{after}")
    }
}

impl<S, R: Clone, D: Clone, P: Clone> Layer<S> for CachedHttpClient<R, D, P> {
    type Service = CachedHttpClientService<S, R, D, P>;

    fn layer(&self, inner: S) -> Self::Service {
        let client = &self.client;
        let attempts = client.retry.layer(client.endpoints.layer(inner));
        let deadline = client.deadline.layer(self.cache.layer(attempts));
        CachedHttpClientService(client.metrics.layer(deadline))
    }
}

/// A client protected by a [`CachedHttpClient`].
#[derive(Debug, Clone)]
pub struct CachedHttpClientService<S, R = HttpReplay, D = HttpDrain, P = WholeOnly>(
    Stack<S, R, D, P>,
);

impl<S, R, D, P, Req> Service<Req> for CachedHttpClientService<S, R, D, P>
where
    Stack<S, R, D, P>: Service<Req>,
{
    type Response = <Stack<S, R, D, P> as Service<Req>>::Response;
    type Error = <Stack<S, R, D, P> as Service<Req>>::Error;
    type Future = <Stack<S, R, D, P> as Service<Req>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        self.0.call(request)
    }
}
