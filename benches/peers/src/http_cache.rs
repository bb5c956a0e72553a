//! Answers of a server kept by the rules of HTTP, found again and read to their end.

use std::{
    convert::Infallible,
    fmt::{Debug, Display},
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use http_cache::{MokaCache, MokaManager};
use http_cache_tower::HttpCacheLayer as PeerLayer;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_ballast_http_cache::{HttpCacheLayer, engine::Rules};

use crate::harness::{Bar, Case, Expect::Answers};

const PEER_SMALL: &str = "http-cache-tower, hit of 1 KiB";
const PEER_LARGE: &str = "http-cache-tower, hit of 64 KiB";
const ONE_SMALL: &str = "ballast HTTP cache, one page of 1 KiB";
const KIB: usize = 1024;
/// All of them are kept.
const PATHS: u64 = 100;

/// Whether a hit costs more for a larger body is asked of one page alone. A batch asks each of many pages about once,
/// and then measures where in memory the pages happen to lie, and what the case before it has left of the processor's
/// caches.
pub fn cases() -> [Case; 6] {
    let ballast = || HttpCacheLayer::new(Rules::shared());
    let peer = || PeerLayer::new(MokaManager::new(MokaCache::new(10 * PATHS)));
    [
        Case::reused(PEER_SMALL, site(&peer(), PATHS, KIB), Answers),
        Case::reused(
            "ballast HTTP cache, hit of 1 KiB",
            site(&ballast(), PATHS, KIB),
            Answers,
        )
        .against(PEER_SMALL, Bar::Cost(0.1)),
        Case::reused(PEER_LARGE, site(&peer(), PATHS, 64 * KIB), Answers),
        Case::reused(
            "ballast HTTP cache, hit of 64 KiB",
            site(&ballast(), PATHS, 64 * KIB),
            Answers,
        )
        .against(PEER_LARGE, Bar::Cost(0.03)),
        Case::reused(ONE_SMALL, site(&ballast(), 1, KIB), Answers),
        Case::reused(
            "ballast HTTP cache, 64 KiB beside 1 KiB",
            site(&ballast(), 1, 64 * KIB),
            Answers,
        )
        .against(ONE_SMALL, Bar::Cost(1.1)),
    ]
}

/// A cached origin of so many pages that is asked by number.
fn site<L, B>(
    layer: &L,
    pages: u64,
    bytes: usize,
) -> impl Service<u64, Response = u64, Error: Debug> + use<L, B>
where
    L: Layer<Origin>,
    L::Service:
        Service<Request<Full<Bytes>>, Response = Response<B>, Error: Display + Debug> + Clone,
    B: Body<Error: Debug>,
{
    let cached = layer.layer(Origin::of(pages, bytes));
    let uris: Vec<Uri> = (0..pages)
        .map(|path| format!("http://origin.test/things/{path}"))
        .map(|uri| uri.parse().expect("a URI"))
        .collect();
    service_fn(move |number: u64| {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = uris[(number % pages) as usize].clone();
        let cached = cached.clone();
        async move {
            let response = cached
                .oneshot(request)
                .await
                .map_err(|error| error.to_string())?;
            let mut body = std::pin::pin!(response.into_body());
            let mut left = bytes;
            while let Some(frame) = body.frame().await {
                let data = frame.expect("a whole body").into_data();
                left -= data.map_or(0, |data| bytes::Buf::remaining(&data));
            }
            if left == 0 {
                Ok(number)
            } else {
                Err(format!("{left} bytes are missing"))
            }
        }
    })
}

/// Answers each path once.
#[derive(Debug, Clone)]
struct Origin {
    body: Bytes,
    pages: u64,
    asked: Arc<AtomicU64>,
}

impl Origin {
    fn of(pages: u64, bytes: usize) -> Self {
        Self {
            pages,
            body: vec![b'.'; bytes].into(),
            asked: Arc::default(),
        }
    }
}

impl Service<Request<Full<Bytes>>> for Origin {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        let asked = self.asked.fetch_add(1, Relaxed);
        assert!(asked < self.pages, "what was kept is asked for again");
        let mut response = Response::new(Full::new(self.body.clone()));
        let fields = [
            (header::CACHE_CONTROL, "public, max-age=86400"),
            (header::CONTENT_TYPE, "text/plain"),
            (header::ETAG, "\"one\""),
        ];
        for (name, value) in fields {
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        ready(Ok(response))
    }
}
