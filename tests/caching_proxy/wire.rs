//! Interim answers among the bytes of the server, when the connection is narrow.

use std::{convert::Infallible, time::Duration};

use axum::body::{Body, Bytes};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc,
    time::timeout,
};

use super::listener::wire::{Interim, Slot, Wire};

/// More than the connection takes, and less than the server keeps.
const LENGTH: usize = 40_000;

const LAST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// A request that the test answers.
type Asked = (Interim, tokio::sync::oneshot::Sender<()>);

#[tokio::test]
async fn what_is_told_waits_for_the_end_of_the_last_answer() {
    let (mut caller, mut asked) = connection();
    ask_twice(&mut caller, &mut asked).await;
    let (interim, answer) = asked.recv().await.unwrap();
    interim.send(StatusCode::PROCESSING, &HeaderMap::new());
    let mut heard = vec![b'H'; LENGTH];
    caller.read_exact(&mut heard[1..]).await.unwrap();
    while !heard.ends_with(b"HTTP/1.1 102 Processing\r\n\r\n") {
        let byte = timeout(Duration::from_secs(5), caller.read_u8()).await;
        heard.push(byte.expect("it is not told in the middle of the answer").unwrap());
    }
    answer.send(()).unwrap();
    heard.extend(hear_all(caller).await);
    assert_eq!(shape(&heard), ["200", "102", "200"]);
}

#[tokio::test]
async fn nothing_is_told_of_a_request_that_has_been_answered() {
    let (mut caller, mut asked) = connection();
    caller.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let (late, answer) = asked.recv().await.unwrap();
    answer.send(()).unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(&vec![b'-'; LENGTH]) {
        heard.push(caller.read_u8().await.unwrap());
    }
    caller.write_all(LAST).await.unwrap();
    let (_, answer) = asked.recv().await.unwrap();
    late.send(StatusCode::PROCESSING, &HeaderMap::new());
    answer.send(()).unwrap();
    heard.extend(hear_all(caller).await);
    assert_eq!(shape(&heard), ["200", "200"]);
}

#[tokio::test]
async fn what_a_slow_caller_does_not_hear_is_bounded() {
    let (mut caller, mut asked) = connection();
    caller.write_all(LAST).await.unwrap();
    let (interim, answer) = asked.recv().await.unwrap();
    for _ in 0..10_000 {
        interim.send(StatusCode::PROCESSING, &HeaderMap::new());
    }
    answer.send(()).unwrap();
    let shape = shape(&hear_all(caller).await);
    let told = shape.iter().filter(|status| *status == "102").count();
    assert!((100..1000).contains(&told), "{told}");
    assert_eq!(shape.len(), told + 1);
}

/// A server behind a connection that takes a few bytes at a time.
fn connection() -> (DuplexStream, mpsc::UnboundedReceiver<Asked>) {
    let (caller, io) = duplex(100);
    let (ask, asked) = mpsc::unbounded_channel();
    let slot = Slot::default();
    let wire = Wire::new(TokioIo::new(io), slot.clone());
    let serve = service_fn(move |request: Request<Incoming>| {
        tokio::spawn(request.into_body().collect());
        let turn = slot.turn();
        let (answer, answered) = tokio::sync::oneshot::channel();
        ask.send((turn.interim(), answer)).unwrap();
        async move {
            let _ = answered.await;
            drop(turn);
            Ok::<_, Infallible>(Response::new(Body::from(Bytes::from(vec![b'-'; LENGTH]))))
        }
    });
    tokio::spawn(http1::Builder::new().serve_connection(wire, serve));
    (caller, asked)
}

/// Asks again while the server has most of the first answer, which it could not write yet.
///
/// hyper takes the next request only when the last answer is written, unless the body of the last
/// request ends after its answer has begun.
async fn ask_twice(caller: &mut DuplexStream, asked: &mut mpsc::UnboundedReceiver<Asked>) {
    caller.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n").await.unwrap();
    let (_, answer) = asked.recv().await.unwrap();
    answer.send(()).unwrap();
    caller.read_exact(&mut [0; 1]).await.unwrap();
    caller.write_all(b"body").await.unwrap();
    caller.write_all(LAST).await.unwrap();
}

async fn hear_all(mut caller: DuplexStream) -> Vec<u8> {
    let mut heard = Vec::new();
    caller.read_to_end(&mut heard).await.unwrap();
    heard
}

/// The status of each answer, in order, when all of them are whole.
fn shape(mut heard: &[u8]) -> Vec<String> {
    let mut shape = Vec::new();
    while !heard.is_empty() {
        let end = heard.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head ends") + 4;
        let (text, rest) = heard.split_at(end);
        let text = std::str::from_utf8(text).unwrap();
        let status = text.strip_prefix("HTTP/1.1 ").and_then(|text| text.get(..3));
        shape.push(status.unwrap_or_else(|| panic!("no head: {text:.50}")).to_owned());
        let body = if text.starts_with("HTTP/1.1 1") { 0 } else { LENGTH };
        assert!(rest[..body].iter().all(|byte| *byte == b'-'), "a body is in one piece");
        heard = &rest[body..];
    }
    shape
}
