use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderName, Method, Request, Response, StatusCode, header};
use http_body::Body;
use tokio::runtime::Handle;
use tower_ballast_core::{
    BoxError,
    flights::{Boarding, Landed},
};
use tower_service::Service;

use crate::{
    answer::{Found, Miss, ask, look, refusal},
    body::CacheBody,
    engine::{Forward, Outcome, Status},
    exchange::{Exchange, Own, make_nobodys},
    future::ResponseFuture,
    parts::{Parts, WholeOnly},
    pass::pass,
    quest::{Head, Quest, varying},
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

/// Renews what is served stale in the background, unless that is being done.
fn refresh<S, B, RB>(mut exchange: Exchange<S, B>)
where
    S: Service<Request<B>, Response = Response<RB>> + Clone + Send + 'static,
    S::Error: Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
    RB: Body + Send + 'static,
    RB::Error: Into<BoxError>,
{
    make_own(&mut exchange);
    let (quest, shared) = (&exchange.quest, Arc::clone(&exchange.quest.shared));
    let resource = shared.find(&quest.identity);
    let Some(variant) = resource.variant_for(&quest.head.headers).cloned() else { return };
    let Ok(runtime) = Handle::try_current() else { return };
    let miss = Miss { why: Forward::Stale, validate: Some(variant), rest: None, resource };
    let Boarding::First(start) = shared.flights.board(quest.flight(&miss)) else { return };
    count(&shared.counts.refreshed);
    let seat = start.with(exchange.renew(miss), Own::share);
    drop(runtime.spawn(async {
        if let Landed::Led(own) = seat.await
            && let Ok(mut response) = own.into_outcome::<RB, S::Error>()
        {
            poll_fn(|cx| response.body_mut().poll_end(cx)).await;
        }
    }));
}

/// Makes a client's request one of the cache's own: nothing of it is meant for that client alone, unless it is part of
/// the key or chooses the variant. In the cache of one user it still says who that is, for so does what is kept.
fn make_own<S, B>(exchange: &mut Exchange<S, B>) {
    let Exchange { request, quest, .. } = exchange;
    make_nobodys(request);
    let resource = quest.shared.find(&quest.identity);
    let variant = resource.variant_for(&quest.head.headers);
    let mut needed: Vec<HeaderName> = quest.shared.settings.keyed().to_vec();
    needed.extend(variant.into_iter().flat_map(|variant| varying(variant.entry.headers())));
    if !quest.rules.is_shared() {
        needed.extend([header::COOKIE, header::AUTHORIZATION]);
    }
    *request.method_mut() = Method::GET;
    for name in OWN {
        if !needed.contains(&name) {
            request.headers_mut().remove(name);
        }
    }
    quest.head = Head::of(request);
}

/// What a client says for itself.
const OWN: [HeaderName; 10] = [
    header::RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::CACHE_CONTROL,
    header::PRAGMA,
    header::COOKIE,
    header::AUTHORIZATION,
];
