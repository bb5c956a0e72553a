use std::{fmt, sync::Arc};

use tower_ballast_core::Standings;
use tower_layer::Layer;

use super::{fields::Fields, service::RateLimitFields};
use crate::HttpFacts;

/// Tells clients what is left of their limits, in the fields `RateLimit-Policy` and `RateLimit`.
///
/// A client that knows its limit can keep to it, and one that was refused sees which limit it was.
///
/// ```text
///   HTTP/1.1 429 Too Many Requests
///   retry-after: 5                                                  by RespondLayer
///   ratelimit-policy: "burst";q=100;w=60, "daily";q=1000;w=86400
///   ratelimit: "burst";r=0;t=5, "daily";r=420;t=3600
/// ```
///
/// The form is that of `draft-ietf-httpapi-ratelimit-headers-10`, which is no RFC yet; it has been
/// so since version 08. The values are lists of structured fields
/// ([RFC 9651](https://www.rfc-editor.org/rfc/rfc9651#section-3.1)): after the name of each limit
/// stand its quota `q` and window `w`, what remains as `r`, and in how many seconds there is more
/// as `t`. Seconds are rounded up, and a letter that such a name cannot have becomes `_`. Whose
/// limit it is (`pk` in the draft) is never written.
///
/// Put it outermost, around [`RespondLayer`](crate::RespondLayer), which makes an answer of a
/// refusal. By default only answers that say "too many" get the fields: 429, and in gRPC
/// `RESOURCE_EXHAUSTED` in the head; those that your service gives itself are among them, and so is what a rate limit
/// refuses at its full queue or after a wait in it. Lists that are there already stay before ours.
///
/// What is left is read when the answer goes out. It passes readiness through, and changes no
/// outcome.
///
/// # Cost
///
/// A call costs one reference count and what [`facts`](RateLimitFieldsLayer::facts) cost to find
/// the key, and allocates nothing. Fields of one limit cost four allocations, and the older ones three
/// more; longer ones, and a field table that has no room, cost more.
///
/// ```
/// use std::time::Duration;
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_ballast_core::{Key, Reason, Rejected, Standing};
/// use tower_ballast_http::{ClientIp, HttpFacts, RateLimitFieldsLayer, RespondLayer};
///
/// // The handle of a limiter, or a closure.
/// let limits = |_client: Option<Key>, tell: &mut dyn FnMut(&Standing<'_>)| {
///     let minute = Standing::new("per-minute", 100, Duration::from_secs(60));
///     tell(&minute.remaining(0).reset(Duration::from_millis(4200)));
/// };
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let service = ServiceBuilder::new()
///     .layer(RateLimitFieldsLayer::new(limits).facts(HttpFacts::new().client(ClientIp::new())))
///     .layer(RespondLayer::new())
///     .service(service_fn(async |_: Request<String>| {
///         Err::<Response<String>, _>(Rejected::new(Reason::RateLimited))
///     }));
///
/// let answer = service.oneshot(Request::new(String::new())).await.unwrap();
/// assert_eq!(answer.status(), 429);
/// assert_eq!(answer.headers()["ratelimit-policy"], r#""per-minute";q=100;w=60"#);
/// assert_eq!(answer.headers()["ratelimit"], r#""per-minute";r=0;t=5"#);
/// # });
/// ```
#[derive(Clone)]
pub struct RateLimitFieldsLayer<F = HttpFacts> {
    fields: Fields,
    facts: F,
}

impl RateLimitFieldsLayer {
    /// Tells on refusals what is left of these limits. Of two limiters, give a pair.
    #[must_use]
    pub fn new<L: Standings + Send + Sync + 'static>(limits: L) -> Self {
        let fields = Fields { limits: Arc::new(limits), every_answer: false, older: false };
        Self { fields, facts: HttpFacts::new() }
    }
}

impl<F> RateLimitFieldsLayer<F> {
    /// What may be known of a request: its key, by which the limits are asked. Give it the same
    /// facts as the limiter. Default: [`HttpFacts::new`], which reads a key among the extensions.
    #[must_use]
    pub fn facts<G>(self, facts: G) -> RateLimitFieldsLayer<G> {
        RateLimitFieldsLayer { fields: self.fields, facts }
    }

    /// Tells it on every answer, so that clients can slow down in time. Default: only on
    /// refusals.
    ///
    /// A shared cache hands on such an answer, fields included, to other clients than the one
    /// they speak of.
    #[must_use]
    pub fn every_answer(mut self) -> Self {
        self.fields.every_answer = true;
        self
    }

    /// Also writes the older `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset`,
    /// of the limit of which the least is left. Default: not written.
    ///
    /// The last one counts seconds from now, as in the draft up to version 06. Some services write a
    /// date there; these fields were never standardised. Where an answer has them already, they stay.
    #[must_use]
    pub fn older_fields(mut self) -> Self {
        self.fields.older = true;
        self
    }
}

impl<S, F: Clone> Layer<S> for RateLimitFieldsLayer<F> {
    type Service = RateLimitFields<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimitFields::new(inner, self.fields.clone(), self.facts.clone())
    }
}

impl<F> fmt::Debug for RateLimitFieldsLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitFieldsLayer")
            .field("every_answer", &self.fields.every_answer)
            .field("older_fields", &self.fields.older)
            .finish_non_exhaustive()
    }
}
