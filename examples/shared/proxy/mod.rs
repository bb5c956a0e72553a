//! One reverse proxy that forwards HTTP by the rules of RFC 9110 section 7.6 and RFC 9112.
//!
//! ```text
//! caller --> listener --> request::outbound --> client (with its layers) --> upstream
//!        <-- listener <-- response::inbound <--
//! ```
//!
//! The proxy answers by itself what must not go on (a [`Refusal`]), and hands every failure of the
//! client to the layer around it as an error. It repeats nothing: that is the business of the
//! layers around the client, which see whole requests and know which of them may be repeated.
//! Bodies and trailers stream in both directions, and interim answers (1xx) go back as they come.

mod fields;
mod interim;
mod refusal;
mod request;
mod response;
mod upload;

use std::{net::IpAddr, sync::Arc};

use axum::body::{Body, Bytes, HttpBody};
use http::{HeaderValue, Request, Response, uri::Authority};
use tower::{BoxError, Service, ServiceExt};
use tower_ballast_core::Random;

use refusal::Refusal;

/// Forwards requests to one upstream.
#[derive(Debug, Clone)]
pub(crate) struct Proxy(Arc<Route>);

/// What the proxy knows of its own place in the chain.
#[derive(Debug, Clone)]
struct Route {
    upstream: Authority,
    host: HeaderValue,
    pseudonym: String,
    body_limit: u64,
    trusted: Vec<IpAddr>,
    is_discreet: bool,
}

impl Proxy {
    /// Forwards to the host and port of `upstream`, over plain HTTP/1.1.
    ///
    /// Its name in `Via` is drawn by lot: a request that already carries it is a loop, so no two
    /// proxies of a chain may share one.
    pub(crate) fn new(upstream: Authority) -> Self {
        let host = HeaderValue::from_str(upstream.as_str()).expect("an authority is visible ASCII");
        Self(Arc::new(Route {
            upstream,
            host,
            pseudonym: format!("ballast-{:08x}", Random::new().next_u64() >> 32),
            body_limit: 10 * 1024 * 1024,
            trusted: Vec::new(),
            is_discreet: false,
        }))
    }

    /// The most bytes a request's body may have; a longer one is refused with 413. Default: 10 MiB.
    pub(crate) fn body_limit(self, bytes: u64) -> Self {
        self.with(|route| route.body_limit = bytes)
    }

    /// Peers whose `X-Forwarded-*` fields are passed on. Default: none.
    pub(crate) fn trusted(self, peers: impl IntoIterator<Item = IpAddr>) -> Self {
        self.with(|route| route.trusted = peers.into_iter().collect())
    }

    /// Says nothing of the caller in `Forwarded`, and passes nothing on that says so. For a cache:
    /// what is kept for all must not depend on who asked first, and by which name.
    pub(crate) fn discreet(self) -> Self {
        self.with(|route| route.is_discreet = true)
    }

    /// Its name in `Via`.
    pub(crate) fn pseudonym(self, name: &str) -> Self {
        self.with(|route| name.clone_into(&mut route.pseudonym))
    }

    /// Sends `request` on by `client` and its answer back.
    ///
    /// # Errors
    ///
    /// Whatever the client fails with.
    pub(crate) async fn forward<S, B>(
        &self,
        client: S,
        request: Request<Body>,
    ) -> Result<Response<Body>, BoxError>
    where
        S: Service<Request<Body>, Response = Response<B>>,
        S::Error: Into<BoxError>,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (request, complaint) = match request::outbound(&self.0, request) {
            Ok(outbound) => outbound,
            Err(refusal) => return Ok(refusal.into()),
        };
        tokio::select! {
            Ok(refusal) = complaint => Ok(refusal.into()),
            answer = client.oneshot(request) => {
                answer.map(|response| response::inbound(&self.0, response)).map_err(Into::into)
            }
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Route)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }
}
