//! The upstream: a few workers, a queue, and weather.
//!
//! A request takes a place in the queue, and a worker answers it. As in most servers, a worker
//! does not know whether anybody still waits for its work. That alone makes an overload last: when
//! the queue is longer than the callers' patience, all work is done for those who have left.

use std::{
    fmt::Write,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::body::{Body, Bytes};
use http::{HeaderName, Request, Response, StatusCode, header::RETRY_AFTER};
use http_body_util::BodyExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch},
    time::sleep,
};
use tower::{BoxError, service_fn};
use tower_ballast_core::Random;

use super::listener::Listener;

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// Workers that answer at the same time.
pub(crate) const WORKERS: usize = 4;

/// What one answer costs a worker, give or take a quarter.
pub(crate) const WORK: Duration = Duration::from_millis(20);

/// By how much slow weather slows it.
pub(crate) const SLOWED: u32 = 3;

/// Requests that may wait for a worker: two seconds of work.
pub(crate) const QUEUE: usize = 400;

/// What the upstream suffers from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// All is well.
    Calm,
    /// Every answer costs three times the work.
    Slow,
    /// Of a hundred requests, four fail with 500, two are throttled, two have their connection cut.
    Errors,
    /// The workers hang, as if the database behind them were gone.
    Outage,
}

/// A running upstream.
#[derive(Debug)]
pub(crate) struct Upstream {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    tally: Arc<Tally>,
}

/// What the upstream counts.
#[derive(Debug, Default)]
struct Tally {
    calls: AtomicU64,
    done: AtomicU64,
    in_vain: AtomicU64,
}

impl Upstream {
    /// Starts on a free port of loopback.
    pub(crate) async fn start() -> std::io::Result<Self> {
        let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.address();
        let (weather, forecast) = watch::channel(Weather::Calm);
        let tally = Arc::new(Tally::default());
        let desk = Desk {
            queue: Arc::new(Semaphore::new(QUEUE)),
            workers: Arc::new(Semaphore::new(WORKERS)),
            forecast,
            luck: Arc::new(Random::seeded(1)),
            tally: Arc::clone(&tally),
        };
        let service = service_fn(move |request| desk.clone().answer(request));
        tokio::spawn(listener.serve(service, std::future::pending()));
        Ok(Self { address, weather, tally })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn suffer(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Requests that arrived.
    pub(crate) fn calls(&self) -> u64 {
        self.tally.calls.load(Relaxed)
    }

    /// The share of finished work that nobody waited for any more.
    #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
    pub(crate) fn in_vain(&self) -> f64 {
        self.tally.in_vain.load(Relaxed) as f64 / self.tally.done.load(Relaxed).max(1) as f64
    }
}

/// Takes requests in and waits for their answers.
#[derive(Debug, Clone)]
struct Desk {
    queue: Arc<Semaphore>,
    workers: Arc<Semaphore>,
    forecast: watch::Receiver<Weather>,
    luck: Arc<Random>,
    tally: Arc<Tally>,
}

impl Desk {
    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        self.tally.calls.fetch_add(1, Relaxed);
        if *self.forecast.borrow() == Weather::Errors {
            match self.luck.below(100) {
                0..4 => return Ok(status(StatusCode::INTERNAL_SERVER_ERROR)),
                4..6 => return Ok(throttled()),
                // An error instead of an answer makes hyper drop the connection.
                6..8 => return Err("cut".into()),
                _ => {}
            }
        }
        let body = request.into_body().collect().await?.to_bytes();
        let Ok(place) = Arc::clone(&self.queue).try_acquire_owned() else {
            return Ok(status(StatusCode::SERVICE_UNAVAILABLE));
        };
        let (done, answered) = oneshot::channel();
        tokio::spawn(self.work(place, done));
        answered.await?;
        Ok(Response::new(Body::from(page(&body))))
    }

    /// Runs on when the caller leaves.
    async fn work(mut self, place: OwnedSemaphorePermit, done: oneshot::Sender<()>) {
        let _worker = self.workers.acquire().await.expect("nobody closes the semaphore");
        drop(place);
        let work = if *self.forecast.borrow() == Weather::Slow { SLOWED * WORK } else { WORK };
        sleep(work.mul_f64(0.75 + 0.5 * self.luck.unit())).await;
        // Fails only when the upstream is gone, and then nobody waits for the work.
        let _ = self.forecast.wait_for(|weather| *weather != Weather::Outage).await;
        self.tally.done.fetch_add(1, Relaxed);
        if done.send(()).is_err() {
            self.tally.in_vain.fetch_add(1, Relaxed);
        }
    }
}

/// What a good answer to `body` reads: some kilobytes that depend on it.
pub(crate) fn page(body: &Bytes) -> String {
    let sum = body.iter().fold(0_u32, |sum, byte| sum.rotate_left(5) ^ u32::from(*byte));
    let mut page = String::with_capacity(4096);
    for line in 0..128 {
        let _ = writeln!(page, "line {line:3} of the answer to {sum:08x}");
    }
    page
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::from(status.as_str().to_owned()));
    *response.status_mut() = status;
    response
}

fn throttled() -> Response<Body> {
    let mut response = status(StatusCode::TOO_MANY_REQUESTS);
    response.headers_mut().insert(RETRY_AFTER, 1.into());
    response.headers_mut().insert(RETRY_AFTER_MS, 50.into());
    response
}
