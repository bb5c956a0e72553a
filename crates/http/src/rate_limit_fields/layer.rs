use std::{fmt, sync::Arc};

#[allow(unused_imports, reason = "the page below links to it")]
use tower_ballast_core::Standings;
use tower_layer::Layer;

use super::{fields::Fields, service::RateLimitFields};

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
/// Of a `PriorityRateLimitLayer`, give `layer.standings()`: each of its limits is told, those by key for the key that
/// the limit's own closure gives the request as it comes in here. What such a closure reads must be there by then: a layer
/// that writes it into the request goes around this one. Of two limiters, give a pair. A limit of your own is anything
/// that implements [`Standings`], a closure for one that holds for everybody, or
/// [`StandingsByKey`](tower_ballast_core::StandingsByKey).
///
/// What is left is read when the answer goes out. It passes readiness through, and changes no
/// outcome.
///
/// # Cost
///
/// A call costs one reference count and what the limits need to find their keys, and allocates nothing. Fields of one limit cost four allocations, and the older ones three
/// more; longer ones, and a field table that has no room, cost more.
///
/// ```
/// use std::time::Duration;
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
/// use tower_ballast_core::{Key, Reason, Rejected, Standing, StandingsByKey};
/// use tower_ballast_http::{ClientIp, HttpFacts, RateLimitFieldsLayer, RespondLayer};
///
/// // A limit of one's own, kept for each address.
/// let limits = StandingsByKey::new(
///     HttpFacts::new().client(ClientIp::new()),
///     |_client: Option<Key>, tell: &mut dyn FnMut(&Standing<'_>)| {
///         let minute = Standing::new("per-minute", 100, Duration::from_secs(60));
///         tell(&minute.remaining(0).reset(Duration::from_millis(4200)));
///     },
/// );
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let service = ServiceBuilder::new()
///     .layer(RateLimitFieldsLayer::new(limits))
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
pub struct RateLimitFieldsLayer<L> {
    fields: Fields<L>,
}

impl<L> RateLimitFieldsLayer<L> {
    /// Tells on refusals what is left of these limits.
    #[must_use]
    pub fn new(limits: L) -> Self {
        let fields = Fields { limits: Arc::new(limits), every_answer: false, older: false };
        Self { fields }
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

impl<L> Clone for RateLimitFieldsLayer<L> {
    fn clone(&self) -> Self {
        Self { fields: self.fields.clone() }
    }
}

impl<S, L> Layer<S> for RateLimitFieldsLayer<L> {
    type Service = RateLimitFields<S, L>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimitFields::new(inner, self.fields.clone())
    }
}

impl<L> fmt::Debug for RateLimitFieldsLayer<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitFieldsLayer")
            .field("every_answer", &self.fields.every_answer)
            .field("older_fields", &self.fields.older)
            .finish_non_exhaustive()
    }
}
