//! The HTTP cache in each framework: on a server, around the client of a reverse proxy, and around reqwest.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{Router, body::Body, extract::State, response::IntoResponse, routing::get};
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_ballast_http_cache::{
    HttpCacheHandle, HttpCacheLayer, ReqwestCache, ReqwestCacheLayer, engine::Rules,
};

use super::station::Station;
use crate::wire::{client, listener, serve, serve_by_hyper};

/// Long enough for a machine that does something else just now.
const PATIENCE: Duration = Duration::from_secs(60);

type Feed = mpsc::UnboundedSender<&'static str>;

/// What answers: pages that are fresh or stale at once, and one whose body the test feeds.
#[derive(Clone)]
struct Origin {
    calls: Arc<AtomicUsize>,
    /// Where calls for `/held` stop, but for the first.
    station: Station,
    feeds: mpsc::UnboundedSender<Feed>,
}

/// What a test has of it.
struct Behind {
    calls: Arc<AtomicUsize>,
    station: Station,
    arrived: mpsc::UnboundedReceiver<()>,
    feeds: mpsc::UnboundedReceiver<Feed>,
}

fn origin() -> (Router, Behind) {
    let (station, arrived) = Station::new();
    let (sender, feeds) = mpsc::unbounded_channel();
    let calls = Arc::new(AtomicUsize::new(0));
    let origin = Origin { calls: Arc::clone(&calls), station: station.clone(), feeds: sender };
    let app = Router::new()
        .route("/fresh", get(fresh))
        .route("/asked-about", get(asked_about))
        .route("/held", get(held))
        .route("/fed", get(fed))
        .with_state(origin);
    (app, Behind { calls, station, arrived, feeds })
}

async fn fresh(State(origin): State<Origin>) -> impl IntoResponse {
    origin.calls.fetch_add(1, SeqCst);
    ([("cache-control", "max-age=600"), ("etag", "\"a\"")], "0123456789")
}

async fn asked_about(State(origin): State<Origin>, headers: HeaderMap) -> Response<Body> {
    origin.calls.fetch_add(1, SeqCst);
    let response = Response::builder().header("cache-control", "no-cache").header("etag", "\"a\"");
    match headers.get(header::IF_NONE_MATCH) {
        Some(_) => response.status(StatusCode::NOT_MODIFIED).body(Body::empty()).unwrap(),
        None => response.body("0123456789".into()).unwrap(),
    }
}

async fn held(State(origin): State<Origin>) -> impl IntoResponse {
    let call = origin.calls.fetch_add(1, SeqCst);
    if call > 0 {
        origin.station.stop().await;
    }
    let page = if call == 0 { "old" } else { "new" };
    ([("cache-control", "max-age=0, stale-while-revalidate=600")], page)
}

async fn fed(State(origin): State<Origin>) -> Response<Body> {
    origin.calls.fetch_add(1, SeqCst);
    let (feed, mut pieces) = mpsc::unbounded_channel::<&'static str>();
    origin.feeds.send(feed).unwrap();
    let pieces = futures_util::stream::poll_fn(move |cx| pieces.poll_recv(cx))
        .map(|piece| Ok::<_, Infallible>(Frame::data(Bytes::from(piece))));
    let body = Body::new(StreamBody::new(pieces));
    Response::builder().header("cache-control", "max-age=600").body(body).unwrap()
}

/// What a client gets.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    fn said(&self) -> &str {
        self.headers["cache-status"].to_str().unwrap()
    }
}

async fn ask(address: SocketAddr, path: &str, fields: &[(&str, &str)]) -> Reply {
    let mut request = Request::get(format!("http://{address}{path}"));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let answer = client().request(request.body(Body::empty()).unwrap());
    let (parts, body) = timeout(PATIENCE, answer).await.unwrap().unwrap().into_parts();
    let body = timeout(PATIENCE, body.collect()).await.unwrap().unwrap().to_bytes();
    Reply { status: parts.status, headers: parts.headers, body }
}

/// A server whose own answers are kept.
async fn cached_server() -> (SocketAddr, Behind, HttpCacheHandle) {
    let (app, behind) = origin();
    let layer = HttpCacheLayer::new(Rules::shared());
    let handle = layer.handle();
    (serve(app.layer(layer)).await, behind, handle)
}

