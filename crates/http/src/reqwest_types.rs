//! Requests and responses of reqwest.

use http::{Extensions, HeaderMap, Method, StatusCode};
use reqwest::{Body, Request, Response};
use tower_ballast_core::{Discard, Replay};

use crate::{DrainFuture, HttpDrain, HttpRequest, HttpResponse, view::host_and_port};

/// Keeps requests of reqwest so that they can be sent again.
///
/// A request whose body is bytes, or that has none, is cloned, which copies its header fields and
/// shares the bytes. One whose body is a stream is sent once.
///
/// ```
/// use tower_ballast_core::Replay;
/// use tower_ballast_http::ReqwestReplay;
///
/// let url = "http://example.com/cart".parse().unwrap();
/// let request = reqwest::Request::new(reqwest::Method::GET, url);
///
/// let (_sent, spare) = ReqwestReplay.first(request, true);
/// let (again, none) = ReqwestReplay.again(spare.unwrap(), false).unwrap();
/// assert_eq!(again.url().path(), "/cart");
/// assert!(none.is_none());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReqwestReplay;

impl Replay<Request> for ReqwestReplay {
    type Sent = Request;
    type Spare = Request;

    fn first(&self, request: Request, keep: bool) -> (Request, Option<Request>) {
        let spare = keep.then(|| request.try_clone()).flatten();
        (request, spare)
    }

    fn again(&self, spare: Request, keep: bool) -> Option<(Request, Option<Request>)> {
        Some(self.first(spare, keep))
    }
}

/// Reads the rest of a response of reqwest that a retry has no use for: [`HttpDrain`] for its
/// types.
///
/// ```
/// use tower_ballast_core::Discard;
/// use tower_ballast_http::ReqwestDrain;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let response = reqwest::Response::from(http::Response::new("try again later"));
/// ReqwestDrain::new().discard(response).expect("there is something to read").await;
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReqwestDrain(HttpDrain);

impl ReqwestDrain {
    /// Reads up to 64 KiB.
    #[must_use]
    pub const fn new() -> Self {
        Self(HttpDrain::new())
    }

    /// How many bytes of one response are read at the most. Default: 64 KiB.
    #[must_use]
    pub const fn most(self, bytes: u64) -> Self {
        Self(self.0.most(bytes))
    }
}

impl Discard<Response> for ReqwestDrain {
    type Rest = DrainFuture<Body>;

    fn discard(&self, response: Response) -> Option<DrainFuture<Body>> {
        self.0.rest(response.into())
    }
}

impl HttpRequest for Request {
    fn method(&self) -> &Method {
        self.method()
    }

    fn authority(&self) -> Option<&str> {
        Some(host_and_port(self.url().authority())).filter(|authority| !authority.is_empty())
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }

    fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers_mut()
    }

    fn extensions(&self) -> Option<&Extensions> {
        None
    }

    fn extensions_mut(&mut self) -> Option<&mut Extensions> {
        None
    }
}

impl HttpResponse for Response {
    fn status(&self) -> StatusCode {
        self.status()
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use tower_ballast_core::{Classify, Facts, FailureKind, Retryable, Verdict};

    use super::*;
    use crate::{HttpClassify, Idempotent};

    fn request(url: &str) -> Request {
        Request::new(Method::POST, url.parse().unwrap())
    }

    #[test]
    fn a_body_of_bytes_is_sent_again() {
        let mut first = request("http://example.com/");
        *first.body_mut() = Some("abc".into());
        let (_, spare) = ReqwestReplay.first(first, true);
        let (again, spare) = ReqwestReplay.again(spare.unwrap(), true).unwrap();
        assert_eq!(again.body().unwrap().as_bytes(), Some(&b"abc"[..]));
        assert!(spare.is_some());
    }

    #[test]
    fn the_authority_bears_no_secrets() {
        let request = request("http://user:secret@example.com:8080/");
        assert_eq!(request.authority(), Some("example.com:8080"));
    }

    #[test]
    fn the_gate_goes_by_method_and_key() {
        let mut post = request("http://example.com/");
        assert!(!Idempotent::new().is_repeatable(&post));
        post.headers_mut().insert("idempotency-key", "k".parse().unwrap());
        assert!(Idempotent::new().is_repeatable(&post));
    }

    #[tokio::test]
    async fn no_connection_proves_that_nothing_was_sent_only_without_redirects() {
        // Bound and not listening: nobody else can take the port meanwhile.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let url = format!("http://{}/", socket.local_addr().unwrap());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let error = client.get(url).send().await.unwrap_err();
        assert!(error.is_connect() && error.source().is_some());

        let verdict = |classify: HttpClassify, error| -> Verdict {
            Classify::<Request, Response, _>::verdict(&classify, &(), Err(error))
        };
        let any = verdict(HttpClassify::new(), &error);
        assert_eq!(any.retryable(), Retryable::IfRepeatable);
        let single = verdict(HttpClassify::new().single_hop(), &error);
        assert_eq!(single.retryable(), Retryable::Unsent);
        assert_eq!(single.kind(), Some(FailureKind::Transient));
    }
}
