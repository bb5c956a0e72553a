//! hyper: a server by `TowerToHyperService`, and hyper-util's client, with both versions of HTTP.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::body::Body;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn, util::BoxCloneService};
use tower_ballast::{
    Endpoint, HttpClientService, Reason, Rejected, circuit_breaker::Phase, http_client, http_server,
};

use super::station::Station;
use crate::wire::{client, http2_client, listener, serve_by_hyper};

fn get(address: SocketAddr) -> Request<Empty<bytes::Bytes>> {
    Request::get(format!("http://{address}/")).body(Empty::new()).unwrap()
}

#[tokio::test]
async fn a_server_on_several_connections_has_one_bulkhead() {
    let (station, mut arrived) = Station::new();
    let held = station.clone();
    let preset = http_server().limit(1).bulkhead(|layer| layer.queue(0));
    let service = preset.layer(service_fn(move |_: Request<hyper::body::Incoming>| {
        let held = held.clone();
        async move {
            held.stop().await;
            Ok::<_, Infallible>(Response::new(Empty::<bytes::Bytes>::new()))
        }
    }));
    let address = serve_by_hyper(service).await;
    let running = tokio::spawn(client().request(get(address)));
    arrived.recv().await.unwrap();
    // A client of its own for each, and so a connection.
    for _ in 0..3 {
        let refused = client().request(get(address)).await.unwrap();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    station.release(1);
    assert_eq!(running.await.unwrap().unwrap().status(), StatusCode::OK);
    assert_eq!(station.most(), 1);
}

#[tokio::test]
async fn streams_of_one_http2_connection_share_it_too() {
    let (station, mut arrived) = Station::new();
    let held = station.clone();
    let preset = http_server().limit(2).bulkhead(|layer| layer.queue(0));
    let service = preset.layer(service_fn(move |_: Request<hyper::body::Incoming>| {
        let held = held.clone();
        async move {
            held.stop().await;
            Ok::<_, Infallible>(Response::new(Empty::<bytes::Bytes>::new()))
        }
    }));
    let (tcp, address) = listener().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = tcp.accept().await {
            let service = TowerToHyperService::new(service.clone());
            let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
        }
    });
    let client = http2_client();
    let running = [0; 2].map(|_| tokio::spawn(client.request(get(address))));
    for _ in 0..2 {
        arrived.recv().await.unwrap();
    }
    let refused = client.request(get(address)).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    station.release(2);
    for running in running {
        assert_eq!(running.await.unwrap().unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_refused_connection_is_tried_again_and_opens_the_circuit() {
    let (tcp, address) = listener().await;
    drop(tcp);
    let preset = http_client()
        .retry(|layer| layer.backoff(tower_ballast::Backoff::constant(Duration::ZERO)))
        .circuit(|layer| layer.consecutive_failures(tower_ballast::count::<3>()));
    let (retry, endpoints) = (preset.retry_handle(), preset.endpoints());
    let mut service =
        ServiceBuilder::new().layer(preset.retry(|layer| layer.retries(2))).service(client());
    // Not even a POST was sent, so it may be repeated.
    let post = Request::post(format!("http://{address}/")).body(Empty::<bytes::Bytes>::new());
    let error = service.ready().await.unwrap().call(post.unwrap()).await.unwrap_err();
    assert!(Rejected::find(&*error).is_none(), "{error}");
    assert_eq!(retry.statistics().retries, 2);
    let endpoint = endpoints.of(Endpoint::key(&address.to_string())).unwrap();
    assert_eq!(endpoint.circuit().phase(), Phase::Open);
}

#[tokio::test]
async fn a_refusal_is_found_in_the_clients_error() {
    let preset = http_client().bulkhead(|layer| layer.limit(0));
    let mut service = ServiceBuilder::new().layer(preset).service(client());
    let (_tcp, address) = listener().await;
    let error = service.ready().await.unwrap().call(get(address)).await.unwrap_err();
    assert_eq!(Rejected::find(&*error).unwrap().reason(), Reason::BulkheadFull);
}

#[tokio::test]
async fn a_protected_client_has_a_name_and_may_be_boxed() {
    type Http = hyper_util::client::legacy::Client<
        hyper_util::client::legacy::connect::HttpConnector,
        tower_ballast_http::ReplayBody<Body>,
    >;

    /// What an application holds.
    struct App {
        client: HttpClientService<Http>,
    }

    let app = App { client: http_client().layer(client()) };
    let boxed = BoxCloneService::new(app.client);
    let address = serve_by_hyper(service_fn(|_| async {
        Ok::<_, Infallible>(Response::new(http_body_util::Full::new(bytes::Bytes::from("fine"))))
    }))
    .await;
    for mut client in [boxed.clone(), boxed] {
        let request = Request::get(format!("http://{address}/")).body(Body::empty()).unwrap();
        let answer = client.ready().await.unwrap().call(request).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "fine");
    }
}
