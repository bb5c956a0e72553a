//! Each setting at nothing and at the most: it means what its page says, and breaks nothing.

use std::time::Duration;

use tokio::time::advance;
use tower::Layer;
use tower_ballast_cache::store::Capacity;
use tower_ballast_core::Ratio;

use super::origin::{Cached, Origin, fetch, get, pieces, send, text};
use crate::{HttpCacheLayer, engine::Rules};

const URI: &str = "http://example.com/page";

type Set = fn(HttpCacheLayer) -> HttpCacheLayer;
type Rule = fn(Rules) -> Rules;

/// What is told of a first request, a second one, and one when the answer has been stale for a second.
async fn told(layer: &HttpCacheLayer, control: &'static str) -> [String; 3] {
    let origin = Origin::new(move |_, _| {
        let response = http::Response::builder().header("cache-control", control);
        Ok(response.header("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT").body(text("page"))?)
    });
    let service: Cached = layer.layer(origin);
    let ask = async || {
        let reply = fetch(&service, URI).await;
        assert_eq!(reply.text(), "page");
        tokio::task::yield_now().await;
        reply.field("cache-status").replace("http-cache; ", "")
    };
    let (first, second) = (ask().await, ask().await);
    advance(Duration::from_secs(61)).await;
    [first, second, ask().await]
}

