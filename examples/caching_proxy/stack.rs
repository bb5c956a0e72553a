//! The layers of the proxy, outermost first.

use std::{convert::Infallible, time::Duration};

use axum::body::{Body, Bytes, HttpBody};
use http::{Request, Response};
use tower::{BoxError, Service, ServiceBuilder, service_fn, util::BoxCloneSyncService};
use tower_ballast::{RespondLayer, TimeoutLayer};

use super::{client::hyper_client, proxy::Proxy};

/// How long the upstream may take for the head of an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The whole proxy: it answers every request.
pub(crate) type Front = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// A proxy that asks the upstream for everything.
pub(crate) fn passing(proxy: Proxy) -> Front {
    let client =
        ServiceBuilder::new().layer(TimeoutLayer::new(PATIENCE)).service(hyper_client(true));
    front(proxy, client)
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