/// A proxy before a server, around whose client answers are kept; and what makes the server go away.
async fn cached_proxy() -> (SocketAddr, Behind, HttpCacheHandle, oneshot::Sender<()>) {
    let (app, behind) = origin();
    let (listener, upstream) = listener().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = axum::serve(listener, app).with_graceful_shutdown(async { drop(stopped.await) });
    tokio::spawn(async { serving.await });
    let layer = HttpCacheLayer::new(Rules::shared());
    let handle = layer.handle();
    let cached = layer.layer(client::<hyper::body::Incoming>());
    let proxy = service_fn(move |mut request: Request<hyper::body::Incoming>| {
        let path = request.uri().path_and_query().unwrap().clone();
        *request.uri_mut() = format!("http://{upstream}{path}").parse().unwrap();
        request.headers_mut().remove(header::HOST);
        let answer = cached.clone().oneshot(request);
        async move {
            Ok::<_, Infallible>(match answer.await {
                Ok(response) => response.map(Body::new),
                Err(_) => Response::builder().status(502).body(Body::empty()).unwrap(),
            })
        }
    });
    (serve_by_hyper(proxy).await, behind, handle, stop)
}

/// What is kept answers, with its conditions and ranges, and what has to be asked about is.
async fn answers(address: SocketAddr, behind: &Behind) {
    let first = ask(address, "/fresh", &[]).await;
    assert_eq!(first.said(), "http-cache; fwd=uri-miss; stored");
    let hit = ask(address, "/fresh", &[]).await;
    assert!(hit.said().starts_with("http-cache; hit; ttl="), "{}", hit.said());
    assert_eq!((hit.status, &hit.body[..]), (StatusCode::OK, &b"0123456789"[..]));
    assert!(hit.headers.contains_key("age"));
    assert_eq!(hit.headers["content-length"], "10");
    let same = ask(address, "/fresh", &[("if-none-match", "\"a\"")]).await;
    assert_eq!((same.status, same.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let part = ask(address, "/fresh", &[("range", "bytes=2-4")]).await;
    assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &b"234"[..]));
    assert_eq!(part.headers["content-range"], "bytes 2-4/10");
    assert_eq!(behind.calls.load(SeqCst), 1);

    ask(address, "/asked-about", &[]).await;
    let asked = ask(address, "/asked-about", &[]).await;
    assert_eq!((asked.status, &asked.body[..]), (StatusCode::OK, &b"0123456789"[..]));
    assert!(asked.said().contains("fwd=stale; fwd-status=304"), "{}", asked.said());
    assert_eq!(behind.calls.load(SeqCst), 3);
}

/// The client has the first piece when the last has not been sent, and the next client has all at once.
async fn streams(address: SocketAddr, behind: &mut Behind, handle: &HttpCacheHandle) {
    let request = Request::get(format!("http://{address}/fed")).body(Body::empty()).unwrap();
    let answer = tokio::spawn(client().request(request));
    let feed = timeout(PATIENCE, behind.feeds.recv()).await.unwrap().unwrap();
    let mut body = timeout(PATIENCE, answer).await.unwrap().unwrap().unwrap().into_body();
    for piece in ["first ", "second "] {
        feed.send(piece).unwrap();
        let frame = timeout(PATIENCE, body.frame()).await.unwrap().unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), piece);
    }
    assert_eq!(handle.statistics().coming, 13);
    feed.send("last").unwrap();
    drop(feed);
    assert_eq!(timeout(PATIENCE, body.collect()).await.unwrap().unwrap().to_bytes(), "last");
    let hit = ask(address, "/fed", &[]).await;
    assert!(hit.said().starts_with("http-cache; hit"), "{}", hit.said());
    assert_eq!(hit.body, "first second last");
    assert_eq!((behind.calls.load(SeqCst), handle.statistics().coming), (1, 0));
}

/// What is stale is served while it is made anew, which one request does.
async fn renews(address: SocketAddr, behind: &mut Behind) {
    assert_eq!(ask(address, "/held", &[]).await.body, "old");
    for _ in 0..3 {
        let stale = ask(address, "/held", &[]).await;
        assert_eq!(stale.body, "old");
        assert!(stale.said().starts_with("http-cache; hit"), "{}", stale.said());
    }
    timeout(PATIENCE, behind.arrived.recv()).await.unwrap().unwrap();
    assert_eq!(behind.calls.load(SeqCst), 2, "one renews");
    behind.station.release(1000);
    let until_new = async { while ask(address, "/held", &[]).await.body != "new" {} };
    timeout(PATIENCE, until_new).await.unwrap();
}

#[tokio::test]
async fn an_axum_server_answers_from_what_is_kept() {
    let (address, behind, _) = cached_server().await;
    answers(address, &behind).await;
}

#[tokio::test]
async fn an_axum_server_streams_what_it_keeps() {
    let (address, mut behind, handle) = cached_server().await;
    streams(address, &mut behind, &handle).await;
}

#[tokio::test]
async fn an_axum_server_renews_what_is_stale_beside_serving_it() {
    let (address, mut behind, _) = cached_server().await;
    renews(address, &mut behind).await;
}

