use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Empty, Full};
use tower_ballast_http_cache::{CacheBody, HttpCacheLayer, engine::Rules};
use tower_ballast_test::laws;

/// A number as a request.
fn get(number: u32) -> Request<Empty<Bytes>> {
    let target = format!("http://example.com/{number}");
    Request::get(target).body(Empty::new()).expect("a number makes a path")
}

fn post(number: u32) -> Request<Empty<Bytes>> {
    let target = format!("http://example.com/{number}");
    Request::post(target).body(Empty::new()).expect("a number makes a path")
}

/// What the inner service answers to it, in a field.
fn response(request: &Request<Empty<Bytes>>, control: &str) -> Response<Full<Bytes>> {
    let number = &request.uri().path()[1..];
    Response::builder()
        .header("number", number)
        .header("etag", "\"a\"")
        .header("cache-control", control)
        .body(Full::from("pong"))
        .expect("a path makes a field")
}

fn read(response: &Response<CacheBody<Full<Bytes>>>) -> Option<u32> {
    response.headers().get("number")?.to_str().ok()?.parse().ok()
}

fn running(layer: &HttpCacheLayer) -> (usize, u64) {
    let statistics = layer.handle().statistics();
    (statistics.in_flight, statistics.coming)
}

laws! {
    mod that_keeps_nothing;
    layer: || HttpCacheLayer::new(Rules::shared()),
    readiness: always,
    request: get,
    response: |request: &Request<Empty<Bytes>>| response(request, "no-store"),
    read: read,
    counts: running,
}

laws! {
    mod whose_answers_are_asked_about_each_time;
    layer: || HttpCacheLayer::new(Rules::shared()),
    readiness: always,
    request: get,
    response: |request: &Request<Empty<Bytes>>| response(request, "no-cache"),
    read: read,
    counts: running,
}

laws! {
    mod whose_answers_are_stale_at_once;
    layer: || HttpCacheLayer::new(Rules::shared()),
    readiness: always,
    request: get,
    response: |request: &Request<Empty<Bytes>>| response(request, "max-age=0"),
    read: read,
    counts: running,
}

laws! {
    mod that_has_nothing_to_do_with_it;
    layer: || HttpCacheLayer::new(Rules::shared()),
    readiness: always,
    request: post,
    response: |request: &Request<Empty<Bytes>>| response(request, "max-age=60"),
    read: read,
    counts: running,
}
