//! Counting and timing, with percentiles.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::Instant,
};

use hdrhistogram::Histogram;
use metrics::{counter, histogram};
use metrics_exporter_prometheus::PrometheusBuilder;
use tower::{Layer, Service};
use tower_ballast_metrics::MetricsLayer;

use crate::{
    harness::{Bar, Case, Expect::Answers},
    services::Noop,
};

const HDR: &str = "hdrhistogram behind a mutex";
const PROMETHEUS: &str = "kept Prometheus handles";
const METRICS: &str = "ballast metrics";

pub fn cases() -> Vec<Case> {
    let metrics = MetricsLayer::new();
    let named = MetricsLayer::new().operation(|_: &u64| "/items/{id}");
    let recorder = PrometheusBuilder::new().build_recorder();
    let prometheus = metrics::with_local_recorder(&recorder, || Prometheus {
        requests: counter!("requests"),
        errors: counter!("errors"),
        duration: histogram!("duration"),
    });
    vec![
        Case::reused(
            HDR,
            Timed {
                inner: Noop,
                sink: Arc::new(Hdr::new()),
            },
            Answers,
        ),
        Case::reused(
            PROMETHEUS,
            Timed {
                inner: Noop,
                sink: Arc::new(prometheus),
            },
            Answers,
        ),
        Case::reused(METRICS, metrics.layer(Noop), Answers).against(HDR, Bar::Cost(0.85)),
        Case::reused(
            "ballast metrics, the same, against Prometheus",
            metrics.layer(Noop),
            Answers,
        )
        .against(PROMETHEUS, Bar::Cost(0.45)),
        Case::reused("ballast metrics by operation", named.layer(Noop), Answers)
            .against(HDR, Bar::None),
        Case::two_threads("ballast metrics, two threads", metrics.layer(Noop), Answers)
            .against(METRICS, Bar::Throughput(1.8)),
    ]
}

/// What takes the time of a call, and whether it failed.
trait Sink {
    fn record(&self, nanos: u64, failed: bool);
}

/// Percentiles as they are commonly kept: one histogram, one lock, two counts.
struct Hdr(Mutex<(Histogram<u64>, u64, u64)>);

impl Hdr {
    fn new() -> Self {
        let histogram = Histogram::new(2).expect("two digits are within its range");
        Self(Mutex::new((histogram, 0, 0)))
    }
}

impl Sink for Hdr {
    fn record(&self, nanos: u64, failed: bool) {
        let mut all = self.0.lock().expect("nothing panics under it");
        all.0.saturating_record(nanos);
        all.1 += 1;
        all.2 += u64::from(failed);
    }
}

struct Prometheus {
    requests: metrics::Counter,
    errors: metrics::Counter,
    duration: metrics::Histogram,
}

impl Sink for Prometheus {
    fn record(&self, nanos: u64, failed: bool) {
        self.requests.increment(1);
        self.errors.increment(u64::from(failed));
        self.duration.record(nanos as f64 / 1e9);
    }
}

/// The least that a layer with such a sink would do.
struct Timed<S, K> {
    inner: S,
    sink: Arc<K>,
}

impl<S: Service<u64>, K: Sink> Service<u64> for Timed<S, K>
where
    S::Future: Unpin,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = TimedFuture<S::Future, K>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: u64) -> Self::Future {
        let (began, sink) = (Instant::now(), Arc::clone(&self.sink));
        TimedFuture {
            inner: self.inner.call(request),
            began,
            sink,
        }
    }
}

struct TimedFuture<F, K> {
    inner: F,
    began: Instant,
    sink: Arc<K>,
}

impl<F, T, E, K: Sink> Future for TimedFuture<F, K>
where
    F: Future<Output = Result<T, E>> + Unpin,
{
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(Pin::new(&mut self.inner).poll(cx));
        let nanos = self.began.elapsed().as_nanos() as u64;
        self.sink.record(nanos, outcome.is_err());
        Poll::Ready(outcome)
    }
}
