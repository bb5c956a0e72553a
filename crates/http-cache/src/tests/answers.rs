use std::time::Duration;

use http::{Request, Response, StatusCode};
use tokio::time::{advance, sleep};
use tower::Layer;

use super::origin::{Nothing, Origin, fetch, fresh, get, pieces, send, text};
use crate::{HttpCacheLayer, engine::Rules};

const URI: &str = "http://example.com/page";
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_fresh_answer_is_served_without_a_call() {
    let origin = Origin::new(|number, _| Ok(fresh().body(text(&format!("page {number}")))?));
    let layer = HttpCacheLayer::new(Rules::shared());
    let service = layer.layer(origin.clone());

    let first = fetch(&service, URI).await;
    assert_eq!((first.text(), origin.calls()), ("page 0", 1));
    assert_eq!(first.field("cache-status"), "http-cache; fwd=uri-miss; stored");

    advance(20 * SECOND).await;
    let again = fetch(&layer.layer(origin.clone()), URI).await;
    assert_eq!((again.text(), origin.calls()), ("page 0", 1));
    assert_eq!(again.field("cache-status"), "http-cache; hit; ttl=40");
    assert_eq!(again.field("age"), "20");

    advance(40 * SECOND).await;
    assert_eq!(fetch(&service, URI).await.text(), "page 1");
}

