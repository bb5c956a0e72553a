//! reqwest: the client preset around its client.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, routing::put};
use bytes::Bytes;
use http::StatusCode;
use reqwest::{Client, Method, Request};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_ballast::{Backoff, Reason, Rejected, reqwest_client};

use crate::wire::serve;

fn quiet() -> Client {
    Client::builder().retry(reqwest::retry::never()).no_proxy().build().unwrap()
}

#[tokio::test]
async fn every_attempt_carries_the_same_body() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&bodies);
    let app = Router::new().route(
        "/",
        put(async move |body: Bytes| {
            let mut seen = seen.lock().unwrap();
            seen.push(body);
            if seen.len() < 3 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
        }),
    );
    let url = format!("http://{}/", serve(app).await).parse().unwrap();
    let preset = reqwest_client().retry(|layer| layer.backoff(Backoff::constant(Duration::ZERO)));
    let (retry, figures) = (preset.retry_handle(), preset.metrics_handle());
    let mut client = ServiceBuilder::new().layer(preset).service(quiet());
    let mut request = Request::new(Method::PUT, url);
    *request.body_mut() = Some("one pony".into());
    let answer = client.ready().await.unwrap().call(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(*bodies.lock().unwrap(), ["one pony"; 3]);
    assert_eq!(retry.statistics().retries, 2);
    assert_eq!(figures.statistics().operations[0].whole.count, 1);
}

#[tokio::test]
async fn connections_share_one_circuit_and_its_refusal_is_found_in_the_error() {
    let app = Router::new().route("/", put(async || StatusCode::BAD_GATEWAY));
    let url: reqwest::Url = format!("http://{}/", serve(app).await).parse().unwrap();
    let preset = reqwest_client()
        .retry(|layer| layer.retries(0))
        .circuit(|layer| layer.consecutive_failures(tower_ballast::count::<3>()));
    let ask = async || {
        // A client of its own for each, and so a connection; the layers are the same.
        let mut client = ServiceBuilder::new().layer(preset.clone()).service(quiet());
        client.ready().await.unwrap().call(Request::new(Method::PUT, url.clone())).await
    };
    for _ in 0..3 {
        assert_eq!(ask().await.unwrap().status(), StatusCode::BAD_GATEWAY);
    }
    let refused = ask().await.unwrap_err();
    let rejected = Rejected::find(&*refused).unwrap();
    assert_eq!(rejected.reason(), Reason::CircuitOpen);
    assert!(rejected.is_unsent() && rejected.after().is_some());
}
