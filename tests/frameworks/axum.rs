//! axum: `Router::layer`, `route_layer`, one method's layer, optional and boxed layers.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, extract::Request, response::IntoResponse, routing::get};
use tokio::task::JoinSet;
use tower::{
    Layer, ServiceBuilder,
    util::{BoxCloneSyncService, option_layer},
};
use tower_ballast::{http_server, prelude::*};
use tower_ballast_http::{HttpClassify, RespondLayer};

use super::station::Station;
use crate::wire::{raw, serve};

/// One request on a connection of its own.
async fn ask(address: SocketAddr, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    raw(address, &request).await.to_ascii_lowercase()
}

fn held(station: &Station) -> Router {
    let station = station.clone();
    Router::new().route("/", get(async move || station.stop().await))
}

#[tokio::test]
async fn a_bulkhead_of_one_never_runs_two_over_several_connections() {
    let (station, mut arrived) = Station::new();
    let preset = http_server().limit(1).bulkhead(|layer| layer.queue(0));
    let handle = preset.bulkhead_handle();
    let address = serve(held(&station).layer(preset)).await;
    let running = tokio::spawn(async move { ask(address, "/").await });
    arrived.recv().await.unwrap();
    for _ in 0..5 {
        let refused = ask(address, "/").await;
        assert!(refused.starts_with("http/1.1 503"), "{refused}");
        assert!(refused.contains("application/problem+json") && refused.contains("queue_full"));
    }
    station.release(2);
    assert!(running.await.unwrap().starts_with("http/1.1 200"));
    assert!(ask(address, "/").await.starts_with("http/1.1 200"));
    assert_eq!((station.most(), handle.statistics().queue_full, handle.in_flight()), (1, 5, 0));
}

#[tokio::test]
async fn a_queue_answers_all_connections_one_at_a_time() {
    let (station, mut arrived) = Station::new();
    let layer = BulkheadLayer::new(1).queue(100).longest_wait(Duration::from_secs(60));
    let handle = layer.handle();
    let stack = ServiceBuilder::new().layer(RespondLayer::new()).layer(layer);
    let address = serve(held(&station).layer(stack)).await;
    let mut callers = JoinSet::new();
    for _ in 0..20 {
        callers.spawn(async move { ask(address, "/").await });
    }
    for _ in 0..20 {
        arrived.recv().await.unwrap();
        assert_eq!(handle.in_flight(), 1);
        station.release(1);
    }
    while let Some(answer) = callers.join_next().await {
        assert!(answer.unwrap().starts_with("http/1.1 200"));
    }
    assert_eq!((station.most(), handle.waiting()), (1, 0));
}

#[tokio::test]
async fn route_layer_protects_routes_and_not_what_is_missing() {
    let open = CircuitBreakerLayer::new().classify_with(HttpClassify::new());
    open.handle().force_open();
    let app = Router::new()
        .route("/a", get(async || "a"))
        .route_layer(ServiceBuilder::new().layer(RespondLayer::new()).layer(open))
        .route("/b", get(async || "b"));
    let address = serve(app).await;
    assert!(ask(address, "/a").await.starts_with("http/1.1 503"));
    assert!(ask(address, "/b").await.starts_with("http/1.1 200"));
    assert!(ask(address, "/c").await.starts_with("http/1.1 404"));
}

#[tokio::test]
async fn one_methods_layer_leaves_the_others_alone() {
    let open = CircuitBreakerLayer::new().classify_with(HttpClassify::new());
    open.handle().force_open();
    let stack = ServiceBuilder::new().layer(RespondLayer::new()).layer(open);
    let app = Router::new().route("/", get(async || "read").layer(stack).post(async || "written"));
    let address = serve(app).await;
    assert!(ask(address, "/").await.starts_with("http/1.1 503"));
    let written = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert!(raw(address, written).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn one_layer_on_two_routers_has_one_state() {
    let layer = CircuitBreakerLayer::new()
        .consecutive_failures(count::<2>())
        .classify_with(HttpClassify::new());
    let stack = || ServiceBuilder::new().layer(RespondLayer::new()).layer(layer.clone());
    let fails =
        Router::new().route("/", get(async || http::StatusCode::BAD_GATEWAY)).layer(stack());
    let works = Router::new().route("/", get(async || "fine")).layer(stack());
    let (fails, works) = (serve(fails).await, serve(works).await);
    assert!(ask(works, "/").await.starts_with("http/1.1 200"));
    for _ in 0..2 {
        assert!(ask(fails, "/").await.starts_with("http/1.1 502"));
    }
    assert!(ask(works, "/").await.contains("circuit_open"));
}

#[tokio::test]
async fn a_layer_may_be_optional() {
    for (limit, status) in [(None, "http/1.1 200"), (Some(0), "http/1.1 503")] {
        let stack = ServiceBuilder::new()
            .layer(RespondLayer::new())
            .layer(option_layer(limit.map(BulkheadLayer::new)))
            .map_err(BoxError::from);
        let address = serve(Router::new().route("/", get(async || "fine")).layer(stack)).await;
        let answer = ask(address, "/").await;
        assert!(answer.starts_with(status), "{limit:?}: {answer}");
    }
}

#[tokio::test]
async fn a_protected_service_may_be_boxed_and_cloned() {
    let (station, mut arrived) = Station::new();
    let held = station.clone();
    let inner = tower::service_fn(move |_: Request| {
        let held = held.clone();
        async move {
            held.stop().await;
            Ok::<_, std::convert::Infallible>("done".into_response())
        }
    });
    let preset = http_server().limit(1).bulkhead(|layer| layer.queue(0));
    let service = BoxCloneSyncService::new(preset.layer(inner));
    let address = serve(Router::new().fallback_service(service)).await;
    let running = tokio::spawn(async move { ask(address, "/").await });
    arrived.recv().await.unwrap();
    assert!(ask(address, "/").await.contains("queue_full"));
    station.release(1);
    assert!(running.await.unwrap().ends_with("done"));
}
