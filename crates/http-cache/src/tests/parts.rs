//! The beginning of an answer, and the rest of it.

use http::{Request, Response, response::Builder};
use tower::Layer;
use tower_ballast_core::Key;

use super::origin::{Answer, Nothing, Origin, Reply, fetch, fresh, get, pieces, read, send, text};
use crate::{CompleteParts, HttpCache, HttpCacheLayer, engine::Rules};

const URI: &str = "http://example.com/film";

/// Ten bytes, of which those are given that are asked for.
fn ranged(tag: &str, request: &Request<Nothing>) -> Answer {
    let head = fresh().header("etag", tag);
    Ok(match request.headers().get("range").map(|range| range.to_str().unwrap()) {
        Some("bytes=0-4") => part(head, "bytes 0-4/10").body(text("01234"))?,
        Some("bytes=5-") => part(head, "bytes 5-9/10").body(text("56789"))?,
        None => head.body(text("0123456789"))?,
        Some(range) => panic!("{range} was asked for"),
    })
}

fn part(head: Builder, range: &str) -> Builder {
    head.status(206).header("content-range", range)
}

fn layer() -> HttpCacheLayer<CompleteParts> {
    HttpCacheLayer::new(Rules::shared()).complete_parts()
}

async fn ask(service: &HttpCache<Origin, CompleteParts>, request: Request<Nothing>) -> Reply {
    read(tower::ServiceExt::oneshot(service.clone(), request).await.unwrap()).await
}

fn beginning() -> Request<Nothing> {
    let mut request = get(URI);
    request.headers_mut().insert("range", "bytes=0-4".parse().unwrap());
    request
}

