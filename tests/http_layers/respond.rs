use std::{
    convert::Infallible,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, routing::get};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceBuilder, service_fn, util::MapFutureLayer};
use tower_ballast_core::{BoxError, Event, Reason, Rejected, RetryAfter};
use tower_ballast_http::RespondLayer;

use crate::wire::{client, raw, serve, serve_by_hyper};

#[tokio::test]
async fn an_axum_router_needs_no_error_handler() {
    let address = serve(refusing(RespondLayer::new())).await;
    let client = client::<Body>();
    for _ in 0..3 {
        let answer = client.request(crate::wire::get(address)).await.unwrap();
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "2");
        assert_eq!(answer.headers()["retry-after-ms"], "1500");
        let problem = answer.into_body().collect().await.unwrap().to_bytes();
        let problem: serde_json::Value = serde_json::from_slice(&problem).unwrap();
        assert_eq!(problem["status"], 503);
        assert_eq!(problem["reason"], "circuit_open");
    }
}

#[tokio::test]
async fn head_gets_the_head_alone() {
    let address = serve(refusing(RespondLayer::new())).await;
    let head = raw(address, "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "no body: {head}");
    assert!(head.contains("retry-after: 2\r\n"), "{head}");
}

#[tokio::test]
async fn grpc_gets_trailers_only() {
    let address = serve(refusing(RespondLayer::new())).await;
    let request = Request::post(format!("http://{address}/"))
        .header("content-type", "application/grpc")
        .body(Body::empty())
        .unwrap();
    let answer = client().request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["grpc-status"], "14");
    assert_eq!(answer.headers()["grpc-retry-pushback-ms"], "1500");
    assert!(answer.into_body().collect().await.unwrap().to_bytes().is_empty());
}

#[tokio::test]
async fn all_connections_share_one_observer_and_no_text_leaks() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let layer = RespondLayer::new()
        .on_event(move |event: &Event<'_>| log.lock().unwrap().push(event.to_string()));
    let failing = service_fn(async |_: Request<hyper::body::Incoming>| {
        Err::<Response<Full<Bytes>>, BoxError>(io::Error::other("hunter2").into())
    });
    let address = serve_by_hyper(layer.layer(failing)).await;
    for _ in 0..3 {
        let request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let answer = raw(address, request).await;
        assert!(answer.starts_with("HTTP/1.1 500 ") && !answer.contains("hunter2"), "{answer}");
    }
    assert_eq!(*seen.lock().unwrap(), [r#"respond error_hidden reason=error detail="hunter2""#; 3]);
}

#[tokio::test]
async fn a_service_without_errors_passes() {
    let app = Router::new().route("/", get(async || "hello")).layer(RespondLayer::new());
    let answer = client::<Body>().request(crate::wire::get(serve(app).await)).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "hello");
}

/// A router behind something that refuses every request.
fn refusing(layer: RespondLayer) -> Router {
    let after = RetryAfter::hint(Duration::from_millis(1500));
    let refuse = MapFutureLayer::new(move |_| {
        let refusal = Rejected::new(Reason::CircuitOpen).retry_after(after);
        std::future::ready(Err::<Response<Body>, BoxError>(refusal.into()))
    });
    Router::new()
        .route("/", get(async || Ok::<_, Infallible>("hello")).post(async || "hello"))
        .layer(ServiceBuilder::new().layer(layer).layer(refuse))
}
