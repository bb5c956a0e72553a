//! What an operator sees: figures for Prometheus, and each layer's statistics as JSON.

use axum::{Router, body::Body, routing::get};
use http::{Response, header::CONTENT_TYPE};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};
use tower_ballast::{
    Endpoint, HttpClient, HttpServer,
    bulkhead::{self, BulkheadHandle},
    metrics::{Exporter, Figures, MetricsHandle},
    per_key::PerKeyHandle,
    retry::RetryHandle,
};

/// Upper bounds for the times of requests, in seconds.
const SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Handles of all that can be read.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    server: MetricsHandle,
    admitted: BulkheadHandle,
    client: MetricsHandle,
    retry: RetryHandle,
    endpoints: PerKeyHandle<Endpoint>,
}

impl Watch {
    pub(crate) fn new(server: &HttpServer, client: &HttpClient) -> Self {
        Self {
            server: server.metrics_handle(),
            admitted: server.bulkhead_handle(),
            client: client.metrics_handle(),
            retry: client.retry_handle(),
            endpoints: client.endpoints(),
        }
    }

    /// The figures of the server's side as a table.
    pub(crate) fn table(&self) -> String {
        self.server.statistics().to_string()
    }

    /// Every layer's statistics.
    pub(crate) fn stats(&self) -> Value {
        let retry = self.retry.statistics();
        let endpoints = self.endpoints.all();
        json!({
            "server": {
                "metrics": operations(&self.server),
                "bulkhead": bulkhead(self.admitted.statistics()),
            },
            "client": {
                "metrics": operations(&self.client),
                "retry": {
                    "retries": retry.retries,
                    "requests_by_attempts": retry.attempts,
                    "successes_by_attempts": retry.successes,
                    "dropped": retry.dropped,
                    "budget": retry.budget,
                },
                "endpoints": endpoints.iter().map(|endpoint| of(endpoint)).collect::<Vec<_>>(),
            },
        })
    }

    /// Serves `/metrics` and `/stats`.
    pub(crate) fn router(self, prometheus: PrometheusHandle) -> Router {
        let text = move || {
            prometheus.run_upkeep();
            answer("text/plain; version=0.0.4", prometheus.render())
        };
        let stats = move || answer("application/json", format!("{:#}\n", self.stats()));
        Router::new()
            .route("/metrics", get(async move || text()))
            .route("/stats", get(async move || stats()))
    }
}

/// Gives all figures and events of the presets to Prometheus.
///
/// # Errors
///
/// When the process has a recorder already.
pub(crate) fn export(
    server: HttpServer,
    client: HttpClient,
) -> Result<(HttpServer, HttpClient, PrometheusHandle), BuildError> {
    let prometheus = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .install_recorder()?;
    // After the recorder, or it would have nowhere to export to.
    let exporter = Exporter::new();
    let server = server.metrics(|layer| layer.export(exporter.clone())).observer(exporter.clone());
    let client = client.metrics(|layer| layer.export(exporter.clone())).observer(exporter);
    Ok((server, client, prometheus))
}

fn operations(metrics: &MetricsHandle) -> Value {
    let one = |figures: Figures| {
        json!({
            "count": figures.count,
            "errors": figures.errors,
            "error_rate": figures.error_rate(),
            "ignored": figures.ignored,
            "cancelled": figures.cancelled,
            "seconds": {
                "total": figures.total.as_secs_f64(),
                "min": figures.min.as_secs_f64(),
                "max": figures.max.as_secs_f64(),
                "mean": figures.mean.as_secs_f64(),
                "p50": figures.p50.as_secs_f64(),
                "p95": figures.p95.as_secs_f64(),
                "p99": figures.p99.as_secs_f64(),
            },
        })
    };
    let all = metrics.statistics().operations.into_iter().map(|operation| {
        let figures = json!({
            "in_flight": operation.in_flight,
            "whole": one(operation.whole),
            "minute": one(operation.minute),
        });
        (operation.name.to_string(), figures)
    });
    Value::Object(all.collect())
}

fn bulkhead(statistics: bulkhead::Statistics) -> Value {
    json!({
        "limit": statistics.limit,
        "in_flight": statistics.in_flight,
        "waiting": statistics.waiting,
        "refused": statistics.full + statistics.queue_full,
    })
}

fn of(endpoint: &Endpoint) -> Value {
    let circuit = endpoint.circuit().standing();
    json!({
        "bulkhead": bulkhead(endpoint.bulkhead().statistics()),
        "circuit": {
            "phase": circuit.phase.as_str(),
            "calls": circuit.calls,
            "failure_rate": circuit.failure_rate(),
            "rest_seconds": circuit.rest.as_secs_f64(),
        },
        "attempt_timeout_seconds": endpoint.attempt().limit().as_secs_f64(),
    })
}

fn answer(kind: &'static str, text: String) -> Response<Body> {
    let answer = Response::builder().header(CONTENT_TYPE, kind).body(Body::from(text));
    answer.expect("one plain field is valid")
}