#[tokio::test(start_paused = true)]
async fn a_part_is_completed_with_the_rest() {
    let origin = Origin::new(|_, request| ranged("\"a\"", request));
    let service = layer().layer(origin.clone());
    assert_eq!(ask(&service, beginning()).await.text(), "01234");

    let whole = ask(&service, get(URI)).await;
    assert_eq!((whole.status.as_u16(), whole.text(), origin.calls()), (200, "0123456789", 2));
    assert_eq!((whole.field("content-length"), whole.field("content-range")), ("10", ""));
    let status = "http-cache; fwd=partial; fwd-status=206; stored";
    assert_eq!(whole.field("cache-status"), status);
    let sent = origin.last();
    assert_eq!(sent["range"], "bytes=5-");
    assert_eq!(sent["if-range"], "\"a\"");

    assert_eq!(ask(&service, get(URI)).await.text(), "0123456789");
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_comes_meanwhile_reads_along() {
    let origin = Origin::new(|_, request| ranged("\"a\"", request));
    let service = layer().layer(origin.clone().takes(std::time::Duration::from_secs(1)));
    ask(&service, beginning()).await;
    let both = tokio::join!(ask(&service, get(URI)), ask(&service, get(URI)));
    assert_eq!((both.0.text(), both.1.text()), ("0123456789", "0123456789"));
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_another_answer_is_not_put_to_the_part() {
    for (first, then) in [("\"a\"", "\"b\""), ("W/\"a\"", "W/\"a\"")] {
        let origin =
            Origin::new(move |number, request| ranged([first, then][number.min(1)], request));
        let service = layer().layer(origin.clone());
        ask(&service, beginning()).await;
        let whole = ask(&service, get(URI)).await;
        assert_eq!((whole.text(), origin.calls()), ("0123456789", 3));
        assert_eq!(whole.field("cache-status"), "http-cache; fwd=partial; stored");
        assert!(!origin.last().contains_key("range"));
        ask(&service, get(URI)).await;
        assert_eq!(origin.calls(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_cannot_be_completed_is_tried_once() {
    let origin = Origin::new(|number, request| {
        let mut answer = ranged(["\"a\"", "\"b\""][number.min(1)], request)?;
        if !request.headers().contains_key("range") {
            answer.headers_mut().insert("cache-control", "no-store".parse().unwrap());
        }
        Ok(answer)
    });
    let service = layer().layer(origin.clone());
    ask(&service, beginning()).await;
    ask(&service, get(URI)).await;
    ask(&service, get(URI)).await;
    assert_eq!(origin.calls(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_whole_in_the_place_of_the_rest_is_taken() {
    let origin = Origin::new(|number, request| match number {
        0 => ranged("\"a\"", request),
        _ => Ok(fresh().header("etag", "\"b\"").body(text("abc"))?),
    });
    let service = layer().layer(origin.clone());
    ask(&service, beginning()).await;
    assert_eq!(ask(&service, get(URI)).await.text(), "abc");
    assert_eq!(ask(&service, get(URI)).await.text(), "abc");
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_rest_that_is_cut_off_is_not_kept() {
    let origin = Origin::new(|number, request| match number {
        1 => Ok(part(fresh().header("etag", "\"a\""), "bytes 5-9/10").body(pieces(["567"]).cut())?),
        _ => ranged("\"a\"", request),
    });
    let service = layer().layer(origin.clone());
    ask(&service, beginning()).await;
    assert_eq!(ask(&service, get(URI)).await.body.unwrap_err().to_string(), "the body was cut off");
    assert_eq!(ask(&service, get(URI)).await.text(), "0123456789");
    assert_eq!((origin.calls(), &origin.last()["range"]), (3, &"bytes=5-".parse().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn bytes_that_come_twice_are_given_once() {
    let origin = Origin::new(|number, request| match number {
        1 => Ok(part(fresh().header("etag", "\"a\""), "bytes 2-9/10")
            .body(pieces(["2", "3456", "789"]))?),
        _ => ranged("\"a\"", request),
    });
    let service = layer().layer(origin.clone());
    ask(&service, beginning()).await;
    assert_eq!(ask(&service, get(URI)).await.text(), "0123456789");
    assert_eq!(ask(&service, get(URI)).await.text(), "0123456789");
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_rest_that_may_not_be_kept_completes_for_one() {
    let origin = Origin::new(|number, request| {
        let mut answer = ranged("\"a\"", request)?;
        if number == 1 {
            answer.headers_mut().insert("cache-control", "no-store".parse().unwrap());
        }
        Ok(answer)
    });
    let service = layer().layer(origin.clone());
    ask(&service, beginning()).await;
    let whole = ask(&service, get(URI)).await;
    assert_eq!((whole.text(), whole.field("cache-control")), ("0123456789", "no-store"));
    ask(&service, get(URI)).await;
    assert_eq!((origin.calls(), origin.last().contains_key("range")), (3, false));
}

#[tokio::test(start_paused = true)]
async fn who_asks_with_conditions_or_wishes_is_sent_on_as_it_is() {
    for (name, value) in [("if-none-match", "\"b\""), ("cache-control", "no-cache")] {
        let origin = Origin::new(|_, request| ranged("\"a\"", request));
        let service = layer().layer(origin.clone());
        ask(&service, beginning()).await;
        let mut request = get(URI);
        request.headers_mut().insert(name, value.parse().unwrap());
        assert_eq!(ask(&service, request).await.text(), "0123456789");
        assert!(!origin.last().contains_key("range"));
        assert_eq!(origin.last()[name], value);
    }
}

#[tokio::test(start_paused = true)]
async fn by_default_the_whole_is_asked_for() {
    let origin = Origin::new(|_, request| ranged("\"a\"", request));
    let service = HttpCacheLayer::new(Rules::shared()).layer(origin.clone());
    send(&service, beginning()).await.unwrap();
    assert_eq!(fetch(&service, URI).await.text(), "0123456789");
    assert!(!origin.last().contains_key("range"));
}

#[tokio::test(start_paused = true)]
async fn a_stale_part_stands_in_for_no_failure() {
    let origin = Origin::new(|number, request| match number {
        0 => ranged("\"a\"", request),
        _ => Ok(Response::builder().status(503).body(text("down"))?),
    });
    let service = layer().layer(origin.clone());
    ask(&service, beginning()).await;
    assert_eq!(ask(&service, get(URI)).await.status.as_u16(), 503);
    assert_eq!(ask(&service, beginning()).await.text(), "01234");
}

/// Six bytes, of which those are given that are asked for.
fn any_range(_: usize, request: &Request<Nothing>) -> Answer {
    let range = request.headers()["range"].to_str()?.trim_start_matches("bytes=");
    let (first, last) = range.split_once('-').unwrap();
    let held = &"012345"[first.parse()?..=last.parse()?];
    Ok(part(fresh().header("etag", "\"a\""), &format!("bytes {range}/6")).body(text(held))?)
}

fn bytes(first: usize, last: usize) -> Request<Nothing> {
    let mut request = get(URI);
    request.headers_mut().insert("range", format!("bytes={first}-{last}").parse().unwrap());
    request
}

#[tokio::test(start_paused = true)]
async fn any_two_parts_without_a_gap_are_one() {
    let ranges = || (0..6).flat_map(|first| (first..6).map(move |last| (first, last)));
    for (one, other) in ranges().flat_map(|one| ranges().map(move |other| (one, other))) {
        let origin = Origin::new(any_range);
        let service = layer().layer(origin.clone());
        ask(&service, bytes(one.0, one.1)).await;
        let came = ask(&service, bytes(other.0, other.1)).await;
        assert_eq!(came.text(), &"012345"[other.0..=other.1], "{one:?} {other:?}");

        let (calls, adjoin) = (origin.calls(), one.1 + 1 >= other.0 && other.1 + 1 >= one.0);
        let (first, last) = if adjoin { (one.0.min(other.0), one.1.max(other.1)) } else { other };
        let both = ask(&service, bytes(first, last)).await;
        assert_eq!(both.text(), &"012345"[first..=last], "{one:?} {other:?}");
        assert_eq!(both.field("content-range"), format!("bytes {first}-{last}/6"));
        assert_eq!(origin.calls(), calls, "{one:?} {other:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn parts_that_together_are_too_large_stay_apart() {
    let origin = Origin::new(any_range);
    let service = layer().largest(4).layer(origin.clone());
    ask(&service, bytes(0, 2)).await;
    ask(&service, bytes(3, 5)).await;
    assert_eq!(ask(&service, bytes(3, 5)).await.text(), "345");
    assert_eq!(origin.calls(), 2, "the last is kept");
    ask(&service, bytes(0, 2)).await;
    assert_eq!(origin.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn parts_that_were_put_together_are_found_by_the_tags_of_both() {
    for tag in ["0", "3"] {
        let origin = Origin::new(|number, request| {
            let mut answer = any_range(number, request)?;
            let first = request.headers()["range"].to_str()?[6..7].parse()?;
            answer.headers_mut().insert("tag", first);
            Ok(answer)
        });
        let layer = layer().tags(|headers, tags| tags.push(Key::of(headers["tag"].as_bytes())));
        let (handle, service) = (layer.handle(), layer.layer(origin.clone()));
        ask(&service, bytes(0, 2)).await;
        ask(&service, bytes(3, 5)).await;
        ask(&service, bytes(0, 5)).await;
        assert_eq!(origin.calls(), 2);
        handle.invalidate_tag(Key::of(tag.as_bytes()));
        ask(&service, bytes(0, 5)).await;
        assert_eq!(origin.calls(), 3, "{tag}");
    }
}
