//! tonic: server and client with protobuf messages, those of the health service, unary and streamed.

use std::{net::SocketAddr, time::Duration};

use futures_util::{StreamExt, stream, stream::BoxStream};
use http::Request;
use tokio::net::TcpListener;
use tonic::{
    Code,
    server::NamedService,
    transport::{Endpoint, Server, server::TcpIncoming},
};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse,
    health_client::HealthClient,
    health_server::{Health, HealthServer},
};
use tower::ServiceBuilder;
use tower_ballast::{HttpServer, Reason, Rejected, http_client, http_server};

use super::station::Station;

async fn serve<H>(preset: HttpServer, health: HealthServer<H>) -> SocketAddr
where
    H: Health,
    HealthServer<H>: NamedService,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().layer(preset).add_service(health);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    address
}

fn channel(address: SocketAddr) -> tonic::transport::Channel {
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy()
}

fn question() -> HealthCheckRequest {
    HealthCheckRequest { service: "shop".to_owned() }
}

/// Answers a question as soon as it is let go, and watches three times.
struct Held(Station);

#[tonic::async_trait]
impl Health for Held {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, tonic::Status>>;

    async fn check(
        &self,
        _: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<HealthCheckResponse>, tonic::Status> {
        self.0.stop().await;
        Ok(answer(1))
    }

    async fn watch(
        &self,
        _: tonic::Request<HealthCheckRequest>,
    ) -> Result<tonic::Response<Self::WatchStream>, tonic::Status> {
        let statuses = [2, 1, 2].map(|status| Ok(HealthCheckResponse { status }));
        let last = Err(tonic::Status::data_loss("the end"));
        Ok(tonic::Response::new(stream::iter(statuses.into_iter().chain([last])).boxed()))
    }
}

fn answer(status: i32) -> tonic::Response<HealthCheckResponse> {
    tonic::Response::new(HealthCheckResponse { status })
}

#[tokio::test]
async fn a_servers_connections_share_one_bulkhead_and_its_refusals_are_statuses() {
    let (station, mut arrived) = Station::new();
    let preset = http_server().limit(1).bulkhead(|layer| layer.queue(0));
    let address = serve(preset, HealthServer::new(Held(station.clone()))).await;
    let running =
        tokio::spawn(async move { HealthClient::new(channel(address)).check(question()).await });
    arrived.recv().await.unwrap();
    for _ in 0..3 {
        let refused = HealthClient::new(channel(address)).check(question()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable);
        assert!(refused.message().contains("cannot take the request"), "{}", refused.message());
    }
    station.release(1);
    assert_eq!(running.await.unwrap().unwrap().into_inner().status, 1);
    assert_eq!(station.most(), 1);
}

#[tokio::test]
async fn a_call_that_takes_too_long_has_exceeded_its_deadline() {
    let (station, _arrived) = Station::new();
    let preset = http_server().deadline(|layer| layer.limit(Duration::from_millis(20)));
    let address = serve(preset, HealthServer::new(Held(station))).await;
    let late = HealthClient::new(channel(address)).check(question()).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_stream_and_its_trailers_pass_through_both_presets() {
    let (station, _arrived) = Station::new();
    let address = serve(http_server(), HealthServer::new(Held(station))).await;
    let preset = http_client();
    let figures = preset.metrics_handle();
    let client = ServiceBuilder::new()
        .layer(preset)
        .map_request(|request: Request<_>| request.map(tonic::body::Body::new))
        .service(channel(address));
    let mut watched = HealthClient::new(client).watch(question()).await.unwrap().into_inner();
    let mut seen = Vec::new();
    let end = loop {
        match watched.message().await {
            Ok(Some(answer)) => seen.push(answer.status),
            Ok(None) => panic!("the error is missing"),
            Err(status) => break status,
        }
    };
    assert_eq!((seen, end.code(), end.message()), (vec![2, 1, 2], Code::DataLoss, "the end"));
    assert_eq!(figures.statistics().operations[0].whole.count, 1);
}

#[tokio::test]
async fn a_clients_refusal_is_found_in_its_status() {
    let (station, _arrived) = Station::new();
    let address = serve(http_server(), HealthServer::new(Held(station))).await;
    let client = ServiceBuilder::new()
        .layer(http_client().bulkhead(|layer| layer.limit(0)))
        .map_request(|request: Request<_>| request.map(tonic::body::Body::new))
        .service(channel(address));
    let status = HealthClient::new(client).check(question()).await.unwrap_err();
    let rejected = Rejected::find(&status).expect("the source of the status");
    assert_eq!(rejected.reason(), Reason::BulkheadFull);
}
