mod model;
mod service;

use std::time::Duration;

use tower_ballast_bulkhead::{
    BulkheadHandle, BulkheadLayer, Queue,
    adaptive::{AdaptiveHandle, AdaptiveLayer, BandwidthDelay, Limiter},
};
use tower_ballast_core::{Event, Observer, SharedObserver};
use tower_ballast_http::{ByMethod, HttpClassify, HttpFacts, RespondLayer};
use tower_ballast_metrics::{MetricsHandle, MetricsLayer};
use tower_ballast_timeout::{TimeoutHandle, TimeoutLayer};
use tower_layer::Layer;

use self::model::{Fixed, Model};
pub use self::service::HttpServerService;
use crate::limits::{TOTAL, WAITING};

type Figures<O> = MetricsLayer<HttpClassify, O>;
type Shedding = BulkheadLayer<HttpFacts, Queue>;
type Finding = AdaptiveLayer<HttpClassify, HttpFacts>;

/// Protects an HTTP or gRPC server: every request gets an answer, and none takes for ever.
///
/// Outermost first:
///
/// | layer | does |
/// |---|---|
/// | [`RespondLayer`] | answers in place of errors: 503 or 504 as problem+json, gRPC statuses for gRPC; with Retry-After when who refuses [knows it](#when-to-come-again) |
/// | [`MetricsLayer`] | counts and times requests by method, or as you [say](HttpServer::operation) |
/// | [`TimeoutLayer::total`] | gives each request a deadline, 30 s unless it brings an earlier one, and refuses it when that has passed |
/// | [`BulkheadLayer`] | works on as many requests at once as the server can use; 256 more wait for up to 1 s, those that matter most first |
/// | [`AdaptiveLayer`] | finds how many these are: 20 at first, from 1 to 1000, by throughput and latency ([`BandwidthDelay`]) |
///
/// How much a request matters is what its [`Priority`](crate::Priority) extension says, or, once
/// [`facts`](HttpServer::facts) trust the sender, its `priority` field. When there is too much to do, lower priorities
/// are refused first, but for a floor that keeps each of them alive.
///
/// The limit is found by what the server ends in a second and how long it takes without a queue. That suits servers which take much the
/// same time for their requests and work on tens of them at once. Where a few requests take a hundred times as long as the rest, as
/// long polls and event streams do until their head is sent, or where only a handful can be worked on, say how many that
/// are: [`limit`](HttpServer::limit).
///
/// A request costs the allocations of the one extension that its deadline is written into.
///
/// The error of the protected service is [`Infallible`](std::convert::Infallible), so
/// `axum::Router::layer` takes it as it is.
///
/// # When to come again
///
/// What the preset itself refuses has no Retry-After: it could only say the same to all, and all would come back at once. What
/// a layer inside says is passed on, such as a `PriorityRateLimitLayer`, which tells each caller a moment of its own.
///
/// ```
/// use std::time::Duration;
/// use axum::{Router, body::Body, http::Request, routing::get};
/// use tower::ServiceExt;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let app: Router = Router::new()
///     .route("/", get(async || std::future::pending::<&str>().await))
///     .layer(tower_ballast::http_server().deadline(|layer| layer.limit(Duration::from_secs(2))));
///
/// let answer = app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
/// assert_eq!(answer.status(), 504);
/// # });
/// ```
pub fn http_server() -> HttpServer {
    let facts = HttpFacts::new();
    let bulkhead = BulkheadLayer::new(0).queue(WAITING).facts(facts.clone());
    let model = Model::new(BandwidthDelay::new());
    HttpServer {
        respond: RespondLayer::new(),
        metrics: MetricsLayer::new()
            .name("server")
            .classify_with(HttpClassify::new())
            .operation_with(ByMethod),
        deadline: TimeoutLayer::total(TOTAL).name("deadline").facts(facts.clone()),
        adaptive: model.of(&bulkhead, &facts),
        bulkhead,
        facts,
        model,
        is_fixed: false,
    }
}

