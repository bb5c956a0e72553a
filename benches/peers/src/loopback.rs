//! axum on loopback: what the layers cost a server that does real work.
//!
//! Each router is served by a thread of its own, so that the processor time of that thread is what
//! its requests cost, whatever the client does. Rounds of requests go to all of them in turn, on one
//! connection each.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use axum::{Router, routing::get};
use tower::ServiceBuilder;
use tower_ballast::{
    BulkheadLayer, CircuitBreakerLayer, HttpClassify, MetricsLayer, RespondLayer, TimeoutLayer,
    http_server,
};

use crate::harness::{Bar, Comparison, Finding, median};

const BARE: &str = "bare router";
const BATCHES: usize = 40;
const BATCH: usize = 50;
const REQUEST: &[u8] =
    b"GET /items/7 HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\nuser-agent: bench\r\n\r\n";

/// Measures until `time` is over, at least three rounds.
pub fn findings(time: Duration) -> Vec<Finding> {
    let mut arms = [
        Arm::serve(BARE, router()),
        Arm::serve("http_server()", router().layer(http_server())),
        Arm::serve("six layers", router().layer(six())),
    ];
    let began = Instant::now();
    let mut rounds: Vec<Vec<f64>> = Vec::new();
    while rounds.len() < 3 || began.elapsed() < time {
        let mut round = vec![0.0; arms.len()];
        for step in 0..arms.len() {
            let index = (step + rounds.len()) % arms.len();
            round[index] = arms[index].cost();
        }
        rounds.push(round);
    }
    let of = |index: usize| median(rounds.iter().map(|round| round[index]));
    let ratio = |index: usize| median(rounds.iter().map(|round| round[index] / round[0]));
    (0..arms.len())
        .map(|index| Finding {
            name: arms[index].name,
            nanos: of(index),
            allocations: None,
            against: (index > 0).then(|| Comparison {
                other: BARE,
                bar: Bar::Cost(1.1),
                ratio: ratio(index),
            }),
        })
        .collect()
}

fn router() -> Router {
    Router::new().route("/items/{id}", get(async || "an item"))
}

/// As many as a server can have of those that there are.
fn six() -> impl tower::Layer<
    axum::routing::Route,
    Service = impl tower::Service<
        axum::extract::Request,
        Response = axum::response::Response,
        Error = std::convert::Infallible,
        Future = impl Send,
    > + Clone
              + Send
              + Sync,
> + Clone {
    ServiceBuilder::new()
        .map_response(axum::response::IntoResponse::into_response)
        .layer(RespondLayer::new())
        .layer(MetricsLayer::new().classify_with(HttpClassify::new()))
        .layer(TimeoutLayer::total(Duration::from_secs(30)))
        .layer(BulkheadLayer::new(256))
        .layer(CircuitBreakerLayer::new().classify_with(HttpClassify::new()))
        .layer(TimeoutLayer::new(Duration::from_secs(10)))
}

/// A served router, and a connection to it.
struct Arm {
    name: &'static str,
    /// Where the kernel says how long the server's thread has run.
    schedstat: String,
    connection: TcpStream,
    /// The length of an answer.
    answer: usize,
}

impl Arm {
    fn serve(name: &'static str, router: Router) -> Self {
        let (tell, told) = mpsc::channel::<(SocketAddr, String)>();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime of one thread");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
                    .await
                    .expect("a free port of loopback");
                let thread = fs::read_link("/proc/thread-self").expect("Linux");
                let address = listener.local_addr().expect("it is bound");
                let schedstat = format!("/proc/{}/schedstat", thread.display());
                tell.send((address, schedstat))
                    .expect("the main thread waits for it");
                axum::serve(listener, router).await
            })
        });
        let (address, schedstat) = told.recv().expect("the server starts");
        let mut connection = TcpStream::connect(address).expect("it listens");
        connection.set_nodelay(true).expect("a socket has this");
        let answer = Self::length(&mut connection);
        let mut arm = Self {
            name,
            schedstat,
            connection,
            answer,
        };
        arm.cost();
        arm
    }

    /// Nanoseconds of the server's thread for one request of a round.
    fn cost(&mut self) -> f64 {
        let before = self.ran();
        for _ in 0..BATCHES {
            self.ask();
        }
        (self.ran() - before) / (BATCHES * BATCH) as f64
    }

    /// Writes a batch of requests and reads all of its answers, so that the server has work and does
    /// not fall asleep between two of them: waking it would cost more than all it does.
    fn ask(&mut self) {
        let requests = REQUEST.repeat(BATCH);
        self.connection
            .write_all(&requests)
            .expect("the server reads");
        let mut answers = vec![0; self.answer * BATCH];
        self.connection
            .read_exact(&mut answers)
            .expect("the server answers");
        for answer in answers.chunks(self.answer) {
            assert!(answer.starts_with(b"HTTP/1.1 200 OK") && answer.ends_with(b"an item"));
        }
    }

    /// The length of one answer, which is that of all.
    fn length(connection: &mut TcpStream) -> usize {
        connection.write_all(REQUEST).expect("the server reads");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nan item") {
            let mut byte = [0];
            connection
                .read_exact(&mut byte)
                .expect("the server answers");
            answer.extend(byte);
        }
        answer.len()
    }

    fn ran(&self) -> f64 {
        let schedstat = fs::read_to_string(&self.schedstat).expect("the thread is there");
        let ran = schedstat
            .split_whitespace()
            .next()
            .and_then(|nanos| nanos.parse().ok());
        ran.expect("its first number is how long it has run")
    }
}
