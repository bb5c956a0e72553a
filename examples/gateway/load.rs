//! The callers: requests that come at their own rate, however slow the answers are.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::{Body, Bytes};
use http::{Request, Response, StatusCode, header::VIA};
use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::{
    task::JoinSet,
    time::{interval, timeout},
};
use tower::BoxError;
use tower_ballast_core::{
    Priority,
    clock::{self, Nanos},
};

use super::upstream::page;

/// How long a caller waits before it leaves.
const PATIENCE: Duration = Duration::from_secs(2);

/// One request and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// The phase it was sent in.
    pub(crate) phase: usize,
    /// How much it mattered to who sent it.
    pub(crate) priority: Priority,
    /// When it was sent, from the start of the load.
    pub(crate) sent: Duration,
    pub(crate) took: Duration,
    pub(crate) outcome: Outcome,
}

/// What a caller got.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// The right answer, whole.
    Good,
    /// A refusal of the gateway, which sent nothing on, and its reason.
    Refused(String),
    /// Anything else.
    Failed(String),
}

/// Sends requests to one gateway and keeps what became of them.
#[derive(Debug)]
pub(crate) struct Load {
    client: Client<HttpConnector, Full<Bytes>>,
    gateway: SocketAddr,
    start: Nanos,
    number: u64,
    running: JoinSet<()>,
    samples: Arc<Mutex<Vec<Sample>>>,
}

impl Load {
    pub(crate) fn on(gateway: SocketAddr) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(2))
            .build_http();
        Self {
            client,
            gateway,
            start: clock::now(),
            number: 0,
            running: JoinSet::new(),
            samples: Arc::default(),
        }
    }

    /// Sends `rate` requests a second for the time of `length`, and waits for none of them.
    pub(crate) async fn send(&mut self, phase: usize, rate: u32, length: Duration) {
        let mut ticks = interval(Duration::from_secs(1) / rate);
        let end = clock::now().after(length);
        while clock::now() < end {
            ticks.tick().await;
            self.number += 1;
            let priority = MIX[usize::try_from(self.number % 20).expect("less than 20")];
            let request = request(self.gateway, self.number, priority);
            let client = self.client.clone();
            let (samples, start) = (Arc::clone(&self.samples), self.start);
            self.running.spawn(async move {
                let sent = clock::now();
                let outcome = ask(client, request).await;
                let (sent, took) = (sent.since(start), clock::now().since(sent));
                let sample = Sample { phase, priority, sent, took, outcome };
                samples.lock().expect("no panic holds this lock").push(sample);
            });
            while self.running.try_join_next().is_some() {}
        }
    }

    /// What has been answered so far.
    pub(crate) fn samples(&self) -> Vec<Sample> {
        self.samples.lock().expect("no panic holds this lock").clone()
    }

    /// Waits for the last answers.
    pub(crate) async fn finish(mut self) -> Vec<Sample> {
        while self.running.join_next().await.is_some() {}
        self.samples()
    }

    /// The time since the load began.
    pub(crate) fn elapsed(&self) -> Duration {
        clock::now().since(self.start)
    }
}

/// Of twenty requests two are of high priority, eight medium, six low and four batch.
const MIX: [Priority; 20] = {
    use Priority::{Batch as B, High as H, Low as L, Medium as M};
    [M, L, H, M, B, M, L, M, L, B, L, M, M, B, L, H, M, L, M, B]
};

/// Nine of ten requests read, the tenth writes.
fn request(gateway: SocketAddr, number: u64, priority: Priority) -> Request<Full<Bytes>> {
    let request = Request::builder()
        .uri(format!("http://{gateway}/page/{number}"))
        .header("priority", priority.as_str());
    let request = match number % 10 {
        0 => request.method("POST").body(Full::from(format!("{number:>2048}"))),
        _ => request.body(Full::default()),
    };
    request.expect("a plain request is valid")
}

async fn ask(client: Client<HttpConnector, Full<Bytes>>, request: Request<Full<Bytes>>) -> Outcome {
    let sent = request.body().clone().collect().await.map(Collected::to_bytes).unwrap_or_default();
    let answered = timeout(PATIENCE, async {
        let response = client.request(request).await?;
        judge(response, &page(&sent)).await
    });
    match answered.await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Outcome::Failed("the gateway hung up".to_owned()),
        Err(_) => Outcome::Failed("the caller left".to_owned()),
    }
}

async fn judge(response: Response<Incoming>, expected: &str) -> Result<Outcome, BoxError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(Body::new(body), 64 * 1024).collect().await?.to_bytes();
    // What went through the proxy says so in `Via`; all else is the gateway's own answer.
    Ok(match (head.headers.contains_key(VIA), head.status) {
        (true, StatusCode::OK) if body == expected => Outcome::Good,
        (true, StatusCode::OK) => Outcome::Failed("a wrong page".to_owned()),
        (true, status) => Outcome::Failed(format!("{} by the upstream", status.as_u16())),
        (false, StatusCode::SERVICE_UNAVAILABLE) => Outcome::Refused(reason(&body)),
        (false, StatusCode::GATEWAY_TIMEOUT) => Outcome::Failed("no answer in time".to_owned()),
        (false, StatusCode::BAD_GATEWAY) => Outcome::Failed("connection broken".to_owned()),
        (false, status) => Outcome::Failed(status.to_string()),
    })
}

/// The reason in an `application/problem+json` answer, in words.
fn reason(body: &[u8]) -> String {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    problem["reason"].as_str().unwrap_or("no reason given").replace('_', " ")
}
