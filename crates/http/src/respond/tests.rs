use std::{
    convert::Infallible,
    io,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_ballast_core::{BoxError, Event, Reason, Rejected, RetryAfter};

use super::{RespondBody, RespondLayer};

type Answered = Response<RespondBody<Full<Bytes>>>;

#[tokio::test]
async fn a_response_passes_unchanged() {
    let service = service_fn(async |_: Request<()>| {
        let response = Response::builder().status(418).header("a", "b");
        Ok::<_, Infallible>(response.body(Full::new(Bytes::from("teapot"))).unwrap())
    });
    let answer = RespondLayer::new().layer(service).oneshot(Request::new(())).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["a"]), (418, &"b".parse().unwrap()));
    assert_eq!(text(answer).await, "teapot");
}

#[tokio::test]
async fn a_refusal_says_why_and_until_when() {
    let after = RetryAfter::hint(Duration::from_millis(1500));
    let refusal = Rejected::new(Reason::CircuitOpen).layer("secret-name").retry_after(after);
    let answer = answer(RespondLayer::new(), get(), refusal).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "2");
    assert_eq!(answer.headers()["retry-after-ms"], "1500");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let text = text(answer).await;
    assert!(text.contains(r#""reason":"circuit_open""#), "{text}");
    assert!(!text.contains("secret-name"), "{text}");
}

#[tokio::test]
async fn a_refusal_is_found_below_other_errors() {
    let refusal: BoxError = Rejected::new(Reason::DeadlinePassed).into();
    let answer = answer(RespondLayer::new(), get(), axum::Error::new(refusal)).await;
    assert_eq!(answer.status(), 504);
}

#[tokio::test]
async fn head_is_answered_without_a_body() {
    let request = Request::head("/").body(()).unwrap();
    let answer = answer(RespondLayer::new(), request, Rejected::new(Reason::CircuitOpen)).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(text(answer).await, "");
}

#[tokio::test]
async fn grpc_is_answered_in_its_own_words() {
    let request = || {
        Request::builder()
            .method(Method::POST)
            .header("content-type", "application/grpc+proto")
            .body(())
            .unwrap()
    };
    let after = RetryAfter::hint(Duration::from_millis(1500));
    let refusal = Rejected::new(Reason::CircuitOpen).retry_after(after);
    let open = answer(RespondLayer::new(), request(), refusal).await;
    assert_eq!(open.status(), 200);
    assert_eq!(open.headers()["content-type"], "application/grpc");
    assert_eq!(open.headers()["grpc-status"], "14");
    assert_eq!(open.headers()["grpc-retry-pushback-ms"], "1500");
    assert!(!open.headers().contains_key("retry-after"));
    assert_eq!(text(open).await, "");

    let failed = answer(RespondLayer::new(), request(), io::Error::other("secret")).await;
    assert_eq!(failed.headers()["grpc-status"], "13");
    assert_eq!(failed.headers()["grpc-message"], "The service failed.");
}

#[tokio::test]
async fn an_error_is_hidden_from_the_client_and_told_to_the_observer() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let layer = RespondLayer::new()
        .name("front")
        .on_event(move |event: &Event<'_>| log.lock().unwrap().push(event.to_string()));
    let answer = answer(layer, get(), io::Error::other("password is hunter2\nGET /")).await;
    assert_eq!(answer.status(), 500);
    assert!(!text(answer).await.contains("hunter2"));
    let seen = seen.lock().unwrap();
    assert_eq!(*seen, [r#"front error_hidden reason=error detail="password is hunter2\nGET /""#]);
}

#[tokio::test]
async fn a_proxy_tells_a_dead_upstream_from_a_slow_one() {
    let reset = io::Error::from(io::ErrorKind::ConnectionReset);
    let slow = io::Error::from(io::ErrorKind::TimedOut);
    assert_eq!(answer(RespondLayer::new().proxy(), get(), reset).await.status(), 502);
    assert_eq!(answer(RespondLayer::new().proxy(), get(), slow).await.status(), 504);
}

#[tokio::test]
async fn a_failure_to_become_ready_is_answered_by_the_next_call() {
    let mut service = RespondLayer::new().layer(NeverReady { asked: false });
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..2 {
        assert!(poll_ready(&mut service, &mut cx).is_ready());
    }
    assert_eq!(service.call(get()).await.unwrap().status(), 503);
}

#[test]
fn a_clone_owes_no_answer() {
    let mut service = RespondLayer::new().layer(NeverReady { asked: false });
    let mut cx = Context::from_waker(Waker::noop());
    assert!(poll_ready(&mut service, &mut cx).is_ready());
    let owing = format!("{service:?}");
    assert!(owing.contains("owed: Some"), "{owing}");
    assert!(format!("{:?}", service.clone()).contains("owed: None"));
}

#[derive(Debug, Clone)]
struct NeverReady {
    asked: bool,
}

impl Service<Request<()>> for NeverReady {
    type Response = Response<Full<Bytes>>;
    type Error = Rejected;
    type Future = std::future::Pending<Result<Self::Response, Rejected>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Rejected>> {
        assert!(!self.asked, "asked again though an answer is owed");
        self.asked = true;
        Poll::Ready(Err(Rejected::new(Reason::CircuitOpen)))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        panic!("called without being ready")
    }
}

fn get() -> Request<()> {
    Request::new(())
}

fn poll_ready<S: Service<Request<()>>>(
    service: &mut S,
    cx: &mut Context<'_>,
) -> Poll<Result<(), S::Error>> {
    service.poll_ready(cx)
}

/// What a client is told when the service fails with `error`.
async fn answer<E>(layer: RespondLayer, request: Request<()>, error: E) -> Answered
where
    E: Into<BoxError>,
{
    let error = Mutex::new(Some(error.into()));
    let service = service_fn(|_: Request<()>| {
        let error = error.lock().unwrap().take().unwrap();
        std::future::ready(Err::<Response<Full<Bytes>>, _>(error))
    });
    layer.layer(service).oneshot(request).await.unwrap()
}

async fn text(answer: Answered) -> String {
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}