#[tokio::test]
async fn a_proxy_of_hypers_client_answers_from_what_is_kept_also_when_its_upstream_is_gone() {
    let (address, behind, handle, stop) = cached_proxy().await;
    answers(address, &behind).await;
    drop(stop);
    let hit = ask(address, "/fresh", &[]).await;
    assert!(hit.said().starts_with("http-cache; hit"), "{}", hit.said());
    assert_eq!((behind.calls.load(SeqCst), handle.statistics().stored), (3, 2));
}

#[tokio::test]
async fn a_proxy_of_hypers_client_streams_what_it_keeps() {
    let (address, mut behind, handle, _stop) = cached_proxy().await;
    streams(address, &mut behind, &handle).await;
}

#[tokio::test]
async fn a_proxy_of_hypers_client_renews_what_is_stale_beside_serving_it() {
    let (address, mut behind, _, _stop) = cached_proxy().await;
    renews(address, &mut behind).await;
}

type Client = ReqwestCache<reqwest::Client>;

fn cached_client() -> (Client, HttpCacheHandle) {
    let layer = HttpCacheLayer::new(Rules::private());
    let handle = layer.handle();
    let plain = reqwest::Client::builder().retry(reqwest::retry::never()).no_proxy();
    let layer = ReqwestCacheLayer::new(layer);
    (ServiceBuilder::new().layer(layer).service(plain.build().unwrap()), handle)
}

async fn send(client: &Client, url: &str, range: Option<&'static str>) -> reqwest::Response {
    let mut request = reqwest::Request::new(reqwest::Method::GET, url.parse().unwrap());
    if let Some(range) = range {
        request.headers_mut().insert(header::RANGE, range.parse().unwrap());
    }
    let answer = client.clone().call(request);
    timeout(PATIENCE, answer).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_client_of_reqwest_answers_from_what_it_kept() {
    let (app, behind) = origin();
    let (url, (client, _)) = (format!("http://{}", serve(app).await), cached_client());
    let (fresh, asked_about) = (format!("{url}/fresh"), format!("{url}/asked-about"));
    for said in ["http-cache; fwd=uri-miss; stored", "http-cache; hit"] {
        let reply = send(&client, &fresh, None).await;
        assert!(reply.headers()["cache-status"].to_str().unwrap().starts_with(said));
        assert_eq!(reply.url().as_str(), fresh);
        assert_eq!(reply.text().await.unwrap(), "0123456789");
    }
    let part = send(&client, &fresh, Some("bytes=2-4")).await;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.text().await.unwrap(), "234");
    assert_eq!(behind.calls.load(SeqCst), 1);
    for calls in 2..=3 {
        let reply = send(&client, &asked_about, None).await;
        assert_eq!(reply.text().await.unwrap(), "0123456789");
        assert_eq!(behind.calls.load(SeqCst), calls);
    }
}

#[tokio::test]
async fn a_client_of_reqwest_has_the_first_piece_before_the_last_is_sent() {
    let (app, mut behind) = origin();
    let url = format!("http://{}/fed", serve(app).await);
    let (client, handle) = cached_client();
    let mut reply = {
        let (client, url) = (client.clone(), url.clone());
        let reply = tokio::spawn(async move { send(&client, &url, None).await });
        let feed = timeout(PATIENCE, behind.feeds.recv()).await.unwrap().unwrap();
        let mut reply = timeout(PATIENCE, reply).await.unwrap().unwrap();
        feed.send("first ").unwrap();
        assert_eq!(timeout(PATIENCE, reply.chunk()).await.unwrap().unwrap().unwrap(), "first ");
        feed.send("last").unwrap();
        reply
    };
    assert_eq!(timeout(PATIENCE, reply.chunk()).await.unwrap().unwrap().unwrap(), "last");
    assert_eq!(timeout(PATIENCE, reply.chunk()).await.unwrap().unwrap(), None);
    assert_eq!(send(&client, &url, None).await.text().await.unwrap(), "first last");
    assert_eq!((behind.calls.load(SeqCst), handle.statistics().hits), (1, 1));
}

#[tokio::test]
async fn a_client_of_reqwest_renews_what_is_stale_beside_serving_it() {
    let (app, mut behind) = origin();
    let (url, (client, handle)) = (format!("http://{}/held", serve(app).await), cached_client());
    for _ in 0..3 {
        assert_eq!(send(&client, &url, None).await.text().await.unwrap(), "old");
    }
    timeout(PATIENCE, behind.arrived.recv()).await.unwrap().unwrap();
    assert_eq!((behind.calls.load(SeqCst), handle.statistics().refreshed), (2, 1));
    behind.station.release(1000);
    let until_new = async {
        // A hit is there at once, and what renews it has to have its turn.
        while send(&client, &url, None).await.text().await.unwrap() != "new" {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, until_new).await.unwrap();
}