#[tokio::test(start_paused = true)]
async fn each_size_and_span_may_be_nothing_or_the_most_there_is() {
    const KEPT: [&str; 3] = ["fwd=uri-miss; stored", "hit; ttl=60", "hit; ttl=-1"];
    const LARGE: [&str; 3] = ["fwd=uri-miss; detail=too-large"; 3];
    let rows: [(&str, Set, [&str; 3]); 12] = [
        ("capacity 0", |layer| layer.capacity(Capacity::of_bytes(0)), LARGE),
        ("capacity 1", |layer| layer.capacity(Capacity::of_bytes(1)), LARGE),
        ("capacity MAX", |layer| layer.capacity(Capacity::of_bytes(u64::MAX)), KEPT),
        ("no entries", |layer| layer.capacity(Capacity::of_entries(0)), LARGE),
        ("MAX entries", |layer| layer.capacity(Capacity::of_entries(u64::MAX)), KEPT),
        ("largest 0", |layer| layer.largest(0), LARGE),
        ("largest MAX", |layer| layer.largest(u64::MAX), KEPT),
        ("coming 0", |layer| layer.coming(0), LARGE),
        ("coming MAX", |layer| layer.coming(u64::MAX), KEPT),
        ("longest_wait 0", |layer| layer.longest_wait(Duration::ZERO), KEPT),
        ("longest_wait MAX", |layer| layer.longest_wait(Duration::MAX), KEPT),
        ("longest_renewal MAX", |layer| layer.longest_renewal(Duration::MAX), KEPT),
    ];
    for (name, set, expected) in rows {
        let layer = set(HttpCacheLayer::new(Rules::shared()));
        let told = told(&layer, "max-age=60, stale-while-revalidate=60").await;
        assert_eq!(told, expected, "{name}");
        let statistics = layer.handle().statistics();
        assert_eq!((statistics.coming, statistics.in_flight), (0, 0), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_rule_may_be_nothing_or_the_most_there_is() {
    let rows: [(&str, Rule, &str, [&str; 3]); 8] = [
        (
            "no heuristic",
            |rules| rules.heuristic(Ratio::ZERO, Duration::MAX),
            "public",
            ["fwd=uri-miss; stored", "fwd=stale; stored", "fwd=stale; stored"],
        ),
        (
            "a heuristic of nothing",
            |rules| rules.heuristic(Ratio::ONE, Duration::ZERO),
            "public",
            ["fwd=uri-miss; stored", "fwd=stale; stored", "fwd=stale; stored"],
        ),
        (
            "all of the time since 1970",
            |rules| rules.heuristic(Ratio::ONE, Duration::MAX),
            "public, s-maxage=60",
            ["fwd=uri-miss; stored", "hit; ttl=60", "fwd=stale; stored"],
        ),
        (
            "while revalidating MAX",
            |rules| rules.stale_while_revalidate(Duration::MAX),
            "max-age=60",
            ["fwd=uri-miss; stored", "hit; ttl=60", "hit; ttl=-1"],
        ),
        (
            "if error MAX",
            |rules| rules.stale_if_error(Duration::MAX),
            "max-age=60",
            ["fwd=uri-miss; stored", "hit; ttl=60", "fwd=stale; stored"],
        ),
        (
            "if disconnected MAX",
            |rules| rules.stale_if_disconnected(Duration::MAX),
            "max-age=60",
            ["fwd=uri-miss; stored", "hit; ttl=60", "fwd=stale; stored"],
        ),
        (
            "no targeted fields",
            |rules| rules.targeted([]),
            "max-age=60",
            ["fwd=uri-miss; stored", "hit; ttl=60", "fwd=stale; stored"],
        ),
        (
            "a lifetime that ends after the end of time",
            |rules| rules,
            "max-age=18446744073709551615, stale-while-revalidate=18446744073709551615",
            ["fwd=uri-miss; stored", "hit; ttl=999999999999999", "hit; ttl=999999999999999"],
        ),
    ];
    for (name, rule, control, expected) in rows {
        let layer = HttpCacheLayer::new(rule(Rules::shared()));
        assert_eq!(told(&layer, control).await, expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_no_renewal_may_take_any_time_none_is_begun() {
    let origin = Origin::new(|_, _| {
        let answer = http::Response::builder()
            .header("cache-control", "max-age=60, stale-while-revalidate=60");
        Ok(answer.body(text("page"))?)
    });
    let layer = HttpCacheLayer::new(Rules::shared()).longest_renewal(Duration::ZERO);
    let service = layer.layer(origin.clone());
    fetch(&service, URI).await;
    advance(Duration::from_secs(61)).await;
    for _ in 0..10 {
        assert_eq!(fetch(&service, URI).await.field("cache-status"), "http-cache; hit; ttl=-1");
        tokio::task::yield_now().await;
    }
    assert_eq!((origin.calls(), layer.handle().statistics().refreshed), (1, 0));
    advance(Duration::from_secs(60)).await;
    fetch(&service, URI).await;
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_least_capacity_has_room_for_dozens_of_small_answers() {
    let kept = async |bytes: u64| {
        let origin = Origin::new(|_, _| {
            let response = http::Response::builder()
                .header("cache-control", "max-age=60")
                .header("content-type", "text/html; charset=utf-8")
                .header("etag", "\"5f3c-61a\"")
                .header("date", "Thu, 01 Jan 1970 00:00:00 GMT");
            Ok(response
                .body(text("a small answer of 64 bytes, in which nothing is said in particular"))?)
        });
        let layer = HttpCacheLayer::new(Rules::shared()).capacity(Capacity::of_bytes(bytes));
        let is_sensible = layer.clone().checked().is_ok();
        let service = layer.layer(origin);
        for number in 0..200 {
            fetch(&service, &format!("http://example.com/{number}")).await;
        }
        let statistics = layer.handle().statistics();
        (is_sensible, statistics.stored, statistics.usage.entries)
    };
    let (is_sensible, stored, entries) = kept(65_536).await;
    assert!(is_sensible && stored == 200 && entries >= 36, "{stored}, {entries}");
    let (is_sensible, stored, _) = kept(1000).await;
    assert!(!is_sensible && stored == 0, "{stored}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_of_no_time_and_a_body_of_unknown_length_are_no_trouble() {
    let origin = Origin::new(|_, _| {
        let answer = http::Response::builder().header("cache-control", "max-age=60");
        Ok(answer.body(pieces(["one ", "two"]))?)
    });
    let layer = HttpCacheLayer::new(Rules::shared()).longest_wait(Duration::ZERO).coming(u64::MAX);
    let service: Cached = layer.layer(origin);
    let all = futures_util::future::join_all((0..10).map(|_| send(&service, get(URI)))).await;
    assert!(all.into_iter().all(|reply| reply.unwrap().text() == "one two"));
}
