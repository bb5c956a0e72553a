//! hyper-util's client under the preset: a read outlives two failures of the server.
//!
//! Serves a flaky answer on a free port of loopback, asks for it once, and ends.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use axum::{Router, http::StatusCode, routing::get};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::net::TcpListener;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_ballast::BoxError;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", get(flaky))).await });

    // Two that retry multiply, so the one beneath is switched off.
    let client = Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http();
    let preset = tower_ballast::http_client().on_event(|event| println!("event: {event}"));
    let mut client = ServiceBuilder::new().layer(preset).service(client);

    let request = Request::get(format!("http://{address}/")).body(Empty::<Bytes>::new())?;
    let (head, body) = client.ready().await?.call(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    println!("{}: {}", head.status, String::from_utf8_lossy(&body));
    Ok(())
}

/// Fails twice, then answers.
async fn flaky() -> Result<String, StatusCode> {
    static CALLS: AtomicU32 = AtomicU32::new(1);
    match CALLS.fetch_add(1, Relaxed) {
        1 | 2 => Err(StatusCode::SERVICE_UNAVAILABLE),
        call => Ok(format!("answered call {call}")),
    }
}
