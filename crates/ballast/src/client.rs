use std::{
    ops::RangeInclusive,
    task::{Context, Poll},
};

use tower_ballast_core::{Event, Observer, SharedObserver};
use tower_ballast_http::{ByAuthority, HttpClassify, HttpDrain, HttpFacts, HttpReplay, Idempotent};
use tower_ballast_metrics::{Metrics, MetricsHandle, MetricsLayer};
use tower_ballast_retry::{Retry, RetryHandle, RetryLayer, WorstCase};
use tower_ballast_timeout::{Timeout, TimeoutHandle, TimeoutLayer};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    BulkheadLayer,
    endpoint::{Attempt, Circuit, Endpoint},
    limits::{AUTHORITIES, TOTAL},
    per_key::{PerKey, PerKeyHandle, PerKeyLayer},
};

type Deadline = TimeoutLayer<HttpFacts>;
type Attempts<R, D> = RetryLayer<Idempotent, R, HttpClassify, D>;
type Endpoints = PerKeyLayer<ByAuthority, Endpoint, Endpoint>;
type Figures = MetricsLayer<HttpClassify, ByAuthority>;
type Stack<S, R, D> = Metrics<
    Timeout<
        Retry<PerKey<S, ByAuthority, Endpoint, Endpoint>, Idempotent, R, HttpClassify, D>,
        HttpFacts,
    >,
    HttpClassify,
    ByAuthority,
>;

/// Protects an HTTP or gRPC client of hyper-util or tonic.
///
/// Outermost first:
///
/// | layer | does |
/// |---|---|
/// | [`MetricsLayer`] | counts and times requests by authority: host and port |
/// | [`TimeoutLayer::total`] | 30 s for the request with all its attempts |
/// | [`RetryLayer`] | up to 2 retries of what may be repeated, within a budget; bodies up to 64 KiB are kept for it |
/// | [`PerKeyLayer`] | gives each of 256 authorities its own of the following three |
/// | [`BulkheadLayer`] | as many attempts at once as its window says: from 100, halved when attempts time out, one more with each window of answers, at most 1000 |
/// | [`CircuitBreakerLayer`](crate::CircuitBreakerLayer) | refuses while half of the calls fail |
/// | [`TimeoutLayer::new`] | 10 s for each attempt; the last one may use what is left |
///
/// Of further authorities those are forgotten that have no request in flight, were not asked for lately and
/// have no circuit that rests or is forced; without such, the newcomers share one set of the three.
///
/// What may be repeated goes by the method, or an `Idempotency-Key`: a POST without one is sent
/// once. The error is a [`BoxError`](tower_ballast_core::BoxError).
///
/// A request costs seven allocations of the `http` crate: four for writing deadline and attempt into
/// its extensions, three for the copy that a retry would send. The layers add none of their own.
///
/// The client's own retries are a trap: hyper-util repeats a request on its own when a pooled
/// connection turns out to be closed. Switch that off with `retry_canceled_requests(false)`.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower::{Service, ServiceBuilder, ServiceExt};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let mut client = ServiceBuilder::new()
///     .layer(tower_ballast::http_client())
///     .service(Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http());
///
/// let request = http::Request::get("http://127.0.0.1:1/").body(Full::<Bytes>::default()).unwrap();
/// let refused = client.ready().await.unwrap().call(request).await;
/// assert!(refused.is_err());
/// # });
/// ```
pub fn http_client() -> HttpClient {
    HttpClient::sending_again(HttpReplay::new(), HttpDrain::new())
}

/// The preset that [`http_client`] makes; a layer, still to be tuned.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast::{Ratio, http_client};
///
/// let layer = http_client()
///     .deadline(|layer| layer.limit(Duration::from_secs(5)))
///     .retry(|layer| layer.retries(1))
///     .circuit(|layer| layer.failure_rate(Ratio::percent::<25>()))
///     .attempt(|layer| layer.limit(Duration::from_secs(2)));
/// println!("{}", layer.explain());
/// assert_eq!(layer.worst_case().attempts, 2);
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct HttpClient<R = HttpReplay, D = HttpDrain> {
    pub(crate) metrics: Figures,
    pub(crate) deadline: Deadline,
    pub(crate) retry: Attempts<R, D>,
    pub(crate) endpoints: Endpoints,
}

impl<R, D> HttpClient<R, D> {
    pub(crate) fn sending_again(replay: R, drain: D) -> Self {
        let facts = HttpFacts::new();
        let endpoints = PerKeyLayer::over(AUTHORITIES, ByAuthority, Endpoint::new(&facts));
        Self {
            metrics: MetricsLayer::new()
                .name("client")
                .classify_with(HttpClassify::new())
                .operation_with(ByAuthority),
            deadline: TimeoutLayer::total(TOTAL).name("deadline").facts(facts),
            retry: RetryLayer::new(Idempotent::new())
                .total(TOTAL)
                .replay(replay)
                .discard(drain)
                .classify_with(HttpClassify::new()),
            endpoints: endpoints.keep_if(Endpoint::is_worth_keeping),
        }
    }

    /// Tunes the figures.
    pub fn metrics(mut self, tune: impl FnOnce(Figures) -> Figures) -> Self {
        self.metrics = tune(self.metrics);
        self
    }

