//! A reqwest client under the preset: when nobody answers, the circuit opens and refuses at once.
//!
//! Asks a port of loopback where nobody listens, prints what happened, and ends.

use std::{net::TcpListener, time::Duration};

use reqwest::{Client, Method, Request};
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_ballast::{BoxError, Rejected, count};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    // A port that was free a moment ago.
    let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?;

    let preset = tower_ballast::reqwest_client()
        .deadline(|layer| layer.limit(Duration::from_secs(2)))
        .retry(|layer| layer.retries(1).total(Duration::from_secs(2)))
        .circuit(|layer| layer.consecutive_failures(count::<4>()))
        .on_event(|event| println!("  event: {event}"));
    println!("{}", preset.explain());

    let client = Client::builder().retry(reqwest::retry::never()).build()?;
    let mut client = ServiceBuilder::new().layer(preset).service(client);

    for number in 1..=3 {
        println!("request {number}");
        let request = Request::new(Method::GET, format!("http://{nobody}/").parse()?);
        let Err(error) = client.ready().await?.call(request).await else {
            return Err("somebody answers".into());
        };
        match Rejected::find(&*error) {
            Some(rejected) => println!("  not sent: {rejected}"),
            None => println!("  failed: {error}"),
        }
    }
    Ok(())
}
