//! What the documentation says of allocations, counted.

#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::ACCEPT};
use http_body::Body;
use http_body_util::{Empty, Full};
use tower::{Layer, Service};
use tower_ballast_core::{
    Attempt, Facts, Mark, Reason, Rejected, Replay, RetryAfter, Standing, Standings,
};
use tower_ballast_http::{
    Cidr, ClientIp, ClientToken, HttpFacts, HttpReplay, PeerAddr, RateLimitFieldsLayer,
    RespondLayer,
};

#[test]
fn a_request_without_fields_or_body_is_kept_for_nothing() {
    let request = Request::new(Empty::<Bytes>::new());
    assert_eq!(count(|| HttpReplay::new().first(request, true)), 0);
}

#[test]
fn the_fields_of_a_kept_request_are_copied_in_two_allocations() {
    let request = || {
        let value = HeaderValue::from_static("text/html");
        Request::get("/").header(ACCEPT, value).body(Empty::<Bytes>::new()).unwrap()
    };
    let kept = request();
    assert_eq!(count(|| HttpReplay::new().first(kept, true)), 2);
    let passed = request();
    assert_eq!(count(|| HttpReplay::new().first(passed, false)), 0);
}

#[test]
fn a_body_in_one_piece_is_kept_in_two_allocations_and_one_to_share_it() {
    assert_eq!(sending(Bytes::from_static(b"shared by nature"), true), 2);
    assert_eq!(sending(Bytes::from(vec![7; 1000]), true), 3);
}

#[test]
fn a_body_that_is_sent_once_passes_for_nothing() {
    assert_eq!(sending(Bytes::from(vec![7; 1000]), false), 0);
}

#[test]
fn a_response_passes_for_nothing() {
    let mut service = RespondLayer::new().layer(Fixed(None));
    let request = Request::new(());
    assert_eq!(count(|| call(&mut service, request)), 0);
}

#[test]
fn an_answer_is_made_in_three_allocations_and_five_with_a_moment() {
    let refusal = Rejected::new(Reason::CircuitOpen);
    assert_eq!(refuse(refusal.clone(), "GET"), 3);
    assert_eq!(refuse(refusal.clone(), "HEAD"), 2);
    let after = RetryAfter::hint(Duration::from_secs(3));
    assert_eq!(refuse(refusal.retry_after(after), "GET"), 5);
}

#[test]
fn what_is_left_of_a_limit_is_told_in_four_allocations_and_seven_with_the_older_fields() {
    let limits = |tell: &mut dyn FnMut(&Standing<'_>)| {
        tell(&Standing::new("per-minute", 1000, Duration::from_secs(60)).remaining(0));
    };
    let layer = RateLimitFieldsLayer::new(limits);
    assert_eq!(telling(&layer, None), 0);
    let refusal = Rejected::new(Reason::RateLimited);
    let answer = refuse(refusal.clone(), "GET") + 1;
    assert_eq!(telling(&layer, Some(refusal.clone())) - answer, 4);
    assert_eq!(telling(&layer.older_fields(), Some(refusal)) - answer, 7);
}

#[test]
fn the_first_mark_makes_three_allocations_and_the_next_of_its_kind_one() {
    let mut request = Request::new(());
    let mark = Mark::Attempt(Attempt::number(1));
    assert_eq!(count(|| HttpFacts::new().mark(&mut request, mark)), 3);
    assert_eq!(count(|| HttpFacts::new().mark(&mut request, mark)), 1);
}

#[test]
fn a_client_is_found_for_nothing() {
    let peer = PeerAddr("10.0.0.1:40000".parse().unwrap());
    let request = |name, line: &str| {
        let request = Request::get("/").header(name, line).extension(peer);
        request.body(()).unwrap()
    };
    let listed = request("x-forwarded-for", "6.6.6.6, 2001:db8::7, 10.0.0.2");
    let forwarded = request("forwarded", "for=6.6.6.6;host=\"a\\\"\", for=\"[2001:db8::7]:80\"");
    let bearer = request("authorization", "Bearer abc");
    let hops = HttpFacts::new().client(ClientIp::trusting_hops(2));
    let networks = HttpFacts::new().client(ClientIp::trusting(Cidr::PRIVATE));
    let standard = HttpFacts::new().client(ClientIp::trusting_hops(1).forwarded());
    let token = HttpFacts::new().client(ClientToken::new());
    assert!(hops.key(&listed).is_some());
    assert_eq!(count(|| (hops.key(&listed), networks.key(&listed))), 0);
    assert_eq!(count(|| (standard.key(&forwarded), token.key(&bearer))), 0);
}

/// The allocations of sending this body for the first time.
fn sending(body: Bytes, keep: bool) -> u64 {
    let request = Request::new(Full::new(body));
    count(|| {
        let (sent, spare) = HttpReplay::new().first(request, keep);
        let mut body = sent.into_body();
        while let Poll::Ready(Some(())) = poll(&mut body) {}
        (body, spare)
    })
}

/// The allocations of an answer, without the box that a refusal is.
fn refuse(refusal: Rejected, method: &str) -> u64 {
    let mut service = RespondLayer::new().layer(Fixed(Some(refusal)));
    let request = Request::builder().method(method).body(()).unwrap();
    count(|| call(&mut service, request)) - 1
}

struct Fixed(Option<Rejected>);

impl Service<Request<()>> for Fixed {
    type Response = Response<Empty<Bytes>>;
    type Error = Rejected;
    type Future = Ready<Result<Self::Response, Rejected>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Rejected>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(self.0.take().map_or_else(|| Ok(Response::new(Empty::new())), Err))
    }
}

fn telling<L: Standings<Request<()>>>(
    layer: &RateLimitFieldsLayer<L>,
    outcome: Option<Rejected>,
) -> u64 {
    let mut service = layer.layer(RespondLayer::new().layer(Fixed(outcome)));
    let request = Request::new(());
    count(|| call(&mut service, request))
}

fn call<S, B>(service: &mut S, request: Request<()>) -> Response<B>
where
    S: Service<Request<()>, Response = Response<B>, Error = Infallible>,
{
    let mut cx = Context::from_waker(Waker::noop());
    assert!(service.poll_ready(&mut cx).is_ready());
    let mut response = std::pin::pin!(service.call(request));
    match response.as_mut().poll(&mut cx) {
        Poll::Ready(Ok(response)) => response,
        Poll::Pending => panic!("the service does not wait"),
    }
}

fn poll<B: Body + Unpin>(body: &mut B) -> Poll<Option<()>> {
    let mut cx = Context::from_waker(Waker::noop());
    Pin::new(body).poll_frame(&mut cx).map(|frame| frame.map(drop))
}

/// How often `work` allocates; what it makes is dropped outside of the count.
fn count<T>(work: impl FnOnce() -> T) -> u64 {
    let mut made = None;
    let counted = allocation_counter::measure(|| made = Some(work()));
    drop(made);
    counted.count_total
}