    /// Tunes the deadline of the whole request. The retries keep to the same limit by themselves,
    /// for requests that cannot carry a deadline, as those of reqwest.
    pub fn deadline(mut self, tune: impl FnOnce(Deadline) -> Deadline) -> Self {
        self.deadline = tune(self.deadline);
        self.retry = self.retry.total(self.deadline.handle().limit());
        self
    }

    /// Tunes the retries.
    pub fn retry(mut self, tune: impl FnOnce(Attempts<R, D>) -> Attempts<R, D>) -> Self {
        self.retry = tune(self.retry);
        self
    }

    /// Between which numbers the window of concurrent attempts to one authority stays. Default: 1 to
    /// 1000. Where something before it bounds what comes at once, as a server's own bulkhead does in a
    /// gateway, the window need not go below that.
    ///
    /// ```
    /// let layer = tower_ballast::http_client().window(20..=200);
    /// assert!(layer.explain().contains("at most 200"));
    /// ```
    pub fn window(self, range: RangeInclusive<u32>) -> Self {
        self.model(|model| Endpoint {
            bulkhead: model.bulkhead.limit(*range.end()),
            least: *range.start(),
            ..model
        })
    }

    /// Tunes the bulkhead that every authority gets. Its limit is the most that its window of
    /// concurrent attempts can reach; see [`ClientWindow`](crate::bulkhead::adaptive::ClientWindow).
    pub fn bulkhead(self, tune: impl FnOnce(BulkheadLayer) -> BulkheadLayer) -> Self {
        self.model(|model| Endpoint { bulkhead: tune(model.bulkhead), ..model })
    }

    /// Tunes the circuit that every authority gets.
    pub fn circuit(self, tune: impl FnOnce(Circuit) -> Circuit) -> Self {
        self.model(|model| Endpoint { circuit: tune(model.circuit), ..model })
    }

    /// Tunes the timeout of each attempt.
    pub fn attempt(self, tune: impl FnOnce(Attempt) -> Attempt) -> Self {
        self.model(|model| Endpoint { attempt: tune(model.attempt), ..model })
    }

    fn model(mut self, tune: impl FnOnce(Endpoint) -> Endpoint) -> Self {
        self.endpoints = self.endpoints.tune(tune);
        self
    }

    /// Tells a closure what any of its layers does. The first observer stays.
    pub fn on_event<O>(self, on_event: O) -> Self
    where
        O: Fn(&Event<'_>) + Send + Sync + 'static,
    {
        self.observer(on_event)
    }

    /// Tells an observer what any of its layers does. The first observer stays.
    pub fn observer<O: Observer + Send + Sync + 'static>(self, observer: O) -> Self {
        let observer = SharedObserver::new(observer);
        Self {
            deadline: self.deadline.observer(observer.clone()),
            retry: self.retry.observer(observer.clone()),
            ..self
        }
        .model(|model| model.observer(&observer))
    }

    /// What was counted, by authority.
    #[must_use]
    pub fn metrics_handle(&self) -> MetricsHandle {
        self.metrics.handle()
    }

    /// A handle to the deadline.
    #[must_use]
    pub fn deadline_handle(&self) -> TimeoutHandle {
        self.deadline.handle()
    }

    /// A handle to the retries.
    #[must_use]
    pub fn retry_handle(&self) -> RetryHandle {
        self.retry.handle()
    }

    /// A handle that finds what is kept for an authority, once requests have gone to it.
    #[must_use]
    pub fn endpoints(&self) -> PerKeyHandle<Endpoint> {
        self.endpoints.handle()
    }

    /// The most that one request can turn into.
    #[must_use]
    pub fn worst_case(&self) -> WorstCase {
        self.retry.worst_case()
    }

    /// The stack in words, outermost first, with its present settings.
    #[must_use]
    pub fn explain(&self) -> String {
        let (worst, model) = (self.worst_case(), self.endpoints.model());
        format!(
            "metrics   counts and times, by authority\n\
             deadline  {:?} for the request with all its attempts\n\
             retry     at most {} attempts, of what may be repeated, within a budget\n\
             for each of {AUTHORITIES} authorities:\n\
             bulkhead  a window of at most {} attempts at once, halved on timeouts\n\
             circuit   refuses while too many calls fail\n\
             attempt   {:?} each; the last may use what is left\n",
            self.deadline.handle().limit(),
            worst.attempts,
            model.bulkhead.handle().limit(),
            model.attempt.handle().limit(),
        )
    }
}

impl<S, R: Clone, D: Clone> Layer<S> for HttpClient<R, D> {
    type Service = HttpClientService<S, R, D>;

    fn layer(&self, inner: S) -> Self::Service {
        let retry = self.retry.layer(self.endpoints.layer(inner));
        HttpClientService(self.metrics.layer(self.deadline.layer(retry)))
    }
}

/// A client protected by [`http_client`], or by `reqwest_client`.
#[derive(Debug, Clone)]
pub struct HttpClientService<S, R = HttpReplay, D = HttpDrain>(Stack<S, R, D>);

impl<S, R, D, Req> Service<Req> for HttpClientService<S, R, D>
where
    Stack<S, R, D>: Service<Req>,
{
    type Response = <Stack<S, R, D> as Service<Req>>::Response;
    type Error = <Stack<S, R, D> as Service<Req>>::Error;
    type Future = <Stack<S, R, D> as Service<Req>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        self.0.call(request)
    }
}
