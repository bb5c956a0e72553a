//! What HTTP and gRPC outcomes mean.

#[cfg(not(all(feature = "h2", feature = "hyper-util", feature = "reqwest")))]
mod absent;
mod error;
mod grpc;
#[cfg(feature = "h2")]
mod h2;
#[cfg(any(feature = "hyper-util", feature = "reqwest"))]
mod hyper;
#[cfg(feature = "hyper-util")]
mod hyper_util;
#[cfg(feature = "reqwest")]
mod reqwest;
mod status;

use std::{error::Error, fmt};

use tower_ballast_core::{Classify, FailureKind, Verdict};

#[cfg(not(feature = "h2"))]
use self::absent as h2;
#[cfg(not(feature = "hyper-util"))]
use self::absent as hyper_util;
#[cfg(not(feature = "reqwest"))]
use self::absent as reqwest;
pub(crate) use self::error::chain;
use crate::HttpResponse;

/// Says what an HTTP or gRPC outcome means to breakers, retries, budgets and metrics.
///
/// | outcome | verdict | again? |
/// |---|---|---|
/// | 1xx, 2xx, 3xx, and 4xx but the next three | success: the service did its work | |
/// | 408 | transient failure | if repeatable |
/// | 425 | ignored: it was not looked at ([RFC 8470](https://www.rfc-editor.org/rfc/rfc8470#section-5.2)) | always |
/// | 429 | throttled | if repeatable |
/// | 502, 503 | transient failure | if repeatable |
/// | 504 | timeout | if repeatable |
/// | 501, 505 to 508, 510, 511 | fault | never: it would be answered the same |
/// | 500 and unknown 5xx | fault | if repeatable: often it passes all the same |
/// | gRPC `UNAVAILABLE` | transient failure | if repeatable |
/// | gRPC `RESOURCE_EXHAUSTED` | throttled | if repeatable |
/// | gRPC `DEADLINE_EXCEEDED` | timeout | if repeatable |
/// | gRPC `CANCELLED` | ignored | never |
/// | gRPC `UNKNOWN`, `INTERNAL`, `DATA_LOSS`, or no code at all | fault | never |
/// | other gRPC codes | success | |
/// | an error that proves nothing was sent | transient failure | always |
/// | the request's own body failed, as hyper and reqwest tell | ignored: it is not the service's fault | never |
/// | any other error | timeout where a timeout is among its sources, else transient | if repeatable |
///
/// A failure takes along the moment that [`read_retry_after`](crate::read_retry_after) finds, or
/// the one of `grpc-retry-pushback-ms`, where a negative number or none at all means never. A 503
/// with such a moment stays a transient failure: it is what a service in an outage says. Of gRPC
/// only responses without a body are understood, which have their status in the head.
///
/// # What proves that nothing was sent
///
/// Only the word of a client that this crate knows, and only where the error is that client's own
/// and not the source of another error, for who knows what was sent before that one was made:
///
/// - feature `hyper-util`: its pooled client got no connection.
/// - feature `h2`, by itself or inside of a client's error: the stream was refused
///   (`REFUSED_STREAM`), or it lies above the last one of a `GOAWAY` frame.
/// - feature `reqwest`: the same two, only after [`single_hop`](HttpClassify::single_hop), since
///   this client follows redirects unless told otherwise.
/// - another client: teach it with [`unsent_if`](HttpClassify::unsent_if).
///
/// The error may be of any type. Known ones are recognised as they are and inside of a
/// [`BoxError`](tower_ballast_core::BoxError).
///
/// ```
/// use http::{Request, Response};
/// use tower_ballast_core::{Classify, FailureKind, Retryable, Verdict};
/// use tower_ballast_http::HttpClassify;
///
/// fn verdict(response: http::response::Builder) -> Verdict {
///     let response = response.body(()).unwrap();
///     let outcome: Result<_, &std::convert::Infallible> = Ok(&response);
///     Classify::<Request<()>, _, _>::verdict(&HttpClassify::new(), &(), outcome)
/// }
///
/// assert!(verdict(Response::builder().status(404)).is_success());
///
/// let busy = verdict(Response::builder().status(429).header("retry-after", "2"));
/// assert_eq!(busy.kind(), Some(FailureKind::Throttled));
/// assert_eq!(busy.after().unwrap().delay.as_secs(), 2);
///
/// let broken = verdict(Response::builder().status(501));
/// assert_eq!(broken.retryable(), Retryable::Never);
/// ```
#[derive(Clone, Copy)]
pub struct HttpClassify {
    single_hop: bool,
    unsent: fn(&(dyn Error + 'static)) -> bool,
}

impl HttpClassify {
    /// Believes only proofs that hold for every client.
    #[must_use]
    pub const fn new() -> Self {
        Self { single_hop: false, unsent: |_| false }
    }

    /// Your word that the reqwest client follows no redirect
    /// (`redirect(reqwest::redirect::Policy::none())`), so when it fails to connect, nothing was
    /// sent. Default: it may, and then a request that got its answer, say a 303 after a POST, can
    /// still end in a failure to connect.
    #[must_use]
    pub const fn single_hop(mut self) -> Self {
        self.single_hop = true;
        self
    }

    /// A proof of your own that a request was never sent. It is asked about errors in a
    /// [`BoxError`](tower_ballast_core::BoxError) and those of known types. Default: none.
    ///
    /// ```
    /// use std::io;
    /// use http::{Request, Response};
    /// use tower_ballast_core::{BoxError, Classify, Retryable};
    /// use tower_ballast_http::HttpClassify;
    ///
    /// let classify = HttpClassify::new().unsent_if(|error| {
    ///     let io = error.downcast_ref::<io::Error>();
    ///     io.is_some_and(|io| io.kind() == io::ErrorKind::ConnectionRefused)
    /// });
    /// let error: BoxError = io::Error::from(io::ErrorKind::ConnectionRefused).into();
    /// let outcome: Result<&Response<()>, _> = Err(&error);
    /// let verdict = Classify::<Request<()>, _, _>::verdict(&classify, &(), outcome);
    /// assert_eq!(verdict.retryable(), Retryable::Unsent);
    /// ```
    #[must_use]
    pub const fn unsent_if(mut self, proof: fn(&(dyn Error + 'static)) -> bool) -> Self {
        self.unsent = proof;
        self
    }
}

impl Default for HttpClassify {
    fn default() -> Self {
        Self::new()
    }
}

impl<Req, Res, E> Classify<Req, Res, E> for HttpClassify
where
    Res: HttpResponse,
    E: 'static,
{
    type Kept = ();

    fn keep(&self, _: &Req) {}

    fn verdict(&self, (): &(), outcome: Result<&Res, &E>) -> Verdict {
        match outcome {
            Ok(response) => grpc::verdict(response.headers())
                .unwrap_or_else(|| status::verdict(response.status(), response.headers())),
            Err(error) => error::verdict(*self, error),
        }
    }
}

impl fmt::Debug for HttpClassify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClassify").field("single_hop", &self.single_hop).finish_non_exhaustive()
    }
}

/// Whether an error says that something took too long.
pub(crate) fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    error::verdict_on(HttpClassify::new(), error).kind() == Some(FailureKind::Timeout)
}

#[cfg(test)]
mod tests;
