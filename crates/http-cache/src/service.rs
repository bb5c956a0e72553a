use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Method, Request, Response, StatusCode, header};
use http_body::Body;
use tower_ballast_core::BoxError;
use tower_service::Service;

use crate::{
    answer::{Found, ask, look, refusal},
    body::CacheBody,
    engine::{Outcome, Status},
    exchange::Exchange,
    future::ResponseFuture,
    parts::{Parts, WholeOnly},
    pass::pass,
    quest::{Head, Quest},
    refresh::refresh,
    shared::Shared,
    statistics::count,
};

/// Keeps the answers of the inner service by the rules of HTTP. Made by [`HttpCacheLayer`](crate::HttpCacheLayer).
#[derive(Debug, Clone)]
pub struct HttpCache<S, P = WholeOnly> {
    pub(crate) inner: S,
    pub(crate) shared: Arc<Shared>,
    #[allow(dead_code, reason = "its type says it all")]
    pub(crate) parts: P,
}

impl<S, B, RB, P> Service<Request<B>> for HttpCache<S, P>
where
    P: Parts<B>,
    S: Service<Request<B>, Response = Response<RB>> + Clone + Send + 'static,
    S::Error: Send + 'static,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    RB: Body + Send + 'static,
    RB::Error: Into<BoxError>,
{
    type Response = Response<CacheBody<RB>>;
    type Error = S::Error;
    type Future = ResponseFuture<RB, S::Error>;

    /// Always ready: what is there is served whatever the inner service does.
    #[inline]
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (shared, rules) = (&self.shared, self.shared.settings.rules());
        let identity = shared.identity(request.uri(), request.headers());
        let is_read = *request.method() == Method::GET || *request.method() == Method::HEAD;
        let Some(identity) = identity.filter(|_| !is_read || !has_body(&request)) else {
            let (inner, shared) = (self.inner.clone(), Arc::clone(shared));
            return ResponseFuture::calling(pass(inner, request, shared));
        };
        let found = look(shared, &rules, &identity, ask(&request), None);
        let exchange = |request: Request<B>| Exchange {
            service: self.inner.clone(),
            quest: Quest { shared: Arc::clone(shared), rules, identity, head: Head::of(&request) },
            request,
            second: P::second,
        };
        match found {
            Found::Answer { response, is_due: false } => ResponseFuture::there(response),
            Found::Answer { response, is_due: true } => {
                refresh(exchange(request));
                ResponseFuture::there(response)
            }
            Found::Missing => {
                count(&shared.counts.missing);
                let status = Status::new(Outcome::Bypass);
                let code = StatusCode::GATEWAY_TIMEOUT;
                ResponseFuture::there(refusal(shared, code, status, "only-if-cached"))
            }
            Found::Bypass => ResponseFuture::calling(exchange(request).pass()),
            Found::Miss(miss) => ResponseFuture::calling(exchange(request).run(miss)),
        }
    }
}

/// What an answer may depend on is part of no key (RFC 9110 section 9.3.1).
fn has_body<B: Body>(request: &Request<B>) -> bool {
    let headers = request.headers();
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0")
        || !request.body().is_end_stream()
}
