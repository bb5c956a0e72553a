use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, routing::post};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_ballast_core::Backoff;
use tower_ballast_http::{HttpClassify, HttpReplay, Idempotent};
use tower_ballast_retry::RetryLayer;

use crate::wire::{client, serve};

#[tokio::test]
async fn a_post_is_repeated_with_a_key_and_sent_once_without() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let app = Router::new().route(
        "/",
        post(async move |body: Bytes| match counted.fetch_add(1, Ordering::Relaxed) {
            0 | 2 => (StatusCode::SERVICE_UNAVAILABLE, body),
            _ => (StatusCode::OK, body),
        }),
    );
    let uri = format!("http://{}/", serve(app).await);

    let mut service = ServiceBuilder::new()
        .layer(
            RetryLayer::new(Idempotent::new())
                .backoff(Backoff::constant(Duration::ZERO))
                .replay(HttpReplay::new())
                .classify_with(HttpClassify::new()),
        )
        .service(client());

    let keyed = Request::post(&uri).header("idempotency-key", "k");
    let keyed = keyed.body(Full::new(Bytes::from("one pony"))).unwrap();
    let answer = service.ready().await.unwrap().call(keyed).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "one pony");
    assert_eq!(calls.load(Ordering::Relaxed), 2);

    let plain = Request::post(&uri).body(Full::new(Bytes::from("one pony"))).unwrap();
    let answer = service.ready().await.unwrap().call(plain).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

#[test]
fn a_retrying_client_takes_the_bodies_of_axum() {
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(Idempotent::new()).replay(HttpReplay::new()))
        .service(client());
    drop(service.oneshot(Request::new(Body::empty())));
}
