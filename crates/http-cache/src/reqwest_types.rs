//! Around clients of reqwest.

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use pin_project_lite::pin_project;
use reqwest::{Body, Request, Response, ResponseBuilderExt, Url};
use tower_ballast_core::BoxError;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    CacheBody, HttpCache, HttpCacheLayer, ResponseFuture,
    fetch::Elsewhere,
    parts::{Parts, sealed::Sealed},
};

/// Keeps the answers that a `reqwest::Client` gets.
///
/// Parts of answers are [completed](HttpCacheLayer::complete_parts), whatever the layer says of that.
///
/// What a client has fetched by following a redirect is not kept, since the redirect may be for this time only. A client that keeps
/// cookies needs [rules](crate::engine::Rules::private) for one user.
///
/// ```
/// use tower::ServiceBuilder;
/// use tower_ballast_http_cache::{HttpCacheLayer, ReqwestCacheLayer, engine::Rules};
///
/// let cache = ReqwestCacheLayer::new(HttpCacheLayer::new(Rules::private()));
/// let client = ServiceBuilder::new().layer(cache).service(reqwest::Client::new());
/// # let _ = client;
/// ```
#[derive(Debug, Clone)]
pub struct ReqwestCacheLayer {
    layer: HttpCacheLayer<CompleteByClone>,
}

impl ReqwestCacheLayer {
    /// The same cache for requests of reqwest.
    #[must_use]
    pub fn new<P>(layer: HttpCacheLayer<P>) -> Self {
        Self { layer: HttpCacheLayer { shared: layer.shared, parts: CompleteByClone } }
    }
}

impl<S> Layer<S> for ReqwestCacheLayer {
    type Service = ReqwestCache<S>;

    fn layer(&self, client: S) -> ReqwestCache<S> {
        ReqwestCache { cache: self.layer.layer(Sender { client }) }
    }
}

/// Keeps the answers that a client of reqwest gets. Made by [`ReqwestCacheLayer`].
#[derive(Debug, Clone)]
pub struct ReqwestCache<S> {
    cache: HttpCache<Sender<S>, CompleteByClone>,
}

impl<S> Service<Request> for ReqwestCache<S>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Error: Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = ReqwestFuture<S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.cache.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (url, uri) = (request.url().clone(), request.url().as_str().parse());
        let is_plain = uri.is_ok() && request.body().is_none_or(Body::is_end_stream);
        let mut head = http::Request::new(());
        (*head.uri_mut(), *head.method_mut()) = (uri.unwrap_or_default(), request.method().clone());
        *head.headers_mut() = request.headers().clone();
        let response = self.cache.call(head.map(|()| Carried { request, is_plain }));
        ReqwestFuture { response, url }
    }
}

/// The response of a [`ReqwestCache`].
#[must_use = "futures do nothing unless polled"]
pub struct ReqwestFuture<E> {
    response: ResponseFuture<Body, E>,
    url: Url,
}

impl<E> Future for ReqwestFuture<E> {
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let response = ready!(Pin::new(&mut this.response).poll(cx))?;
        let (mut parts, body) = response.into_parts();
        let url = parts.extensions.remove::<Came>().map_or_else(|| this.url.clone(), |from| from.0);
        if let Ok(marked) = http::response::Builder::new().url(url).body(()) {
            parts.extensions.extend(marked.into_parts().0.extensions);
        }
        let body = match body.into_whole() {
            Ok(bytes) => Body::from(bytes),
            Err(body) => Body::wrap(Exclusive(Mutex::new(body))),
        };
        Poll::Ready(Ok(http::Response::from_parts(parts, body).into()))
    }
}

/// A second request has all that the first one has.
#[derive(Debug, Clone, Copy)]
struct CompleteByClone;

impl Sealed for CompleteByClone {}

impl Parts<Carried> for CompleteByClone {
    fn second(first: &Carried) -> Option<Carried> {
        let request = first.request.try_clone()?;
        Some(Carried { request, is_plain: first.is_plain })
    }
}

/// Sends the client's own request, as the cache has changed it.
#[derive(Debug, Clone)]
struct Sender<S> {
    client: S,
}

/// The client's own request, with all that an HTTP request does not tell.
struct Carried {
    request: Request,
    /// Whether its target is one of HTTP, and it has no body.
    is_plain: bool,
}

/// From where a response came.
#[derive(Clone)]
struct Came(Url);

impl<S> Service<http::Request<Carried>> for Sender<S>
where
    S: Service<Request, Response = Response>,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Sending<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.client.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Carried>) -> Self::Future {
        let (parts, Carried { mut request, .. }) = request.into_parts();
        (*request.method_mut(), *request.headers_mut()) = (parts.method, parts.headers);
        let url = request.url().clone();
        Sending { response: self.client.call(request), url }
    }
}

pin_project! {
    struct Sending<F> {
        #[pin]
        response: F,
        url: Url,
    }
}