#[tokio::test(start_paused = true)]
async fn a_body_of_unknown_length_is_kept_when_it_has_ended() {
    let origin = Origin::new(|_, _| Ok(fresh().body(pieces(["one ", "two ", "three"]))?));
    let service = HttpCacheLayer::new(Rules::shared()).layer(origin.clone());
    assert_eq!(fetch(&service, URI).await.text(), "one two three");
    assert_eq!(fetch(&service, URI).await.text(), "one two three");
    assert_eq!(origin.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_was_cut_off_is_not_kept() {
    let origin = Origin::new(|number, _| {
        let body = pieces(["one ", "two"]);
        Ok(fresh().body(if number == 0 { body.cut() } else { body })?)
    });
    let service = HttpCacheLayer::new(Rules::shared()).layer(origin.clone());
    let error = fetch(&service, URI).await.body.unwrap_err();
    assert_eq!(error.to_string(), "the body was cut off");
    assert_eq!(fetch(&service, URI).await.text(), "one two");
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_contradicts_its_length_is_not_kept() {
    let origin = Origin::new(|_, _| Ok(fresh().header("content-length", 4).body(text("three"))?));
    let service = HttpCacheLayer::new(Rules::shared()).layer(origin.clone());
    assert_eq!(fetch(&service, URI).await.text(), "three");
    fetch(&service, URI).await;
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_still_good_is_served_after_a_304() {
    let origin = Origin::new(|_, request| {
        let answer = fresh().header("etag", "\"a\"");
        if request.headers().contains_key("if-none-match") {
            return Ok(answer.status(304).header("new", "yes").body(text(""))?);
        }
        Ok(answer.body(text("page"))?)
    });
    let service = HttpCacheLayer::new(Rules::shared()).layer(origin.clone());
    fetch(&service, URI).await;
    advance(61 * SECOND).await;
    let validated = fetch(&service, URI).await;
    assert_eq!((validated.status, validated.text()), (StatusCode::OK, "page"));
    assert_eq!(validated.field("new"), "yes");
    let status = "http-cache; fwd=stale; fwd-status=304; ttl=60; stored";
    assert_eq!(validated.field("cache-status"), status);
    fetch(&service, URI).await;
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_head_that_may_not_be_kept_ends_what_is_there() {
    let origin = Origin::new(|_, request| {
        let answer = fresh().header("etag", "\"a\"");
        if request.method() == http::Method::HEAD {
            return Ok(answer.header("cache-control", "no-store").body(text(""))?);
        }
        Ok(answer.body(text("page"))?)
    });
    let service = HttpCacheLayer::new(Rules::shared()).layer(origin.clone());
    fetch(&service, URI).await;
    advance(61 * SECOND).await;
    send(&service, Request::head(URI).body(Nothing::default()).unwrap()).await.unwrap();
    let next = fetch(&service, URI).await;
    assert_eq!((next.text(), origin.calls()), ("page", 3));
    assert_eq!(next.field("cache-status"), "http-cache; fwd=uri-miss; stored");
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_stands_in_for_a_failure() {
    let origin = Origin::new(|number, _| match number {
        0 => Ok(fresh().body(text("page"))?),
        1 => Ok(Response::builder().status(503).body(text("down"))?),
        _ => Err("unreachable".into()),
    });
    let rules = Rules::shared().stale_if_error(60 * SECOND);
    let layer = HttpCacheLayer::new(rules);
    let service = layer.layer(origin.clone());
    fetch(&service, URI).await;
    advance(70 * SECOND).await;
    let spared = fetch(&service, URI).await;
    assert_eq!((spared.status, spared.text()), (StatusCode::OK, "page"));
    let status = "http-cache; fwd=stale; fwd-status=503; ttl=-10";
    assert_eq!(spared.field("cache-status"), status);
    assert_eq!(fetch(&service, URI).await.text(), "page");
    advance(60 * SECOND).await;
    assert_eq!(send(&service, get(URI)).await.unwrap_err().to_string(), "unreachable");
    assert_eq!(layer.handle().statistics().spared, 2);
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_is_served_while_one_call_renews_it() {
    let origin = Origin::new(|number, _| {
        let field = "max-age=60, stale-while-revalidate=60";
        Ok(Response::builder().header("cache-control", field).body(text(&number.to_string()))?)
    });
    let service = HttpCacheLayer::new(Rules::shared()).layer(origin.clone().takes(SECOND));
    fetch(&service, URI).await;
    advance(70 * SECOND).await;
    for _ in 0..10 {
        let request = Request::get(URI).header("cookie", "id=1").header("range", "bytes=0-0");
        let stale = send(&service, request.body(Nothing::default()).unwrap()).await.unwrap();
        assert_eq!(stale.text(), "0");
    }
    sleep(2 * SECOND).await;
    assert_eq!(fetch(&service, URI).await.text(), "1");
    assert_eq!(origin.calls(), 2);
    assert!(!origin.last().contains_key("cookie") && !origin.last().contains_key("range"));
}

#[tokio::test(start_paused = true)]
async fn a_change_makes_what_is_there_void() {
    let origin = Origin::new(|number, _| Ok(fresh().body(text(&number.to_string()))?));
    let service = HttpCacheLayer::new(Rules::shared()).layer(origin.clone());
    fetch(&service, URI).await;
    let posted =
        send(&service, Request::post(URI).body(Nothing::default()).unwrap()).await.unwrap();
    assert_eq!(posted.field("cache-status"), "http-cache; fwd=method");
    assert_eq!(fetch(&service, URI).await.text(), "2");
}

#[tokio::test(start_paused = true)]
async fn only_if_cached_is_never_sent_on() {
    let origin = Origin::new(|_, _| Ok(fresh().body(text("page"))?));
    let service = HttpCacheLayer::new(Rules::shared()).layer(origin.clone());
    let wish = || {
        Request::get(URI)
            .header("cache-control", "only-if-cached")
            .body(Nothing::default())
            .unwrap()
    };
    let missing = send(&service, wish()).await.unwrap();
    assert_eq!((missing.status, origin.calls()), (StatusCode::GATEWAY_TIMEOUT, 0));
    fetch(&service, URI).await;
    assert_eq!(send(&service, wish()).await.unwrap().text(), "page");
}

#[tokio::test(start_paused = true)]
async fn a_head_and_a_range_are_answered_from_what_is_there() {
    let origin =
        Origin::new(|_, _| Ok(fresh().header("content-length", 10).body(text("0123456789"))?));
    let service = HttpCacheLayer::new(Rules::shared()).layer(origin.clone());
    fetch(&service, URI).await;
    let head = send(&service, Request::head(URI).body(Nothing::default()).unwrap()).await.unwrap();
    assert_eq!((head.text(), head.field("content-length")), ("", "10"));
    let range = Request::get(URI).header("range", "bytes=2-4").body(Nothing::default()).unwrap();
    let range = send(&service, range).await.unwrap();
    assert_eq!((range.status, range.text()), (StatusCode::PARTIAL_CONTENT, "234"));
    assert_eq!(range.field("content-range"), "bytes 2-4/10");
    assert_eq!(origin.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_takes_too_long_is_given_up_and_another_one_begun() {
    const FRESH: &str = "max-age=100, stale-while-revalidate=1000";
    let answer = || Response::builder().header("cache-control", FRESH);
    let slow_head = Origin::new(move |_, _| Ok(answer().body(text("page"))?)).takes(60 * SECOND);
    let slow_body = Origin::new(move |number, _| {
        Ok(answer().body(if number == 0 { text("page") } else { pieces(["page"; 60]) })?)
    });
    for origin in [slow_head, slow_body] {
        let layer = HttpCacheLayer::new(Rules::shared());
        let service = layer.layer(origin.clone());
        fetch(&service, URI).await;
        advance(101 * SECOND).await;
        for calls in [2, 3] {
            assert_eq!(fetch(&service, URI).await.text(), "page");
            sleep(29 * SECOND).await;
            fetch(&service, URI).await;
            tokio::task::yield_now().await;
            assert_eq!(origin.calls(), calls);
            sleep(2 * SECOND).await;
            let statistics = layer.handle().statistics();
            assert_eq!((statistics.in_flight, statistics.coming), (0, 0));
        }
    }
}