/// The preset that [`http_server`] makes; a layer, still to be tuned.
#[derive(Debug, Clone)]
#[must_use]
pub struct HttpServer<O = ByMethod> {
    respond: RespondLayer,
    metrics: Figures<O>,
    deadline: TimeoutLayer<HttpFacts>,
    bulkhead: Shedding,
    adaptive: Finding,
    facts: HttpFacts,
    model: Model,
    is_fixed: bool,
}

impl<O> HttpServer<O> {
    /// Names the operation under which a request is counted, such as its route. Default: its method.
    ///
    /// ```
    /// use axum::{Router, extract::{MatchedPath, Request}, routing::get};
    ///
    /// let preset = tower_ballast::http_server().operation(|request: &Request| {
    ///     request.extensions().get::<MatchedPath>().map_or("no route", MatchedPath::as_str)
    /// });
    /// let figures = preset.metrics_handle();
    /// let app: Router = Router::new().route("/items/{id}", get(async || "one")).layer(preset);
    /// # let _ = (app, figures);
    /// ```
    pub fn operation<R, F>(self, operation: F) -> HttpServer<F>
    where
        F: Fn(&R) -> &str,
    {
        self.operation_with(operation)
    }

    /// Names it by a type of its own, such as `http::ByRoute` of the feature `axum`.
    pub fn operation_with<P>(self, operation: P) -> HttpServer<P> {
        let Self { respond, metrics, deadline, bulkhead, adaptive, facts, model, is_fixed } = self;
        let metrics = metrics.operation_with(operation);
        HttpServer { respond, metrics, deadline, bulkhead, adaptive, facts, model, is_fixed }
    }

    /// Tunes the figures.
    pub fn metrics(mut self, tune: impl FnOnce(Figures<O>) -> Figures<O>) -> Self {
        self.metrics = tune(self.metrics);
        self
    }

    /// What may be known of a request: its deadline, its priority and whom it comes from. Default:
    /// what its extensions say.
    ///
    /// ```
    /// use tower_ballast::{HttpFacts, http_server};
    ///
    /// // Behind a gateway of our own, whose fields can be believed.
    /// let preset = http_server().facts(HttpFacts::new().trusted_sender());
    /// # let _ = preset;
    /// ```
    pub fn facts(mut self, facts: HttpFacts) -> Self {
        self.deadline = self.deadline.facts(facts.clone());
        self.bulkhead = self.bulkhead.facts(facts.clone());
        self.adaptive = self.adaptive.facts(facts.clone());
        self.facts = facts;
        self
    }

    /// Works on so many requests at once, in the place of a number that is found.
    ///
    /// ```
    /// let preset = tower_ballast::http_server().limit(4); // one for each processor
    /// assert_eq!(preset.bulkhead_handle().limit(), 4);
    /// ```
    pub fn limit(self, limit: u32) -> Self {
        Self { is_fixed: true, ..self.limiter(Fixed(limit)) }
    }

    /// Finds by another limiter how many requests are worked on at once. Default: [`BandwidthDelay`], from 20, within 1
    /// and 1000.
    ///
    /// ```
    /// use tower_ballast::{bulkhead::adaptive::BandwidthDelay, http_server};
    ///
    /// let preset = http_server().limiter(BandwidthDelay::new().initial(50).bounds(10..=200));
    /// assert_eq!(preset.bulkhead_handle().limit(), 50);
    /// ```
    pub fn limiter(mut self, limiter: impl Limiter + Clone + 'static) -> Self {
        self.model = Model::new(limiter);
        self.adaptive = self.model.of(&self.bulkhead, &self.facts);
        self.is_fixed = false;
        self
    }

