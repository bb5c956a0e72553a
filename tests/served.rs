//! State lives in the layer: frameworks build a service for each route and connection, and all of
//! them share it. Seen over real sockets.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, routing::get};
use tower::ServiceBuilder;
use tower_ballast::{http_server, prelude::*};
use tower_ballast_http::{HttpClassify, RespondLayer};

use crate::wire::{raw, serve};

/// Sends one request on a connection of its own and returns the whole answer.
async fn get_once(address: SocketAddr, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    raw(address, &request).await.to_ascii_lowercase()
}

#[tokio::test]
async fn a_breaker_opened_through_one_connection_refuses_on_another() {
    let layer = CircuitBreakerLayer::new()
        .consecutive_failures(count::<3>())
        .classify_with(HttpClassify::new());
    let app = Router::new()
        .route("/ok", get(async || "fine"))
        .route("/fail", get(async || http::StatusCode::BAD_GATEWAY))
        .layer(ServiceBuilder::new().layer(RespondLayer::new()).layer(layer.clone()));
    let address = serve(app).await;

    assert!(get_once(address, "/ok").await.starts_with("http/1.1 200"));
    for _ in 0..3 {
        assert!(get_once(address, "/fail").await.starts_with("http/1.1 502"));
    }
    // Another connection, and another route of the same layer.
    let refused = get_once(address, "/ok").await;
    assert!(refused.starts_with("http/1.1 503"), "{refused}");
    assert!(refused.contains("retry-after:"), "{refused}");
    assert!(refused.contains("content-type: application/problem+json"), "{refused}");
    assert!(refused.contains("circuit_open"), "{refused}");

    layer.handle().reset();
    assert!(get_once(address, "/ok").await.starts_with("http/1.1 200"));
}

#[tokio::test]
async fn one_handle_moves_the_deadline_of_every_connection() {
    let preset = http_server();
    let deadline = preset.deadline_handle();
    let app = Router::new()
        .route("/hang", get(async || std::future::pending::<&str>().await))
        .layer(preset);
    let address = serve(app).await;
    deadline.set_limit(Duration::from_millis(20));
    for _ in 0..2 {
        let answer = get_once(address, "/hang").await;
        assert!(answer.starts_with("http/1.1 504"), "{answer}");
        assert!(answer.contains("cache-control: no-store"), "{answer}");
    }
}
