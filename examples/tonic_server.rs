//! A tonic server and its client under the presets: refusals and deadlines in gRPC's own words.
//!
//! Serves gRPC health checks on a free port of loopback, makes one, and ends.

use http::Request;
use tokio::net::TcpListener;
use tonic::transport::{Endpoint, Server, server::TcpIncoming};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tower::ServiceBuilder;
use tower_ballast::BoxError;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = Endpoint::from_shared(format!("http://{}", listener.local_addr()?))?;

    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("shop", tonic_health::ServingStatus::Serving).await;
    let server = Server::builder().layer(tower_ballast::http_server()).add_service(health);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));

    let channel = ServiceBuilder::new()
        .layer(tower_ballast::http_client())
        // The bodies that are kept for another attempt, as tonic's own.
        .map_request(|request: Request<_>| request.map(tonic::body::Body::new))
        .service(endpoint.connect_lazy());
    let request = HealthCheckRequest { service: "shop".to_owned() };
    let answer = HealthClient::new(channel).check(request).await?;
    println!("shop: {:?}", answer.into_inner().status());
    Ok(())
}