    /// Tunes how many requests wait, and how long. A limit that is set here holds until the limiter changes it: say it by
    /// [`limit`](HttpServer::limit). Another bulkhead, such as a [`separate`](BulkheadLayer::separate) one, gets a limiter of
    /// its own, which is at its beginning.
    ///
    /// ```
    /// use tower_ballast::http_server;
    ///
    /// let one = http_server();
    /// let other = one.clone().bulkhead(|layer| layer.separate());
    /// other.adaptive_handle().set_bounds(5..=10);
    /// assert_eq!((one.bulkhead_handle().limit(), other.bulkhead_handle().limit()), (20, 10));
    /// ```
    pub fn bulkhead(mut self, tune: impl FnOnce(Shedding) -> Shedding) -> Self {
        self.bulkhead = tune(self.bulkhead);
        if !self.adaptive.is_of(&self.bulkhead) {
            self.adaptive = self.model.of(&self.bulkhead, &self.facts);
        }
        self
    }

    /// Tunes the layer that answers in place of errors.
    pub fn respond(mut self, tune: impl FnOnce(RespondLayer) -> RespondLayer) -> Self {
        self.respond = tune(self.respond);
        self
    }

    /// Tunes the deadline.
    pub fn deadline(
        mut self,
        tune: impl FnOnce(TimeoutLayer<HttpFacts>) -> TimeoutLayer<HttpFacts>,
    ) -> Self {
        self.deadline = tune(self.deadline);
        self
    }

    /// Tells a closure what any of its layers does. The first observer stays.
    pub fn on_event<F>(self, on_event: F) -> Self
    where
        F: Fn(&Event<'_>) + Send + Sync + 'static,
    {
        self.observer(on_event)
    }

    /// Tells an observer what any of its layers does. The first observer stays.
    pub fn observer<W: Observer + Send + Sync + 'static>(self, observer: W) -> Self {
        let observer = SharedObserver::new(observer);
        Self {
            respond: self.respond.observer(observer.clone()),
            deadline: self.deadline.observer(observer.clone()),
            bulkhead: self.bulkhead.observer(observer),
            ..self
        }
    }

    /// What was counted, by operation.
    #[must_use]
    pub fn metrics_handle(&self) -> MetricsHandle {
        self.metrics.handle()
    }

    /// A handle to change how many requests are worked on at once, and to drain.
    #[must_use]
    pub fn bulkhead_handle(&self) -> BulkheadHandle {
        self.bulkhead.handle()
    }

    /// A handle to what was found: the limit and its bounds, what the server can do in a second and how long it takes, and how many
    /// instances an autoscaler should run.
    #[must_use]
    pub fn adaptive_handle(&self) -> AdaptiveHandle {
        self.adaptive.handle()
    }

    /// A handle to change the deadline while requests are served.
    #[must_use]
    pub fn deadline_handle(&self) -> TimeoutHandle {
        self.deadline.handle()
    }

    /// The longest that a request can take: it is never repeated, and ends at its deadline.
    #[must_use]
    pub fn worst_case(&self) -> Duration {
        self.deadline.handle().limit()
    }

    /// The stack in words, outermost first, with its present settings.
    ///
    /// ```
    /// println!("{}", tower_ballast::http_server().explain());
    /// ```
    #[must_use]
    pub fn explain(&self) -> String {
        format!(
            "respond   answers 503 or 504 in place of errors, hides their texts\n\
             metrics   counts and times, by operation\n\
             deadline  {:?} for the whole request, or what the request brings when that is less\n\
             bulkhead  {} at once{}, up to {} more wait by priority, others are refused\n",
            self.deadline.handle().limit(),
            self.bulkhead.handle().limit(),
            if self.is_fixed { "" } else { " now, as many as it can use" },
            self.bulkhead.handle().most_waiting(),
        )
    }
}

impl<S, O: Clone> Layer<S> for HttpServer<O> {
    type Service = HttpServerService<S, O>;

    fn layer(&self, inner: S) -> Self::Service {
        let shed = self.bulkhead.layer(self.adaptive.layer(inner));
        let deadline = self.deadline.layer(shed);
        HttpServerService(self.respond.layer(self.metrics.layer(deadline)))
    }
}
