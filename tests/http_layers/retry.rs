use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::stream;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::sync::watch;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_ballast_core::Backoff;
use tower_ballast_http::{HttpClassify, HttpDrain, HttpReplay, Idempotent};
use tower_ballast_retry::RetryLayer;

use crate::wire::{self, client, serve};

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

/// Far more than what the sockets between client and server hold.
const LONG: usize = 32 * 1024 * 1024;

/// Tells at its end how many pieces of a body were wanted.
struct Pieces(usize, watch::Sender<Option<usize>>);

impl Iterator for Pieces {
    type Item = Result<Bytes, Infallible>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0 += 1;
        (self.0 <= 1024).then(|| Ok(Bytes::from(vec![b'.'; LONG / 1024])))
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.1.send_replace(Some(self.0));
    }
}

#[tokio::test]
async fn a_discarded_response_is_read_to_its_end_beside_the_next_attempt() {
    let (ended, wanted) = watch::channel(None);
    let calls = Arc::new(AtomicUsize::new(0));
    let app = Router::new().route(
        "/",
        get(async move || {
            if calls.fetch_add(1, Ordering::Relaxed) == 0 {
                let body = Body::from_stream(stream::iter(Pieces(0, ended.clone())));
                return (StatusCode::SERVICE_UNAVAILABLE, body);
            }
            let wanted = *wanted.clone().wait_for(Option::is_some).await.unwrap();
            (StatusCode::OK, Body::from(wanted.unwrap().to_string()))
        }),
    );
    let address = serve(app).await;
    let service = ServiceBuilder::new()
        .layer(
            RetryLayer::new(Idempotent::new())
                .backoff(Backoff::constant(Duration::ZERO))
                .replay(HttpReplay::new())
                .classify_with(HttpClassify::new())
                .discard(HttpDrain::new().most(LONG as u64)),
        )
        .service(client());
    let answer = service.oneshot(wire::get(address)).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "1025");
}

#[test]
fn a_retrying_client_takes_the_bodies_of_axum() {
    let service = ServiceBuilder::new()
        .layer(RetryLayer::new(Idempotent::new()).replay(HttpReplay::new()))
        .service(client());
    drop(service.oneshot(Request::new(Body::empty())));
}
