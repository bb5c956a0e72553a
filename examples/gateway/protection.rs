//! The gateway itself, with the protection off and on.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, HttpBody},
};
use http::{Request, Response, StatusCode, uri::Authority};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use tokio::time::{error::Elapsed, sleep, timeout};
use tower::{BoxError, Layer, ServiceBuilder, service_fn};
use tower_ballast::{
    Backoff, HttpClient, HttpFacts, HttpReplay, HttpServer, RespondLayer,
    circuit_breaker::WindowOf, http_client, http_server,
};

use super::{client::hyper_client, proxy::Proxy, watch::Watch};

/// Whether the layers are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    Off,
    On,
}

/// How long one attempt may take, on both sides of the comparison.
pub(crate) const ATTEMPT: Duration = Duration::from_millis(400);

/// How long the protected gateway gives a request in all: what three attempts and two pauses take
/// in the unprotected one.
pub(crate) const WHOLE: Duration = Duration::from_millis(1300);

/// How often a request is sent at most, on both sides.
pub(crate) const ATTEMPTS: usize = 3;

/// The pause of the unprotected gateway before it tries again.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// How long a request waits for its turn in the protected gateway.
const LONGEST_WAIT: Duration = Duration::from_millis(150);

/// Requests that the protected gateway works on at once. The upstream's four workers have done that
/// many in a fourth of the time that an attempt has, and in three fourths when they are slow.
pub(crate) const AT_ONCE: u32 = 20;

/// The gateway of the storm, and what there is to watch.
pub(crate) fn gateway(protection: Protection, upstream: Authority) -> (Router, Option<Watch>) {
    let proxy = Proxy::new(upstream);
    match protection {
        Protection::Off => (bare(proxy), None),
        Protection::On => {
            let (server, client) = (picky(), quick());
            let watch = Watch::new(&server, &client);
            (protected(proxy, server, client), Some(watch))
        }
    }
}

/// The gateway in front of somebody's upstream, with the defaults.
#[allow(
    dead_code,
    reason = "the example's main looks at its figures and so builds it from its parts"
)]
pub(crate) fn guard(proxy: Proxy) -> Router {
    protected(proxy, http_server(), http_client())
}

/// The server's preset, which believes what the load says of its priority: it is ours. Those that can
/// be in time wait, the others are refused.
fn picky() -> HttpServer {
    http_server()
        .facts(HttpFacts::new().trusted_sender())
        .limit(AT_ONCE)
        .bulkhead(|layer| layer.longest_wait(LONGEST_WAIT))
}

/// The client's preset with times of a tenth or less, so that a storm fits into half a minute, and a window
/// that leaves to the server's side who goes first. Attempts and requests have no more time than in
/// the unprotected gateway, for a fair comparison.
fn quick() -> HttpClient {
    let millis = Duration::from_millis;
    http_client()
        .deadline(|layer| layer.limit(WHOLE))
        .window(AT_ONCE..=1000)
        .retry(|layer| layer.backoff(Backoff::exponential(millis(10)).cap(millis(500))))
        .circuit(|layer| {
            let layer = layer.window(WindowOf::Time(millis(2000)));
            layer
                .rest(millis(500))
                .longest_rest(millis(6000))
                .longest_trial(millis(1000))
                .abandoned_after(millis(1000))
        })
        .attempt(|layer| layer.limit(ATTEMPT))
}

/// The presets around the proxy: one for the server's side, one for the client's.
pub(crate) fn protected(proxy: Proxy, server: HttpServer, client: HttpClient) -> Router {
    // Kept bodies could be sent twice. A proxy repeats nothing once a byte of a body has gone on.
    let preset = client.retry(|layer| layer.replay(HttpReplay::new().cap(0)));
    let client = ServiceBuilder::new().layer(preset).service(hyper_client(false));
    let proxy = service_fn(move |request| {
        let (proxy, client) = (proxy.clone(), client.clone());
        async move { proxy.forward(client, request).await }
    });
    let server = server.respond(RespondLayer::proxy);
    Router::new().fallback_service(server.layer(proxy))
}

/// What a service does by habit: a limit for each attempt, and three of them.
fn bare(proxy: Proxy) -> Router {
    let client = hyper_client(false);
    Router::new().fallback_service(service_fn(move |request| {
        let (proxy, client) = (proxy.clone(), client.clone());
        async move {
            let persistent = service_fn(|request| persist(&client, request));
            Ok::<_, std::convert::Infallible>(
                proxy.forward(persistent, request).await.unwrap_or_else(|error| apologise(&*error)),
            )
        }
    }))
}

async fn persist(
    client: &Client<HttpConnector, Body>,
    request: Request<Body>,
) -> Result<Response<Incoming>, BoxError> {
    let attempt =
        async |request| Ok::<_, BoxError>(timeout(ATTEMPT, client.request(request)).await??);
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        for _ in 1..ATTEMPTS {
            match attempt(Request::from_parts(head.clone(), Body::empty())).await {
                Ok(response) if is_final(response.status()) => return Ok(response),
                _ => sleep(PAUSE).await,
            }
        }
    }
    attempt(Request::from_parts(head, body)).await
}

fn is_final(status: StatusCode) -> bool {
    !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS
}

fn apologise(error: &(dyn std::error::Error + 'static)) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() =
        if error.is::<Elapsed>() { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
    response
}
