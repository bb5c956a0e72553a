//! An axum server under the preset: whatever becomes of a handler, the caller gets a proper answer.
//!
//! Serves on a free port of loopback, makes two requests, prints what happened, and ends.

use std::time::Duration;

use axum::{Router, routing::get};
use tokio::net::TcpListener;
use tower_ballast::BoxError;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let preset = tower_ballast::http_server()
        .deadline(|layer| layer.limit(Duration::from_millis(200)))
        .on_event(|event| println!("  event: {event}"));
    println!("{}", preset.explain());

    let app = Router::new()
        .route("/", get(async || "hello"))
        .route("/stuck", get(async || std::future::pending::<&str>().await))
        .layer(preset);

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });

    for path in ["/", "/stuck"] {
        println!("GET {path}");
        let answer = reqwest::get(format!("http://{address}{path}")).await?;
        println!("  {}: {}", answer.status(), answer.text().await?);
    }
    Ok(())
}
