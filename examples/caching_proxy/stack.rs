//! The layers of the proxy, outermost first.

use std::{convert::Infallible, time::Duration};

use axum::body::{Body, Bytes, HttpBody};
use http::{Request, Response};
use tower::{BoxError, Service, ServiceBuilder, service_fn, util::BoxCloneSyncService};
use tower_ballast::{RespondLayer, TimeoutLayer, cache::store::Capacity};

use tower_ballast_http_cache::{
    CompleteParts, HttpCacheLayer,
    engine::{Cookies, Rules},
};

use super::{args::Cache, client::hyper_client, proxy::Proxy};

/// How long the upstream may take for the head of an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a stale answer serves while the upstream cannot be reached, if the answer does not
/// forbid it.
const OUTAGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The whole proxy: it answers every request.
pub(crate) type Front = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// A proxy that asks the upstream for everything.
pub(crate) fn passing(proxy: Proxy) -> Front {
    let client =
        ServiceBuilder::new().layer(TimeoutLayer::new(PATIENCE)).service(hyper_client(true));
    front(proxy, client)
}

/// A proxy that asks the upstream for what it does not have.
pub(crate) fn caching(proxy: Proxy, cache: Cache) -> Front {
    let client = ServiceBuilder::new()
        .layer(layer(cache))
        .layer(TimeoutLayer::new(PATIENCE))
        .service(hyper_client(true));
    front(proxy.discreet(), client)
}

fn layer(cache: Cache) -> HttpCacheLayer<CompleteParts> {
    let rules = if cache.private { Rules::private() } else { Rules::shared() };
    let rules = rules
        .cookies(Cookies::WithExplicitFreshness)
        .stale_if_disconnected(OUTAGE)
        .lenient(cache.lenient);
    HttpCacheLayer::new(rules)
        .complete_parts()
        .capacity(Capacity::of_bytes(cache.max_bytes))
        .name("caching-proxy")
}

fn front<S, B>(proxy: Proxy, client: S) -> Front
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let forward = service_fn(move |request| {
        let (proxy, client) = (proxy.clone(), client.clone());
        async move { proxy.forward(client, request).await }
    });
    let answer = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(RespondLayer::new().proxy())
        .service(forward);
    BoxCloneSyncService::new(answer)
}
