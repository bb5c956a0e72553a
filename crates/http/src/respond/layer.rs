use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use tower_ballast_core::{BoxError, Event, EventKind, Name, Observer, Rejected, Reporter};
use tower_layer::Layer;

use super::{answer::Answer, service::Respond};
use crate::classify::chain;

/// Answers clients in place of errors, as the outermost layer of a server.
///
/// Layers that protect a service refuse requests by errors. This one turns each error into the
/// response that a client understands, so the error type becomes
/// [`Infallible`](std::convert::Infallible), which axum and hyper ask for.
///
/// | error | HTTP | gRPC |
/// |---|---|---|
/// | an open circuit, and any other refusal | 503 | `UNAVAILABLE` |
/// | more requests than may come in this time, whether refused at once, at a full queue or after a wait in it | 429 | `RESOURCE_EXHAUSTED` |
/// | a timeout or a passed deadline | 504 | `DEADLINE_EXCEEDED` |
/// | any other error | 500 | `INTERNAL` |
/// | any other error, behind [`proxy`](RespondLayer::proxy) | 502, of a timeout 504 | `UNAVAILABLE`, `DEADLINE_EXCEEDED` |
///
/// A queue before a bulkhead and one before a rate limit refuse for the same reasons. The limit's refusals are known by the
/// moment to come again that they bear; those without one are 503.
///
/// A timeout is 504 and not 503, even where this server is no gateway: the work may have been
/// done, and 503 would tell the client that it was not even tried.
///
/// The answer has `Cache-Control: no-store`, `Retry-After` and `retry-after-ms` when the layer knows
/// the moment, and a body of type `application/problem+json`
/// ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with the reason as a word; a HEAD request gets
/// no body. A gRPC request gets status 200 with `grpc-status`, `grpc-message` and, when the moment
/// is known, `grpc-retry-pushback-ms` in the head, and no body. What an unexpected error says stays
/// inside: its text, with those of its sources, goes to the observer as
/// [`EventKind::ErrorHidden`].
///
/// What is left of the limits tells a [`RateLimitFieldsLayer`](crate::RateLimitFieldsLayer) around it.
///
/// A service that fails to become ready is answered for in the same way, by the next call on the
/// same instance. A server that refuses an HTTP/1 request whose body it has not read closes the
/// connection after the answer.
///
/// A call costs one reference count and allocates nothing; an answer makes three allocations (its
/// field table of two and its body), one less without a body, and two more for the moment.
///
/// ```
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_ballast_core::{Reason, Rejected};
/// use tower_ballast_http::RespondLayer;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let service = ServiceBuilder::new().layer(RespondLayer::new()).service(service_fn(
///     async |_: Request<String>| {
///         Err::<Response<String>, _>(Rejected::new(Reason::CircuitOpen))
///     },
/// ));
///
/// let answer = service.oneshot(Request::new(String::new())).await.unwrap();
/// assert_eq!(answer.status(), 503);
/// assert_eq!(answer.headers()["content-type"], "application/problem+json");
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct RespondLayer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(super) struct Shared {
    reporter: Reporter,
    proxy: AtomicBool,
}

impl RespondLayer {
    /// Answers for a service of this server's own.
    #[must_use]
    pub fn new() -> Self {
        Self { shared: Arc::new(Shared::new(false)) }
    }

    /// Answers for a service behind this server: an unexpected error is 502, or 504 when it says
    /// that something took too long. Default: 500.
    #[must_use]
    pub fn proxy(self) -> Self {
        self.shared.proxy.store(true, Ordering::Relaxed);
        self
    }

    /// What it is called in events. Default: `respond`. The first name stays.
    #[must_use]
    pub fn name(self, name: impl Into<Name>) -> Self {
        self.shared.reporter.rename(name);
        self
    }

    /// Tells a closure about each error that is hidden from a client. The first observer stays.
    #[must_use]
    pub fn on_event<O>(self, on_event: O) -> Self
    where
        O: Fn(&Event<'_>) + Send + Sync + 'static,
    {
        self.observer(on_event)
    }

    /// Tells an observer about each error that is hidden from a client. The first one stays.
    #[must_use]
    pub fn observer<O: Observer + Send + Sync + 'static>(self, observer: O) -> Self {
        self.shared.reporter.observe_with(observer);
        self
    }

    /// The same settings with a state of its own, named and watched by nobody yet.
    #[must_use]
    pub fn separate(mut self) -> Self {
        self.shared = Arc::new(Shared::new(self.shared.proxy.load(Ordering::Relaxed)));
        self
    }
}

impl Default for RespondLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for RespondLayer {
    type Service = Respond<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Respond::new(inner, Arc::clone(&self.shared))
    }
}

impl Shared {
    const fn new(proxy: bool) -> Self {
        Self { reporter: Reporter::new("respond"), proxy: AtomicBool::new(proxy) }
    }

    /// The answer for an error, whose text goes to the observer when the client may not see it.
    pub(super) fn answer(&self, error: &BoxError) -> Answer {
        if let Some(rejected) = Rejected::find(&**error) {
            return Answer::to_rejection(rejected);
        }
        let answer = Answer::to_error(&**error, self.proxy.load(Ordering::Relaxed));
        let texts = Texts(&**error);
        self.reporter
            .tell(|| Event::new(EventKind::ErrorHidden).reason(answer.reason()).detail(&texts));
        answer
    }
}

/// An error's text and those of its sources.
struct Texts<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Texts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        chain(self.0).skip(1).try_for_each(|source| write!(f, ": {source}"))
    }
}
