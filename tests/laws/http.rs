use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower_ballast::{
    HttpClassify, HttpReplay, Idempotent, RespondLayer, bulkhead::Permit, http_client, http_server,
    prelude::*,
};
use tower_ballast_core::{Key, Standing, StandingsByKey};
use tower_ballast_http::{HeldBody, HttpFacts, RateLimitFieldsLayer, UntilBodyEnds};
use tower_ballast_test::{
    laws,
    laws::{Fuse, Subject, Trip},
};

const HOUR: Duration = Duration::from_secs(3600);

type Body = Full<Bytes>;

/// A number as a request.
fn request(number: u32) -> Request<Body> {
    Request::get(format!("/{number}")).body(Body::from("ping")).expect("a number makes a path")
}

/// What the inner service answers to it, in a field.
fn response<B>(request: &Request<B>) -> Response<Body> {
    let number = &request.uri().path()[1..];
    Response::builder()
        .header("number", number)
        .body(Body::from("pong"))
        .expect("a path makes a field")
}

fn read<B>(response: &Response<B>) -> Option<u32> {
    response.headers().get("number")?.to_str().ok()?.parse().ok()
}

laws! {
    mod respond;
    layer: RespondLayer::new,
    readiness: pass_through,
    request: request,
    response: response::<Body>,
    read: read::<tower_ballast_http::RespondBody<Body>>,
}

laws! {
    mod respond_of_a_proxy;
    layer: || RespondLayer::new().proxy(),
    readiness: pass_through,
    request: request,
    response: response::<Body>,
    read: read::<tower_ballast_http::RespondBody<Body>>,
}

laws! {
    mod respond_around_a_breaker;
    layer: || tower::ServiceBuilder::new()
        .layer(RespondLayer::new())
        .layer(CircuitBreakerLayer::new().classify_with(HttpClassify::new()))
        .into_inner(),
    readiness: pass_through,
    request: request,
    response: response::<Body>,
    read: read::<tower_ballast_http::RespondBody<Body>>,
    trip: Trip::Failing(20),
    rest: HOUR,
}

laws! {
    mod bulkhead_until_the_body_ends;
    layer: || BulkheadLayer::new(1000).hold(UntilBodyEnds::new()),
    readiness: pass_through,
    request: request,
    response: response::<Body>,
    read: read::<HeldBody<Body, Permit>>,
    trip: Trip::InFlight(1000),
    counts: |layer: &BulkheadLayer<_, _, _>| layer.handle().in_flight(),
}

laws! {
    mod queue_until_the_body_ends;
    layer: || BulkheadLayer::new(1)
        .queue(10_000)
        .longest_wait(Duration::MAX)
        .hold(UntilBodyEnds::new().idle(Duration::MAX)),
    readiness: optimistic,
    request: request,
    response: response::<Body>,
    read: read::<HeldBody<Body, Permit>>,
    counts: |layer: &BulkheadLayer<_, _, _>| (layer.handle().in_flight(), layer.handle().waiting()),
}

/// A limit of which half is left, whoever asks.
fn half(tell: &mut dyn FnMut(&Standing<'_>)) {
    tell(&Standing::new("half", 100, HOUR).remaining(50).reset(HOUR));
}

laws! {
    mod rate_limit_fields;
    layer: || RateLimitFieldsLayer::new(half).every_answer().older_fields(),
    readiness: pass_through,
    request: request,
    response: response::<Body>,
    read: read::<Body>,
}

laws! {
    mod rate_limit_fields_around_respond;
    layer: || tower::ServiceBuilder::new()
        .layer(RateLimitFieldsLayer::new(half))
        .layer(RespondLayer::new())
        .into_inner(),
    readiness: pass_through,
    request: request,
    response: response::<Body>,
    read: read::<tower_ballast_http::RespondBody<Body>>,
}

laws! {
    mod retry_with_replayed_bodies;
    layer: || RetryLayer::new(Idempotent::new())
        .replay(HttpReplay::new())
        .classify_with(HttpClassify::new()),
    readiness: first_attempt,
    request: request,
    response: response::<tower_ballast_http::ReplayBody<Body>>,
    read: read::<Body>,
}

laws! {
    mod server_preset;
    layer: http_server,
    readiness: optimistic,
    request: request,
    response: response::<Body>,
    read: read::<tower_ballast_http::RespondBody<Body>>,
}

laws! {
    mod client_preset;
    layer: http_client,
    readiness: always,
    request: request,
    response: response::<tower_ballast_http::ReplayBody<Body>>,
    read: read::<Body>,
    rest: HOUR,
}

#[test]
fn a_panic_of_whom_the_fields_ask_for_the_limits_breaks_nothing() {
    let fuse = Fuse::new();
    let within = fuse.clone();
    let subject = Subject::new(move || {
        let fuse = within.clone();
        RateLimitFieldsLayer::new(move |tell: &mut dyn FnMut(&Standing<'_>)| {
            fuse.touch();
            half(tell);
        })
        .every_answer()
    });
    let subject = subject.exchange(request, response::<Body>, read::<Body>);
    laws::panicking_closures_break_nothing(&subject, &fuse);
}

#[test]
fn a_panic_of_whom_facts_ask_for_the_client_breaks_nothing() {
    let fuse = Fuse::new();
    let within = fuse.clone();
    let subject = Subject::new(move || {
        let fuse = within.clone();
        let client = move |_: &Request<Body>| {
            fuse.touch();
            Some(Key::of("anybody"))
        };
        let by_key = |_: Option<Key>, tell: &mut dyn FnMut(&Standing<'_>)| half(tell);
        RateLimitFieldsLayer::new(StandingsByKey::new(HttpFacts::new().client(client), by_key))
    });
    let subject = subject.exchange(request, response::<Body>, read::<Body>);
    laws::panicking_closures_break_nothing(&subject, &fuse);
}
