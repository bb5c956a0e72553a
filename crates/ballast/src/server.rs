use std::{
    task::{Context, Poll},
    time::Duration,
};

use tower_ballast_core::{Event, Observer, SharedObserver};
use tower_ballast_http::{HttpFacts, Respond, RespondLayer};
use tower_ballast_timeout::{Timeout, TimeoutHandle, TimeoutLayer};
use tower_layer::Layer;
use tower_service::Service;

type Stack<S> = Respond<Timeout<S, HttpFacts>>;

/// Protects an HTTP or gRPC server: every request gets an answer, and none takes for ever.
///
/// Outermost first:
///
/// | layer | does |
/// |---|---|
/// | [`RespondLayer`] | answers in place of errors: 503 or 504 as problem+json with Retry-After, gRPC statuses for gRPC |
/// | [`TimeoutLayer::total`] | gives each request a deadline, 30 s unless it brings an earlier one, and refuses it when that has passed |
///
/// A request costs the allocations of the one extension that its deadline is written into.
///
/// The error of the protected service is [`Infallible`](std::convert::Infallible), so
/// `axum::Router::layer` takes it as it is.
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
    HttpServer {
        respond: RespondLayer::new(),
        deadline: TimeoutLayer::total(crate::limits::TOTAL)
            .name("deadline")
            .facts(HttpFacts::new()),
    }
}

/// The preset that [`http_server`] makes; a layer, still to be tuned.
#[derive(Debug, Clone)]
#[must_use]
pub struct HttpServer {
    respond: RespondLayer,
    deadline: TimeoutLayer<HttpFacts>,
}

impl HttpServer {
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
            respond: self.respond.observer(observer.clone()),
            deadline: self.deadline.observer(observer),
        }
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
            "respond   answers 503 or 504 with Retry-After in place of errors, hides their texts\n\
             deadline  {:?} for the whole request, or what the request brings when that is less\n",
            self.deadline.handle().limit()
        )
    }
}

impl<S> Layer<S> for HttpServer {
    type Service = HttpServerService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HttpServerService(self.respond.layer(self.deadline.layer(inner)))
    }
}

/// A server protected by [`http_server`].
#[derive(Debug, Clone)]
pub struct HttpServerService<S>(Stack<S>);

impl<S, R> Service<R> for HttpServerService<S>
where
    Stack<S>: Service<R>,
{
    type Response = <Stack<S> as Service<R>>::Response;
    type Error = <Stack<S> as Service<R>>::Error;
    type Future = <Stack<S> as Service<R>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.0.call(request)
    }
}