impl<F, E> Future for Sending<F>
where
    F: Future<Output = Result<Response, E>>,
{
    type Output = Result<http::Response<Body>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.response.poll(cx))?;
        let from = response.url().clone();
        let mut response = http::Response::from(response);
        if from != *this.url {
            response.extensions_mut().insert(Elsewhere);
        }
        response.extensions_mut().insert(Came(from));
        Poll::Ready(Ok(response))
    }
}

impl http_body::Body for Carried {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.is_plain
    }
}

/// A body that is looked at by one alone at a time, as reqwest wants it.
struct Exclusive(Mutex<CacheBody<Body>>);

impl Exclusive {
    fn lock(&self) -> MutexGuard<'_, CacheBody<Body>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl http_body::Body for Exclusive {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let body = self.get_mut().0.get_mut().unwrap_or_else(PoisonError::into_inner);
        Pin::new(body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.lock().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().size_hint()
    }
}

impl<E> fmt::Debug for ReqwestFuture<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReqwestFuture").field(&self.response).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    };

    use tower::{ServiceExt, service_fn};

    use super::*;
    use crate::engine::Rules;

    fn get(url: &str) -> Request {
        Request::new(reqwest::Method::GET, url.parse().unwrap())
    }

    fn answer(request: &Request, from: Option<&str>) -> Response {
        let url = from.map_or_else(|| request.url().clone(), |url| url.parse().unwrap());
        let answer = http::Response::builder().url(url).header("cache-control", "max-age=60");
        answer.body(request.url().path().to_owned()).unwrap().into()
    }

    #[tokio::test(start_paused = true)]
    async fn answers_are_kept_with_their_url() {
        let calls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let client = service_fn(move |request: Request| {
            counted.fetch_add(1, SeqCst);
            std::future::ready(Ok::<_, Infallible>(answer(&request, None)))
        });
        let cache = HttpCacheLayer::new(Rules::private());
        let client = ReqwestCacheLayer::new(cache).layer(client);
        for _ in 0..2 {
            let response = client.clone().oneshot(get("http://example.com/a#b")).await.unwrap();
            assert_eq!(response.url().as_str(), "http://example.com/a#b");
            assert_eq!(response.text().await.unwrap(), "/a");
        }
        assert_eq!(calls.load(SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_from_elsewhere_is_not_kept() {
        let calls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let client = service_fn(move |request: Request| {
            counted.fetch_add(1, SeqCst);
            let response = answer(&request, Some("http://example.com/b"));
            std::future::ready(Ok::<_, Infallible>(response))
        });
        let cache = HttpCacheLayer::new(Rules::private());
        let client = ReqwestCacheLayer::new(cache).layer(client);
        for _ in 0..2 {
            let response = client.clone().oneshot(get("http://example.com/a")).await.unwrap();
            assert_eq!(response.url().as_str(), "http://example.com/b");
        }
        assert_eq!(calls.load(SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn parts_are_completed_and_the_clients_own_settings_sent_twice() {
        let calls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let client = service_fn(move |request: Request| {
            let answer = http::Response::builder().url(request.url().clone());
            let answer = answer.header("cache-control", "max-age=60").header("etag", "\"a\"");
            let part = |range| answer.status(206).header("content-range", range);
            let answer = match counted.fetch_add(1, SeqCst) {
                0 => part("bytes 0-2/5").body("one"),
                1 => {
                    assert_eq!(request.headers()["range"], "bytes=3-");
                    // Another film.
                    part("bytes 3-5/6").body("two")
                }
                _ => {
                    assert!(
                        request.timeout().is_some() && !request.headers().contains_key("range")
                    );
                    http::Response::builder().url(request.url().clone()).body("three")
                }
            };
            std::future::ready(Ok::<_, Infallible>(Response::from(answer.unwrap())))
        });
        let client = ReqwestCacheLayer::new(HttpCacheLayer::new(Rules::private())).layer(client);
        let mut request = get("http://example.com/a");
        request.headers_mut().insert("range", "bytes=0-2".parse().unwrap());
        let part = client.clone().oneshot(request).await.unwrap();
        assert_eq!(part.text().await.unwrap(), "one");
        let mut request = get("http://example.com/a");
        *request.timeout_mut() = Some(std::time::Duration::from_secs(7));
        let whole = client.oneshot(request).await.unwrap();
        assert_eq!((whole.text().await.unwrap().as_str(), calls.load(SeqCst)), ("three", 3));
    }

    #[tokio::test(start_paused = true)]
    async fn the_clients_own_settings_are_sent_along() {
        let client = service_fn(|request: Request| {
            assert_eq!(request.timeout().map(std::time::Duration::as_secs), Some(7));
            std::future::ready(Ok::<_, Infallible>(answer(&request, None)))
        });
        let client = ReqwestCacheLayer::new(HttpCacheLayer::new(Rules::private())).layer(client);
        let mut request = get("http://example.com/a");
        *request.timeout_mut() = Some(std::time::Duration::from_secs(7));
        client.oneshot(request).await.unwrap();
    }
}
