use std::{convert::Infallible, time::Duration};

use http::{HeaderMap, Request, Response};
use proptest::prelude::*;
use tower::{Layer, ServiceExt, service_fn};
use tower_ballast_core::{Facts, Key, Standing, Standings, StandingsByKey};

use super::RateLimitFieldsLayer;
use crate::HttpFacts;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_refusal_tells_every_limit_in_one_list() {
    let limits = |tell: &mut dyn FnMut(&Standing<'_>)| {
        tell(&Standing::new("burst", 100, MINUTE).reset(Duration::from_secs(5)).remaining(0));
        tell(&Standing::new("daily", 1000, MINUTE * 1440).remaining(420).reset(MINUTE));
    };
    let headers = answer(RateLimitFieldsLayer::new(limits), refusal()).await;
    assert_eq!(headers["ratelimit-policy"], r#""burst";q=100;w=60, "daily";q=1000;w=86400"#);
    assert_eq!(headers["ratelimit"], r#""burst";r=0;t=5, "daily";r=420;t=60"#);
    assert_eq!(headers.len(), 2, "{headers:?}");
}

#[tokio::test]
async fn other_answers_tell_it_by_choice() {
    for other in [200, 404, 503, 500] {
        let plain = || Response::builder().status(other).body(()).unwrap();
        assert!(answer(layer(half()), plain()).await.is_empty(), "{other}");
        assert_eq!(answer(layer(half()).every_answer(), plain()).await.len(), 2, "{other}");
    }
}

#[tokio::test]
async fn grpc_says_too_many_in_its_own_words() {
    let grpc = |code: &str, content: &str| {
        let response = Response::builder().header("grpc-status", code);
        response.header("content-type", content).body(()).unwrap()
    };
    let told = answer(layer(half()), grpc("8", "application/grpc")).await;
    assert!(told.contains_key("ratelimit"));
    for other in [grpc("14", "application/grpc"), grpc("8", "text/plain")] {
        assert!(!answer(layer(half()), other).await.contains_key("ratelimit"));
    }
}

#[tokio::test]
async fn the_older_fields_tell_the_limit_of_which_the_least_is_left() {
    let limits = |tell: &mut dyn FnMut(&Standing<'_>)| {
        tell(&Standing::new("wide", 1000, MINUTE).remaining(7));
        tell(&Standing::new("short", 10, MINUTE).remaining(3).reset(MINUTE));
        tell(&Standing::new("long", 20, MINUTE).remaining(3).reset(MINUTE * 2));
        tell(&Standing::new("ample", 30, MINUTE).remaining(4));
    };
    let headers = answer(RateLimitFieldsLayer::new(limits).older_fields(), refusal()).await;
    assert_eq!(headers["x-ratelimit-limit"], "20");
    assert_eq!(headers["x-ratelimit-remaining"], "3");
    assert_eq!(headers["x-ratelimit-reset"], "120");
    assert_eq!(headers.len(), 5);
}

#[tokio::test]
async fn what_an_answer_tells_already_stays() {
    let mut refusal = refusal();
    refusal.headers_mut().insert("ratelimit", "\"theirs\";r=1".parse().unwrap());
    refusal.headers_mut().insert("x-ratelimit-limit", "9".parse().unwrap());
    let headers = answer(layer(half()).older_fields(), refusal).await;
    let lines: Vec<_> = headers.get_all("ratelimit").iter().collect();
    assert_eq!(lines, ["\"theirs\";r=1", "\"half\";r=50;t=0"]);
    assert_eq!(headers["x-ratelimit-limit"], "9");
    assert!(!headers.contains_key("x-ratelimit-remaining"));
}

#[tokio::test]
async fn without_a_limit_nothing_is_told() {
    let none = |_: &mut dyn FnMut(&Standing<'_>)| {};
    let layer = RateLimitFieldsLayer::new(none).every_answer().older_fields();
    assert!(answer(layer, refusal()).await.is_empty());
}

#[tokio::test]
async fn the_limits_are_asked_by_the_key_and_the_answer_does_not_bear_it() {
    let key = Key::of("tenant-7");
    let limits = move |asked: Option<Key>, tell: &mut dyn FnMut(&Standing<'_>)| {
        let remaining = if asked == Some(key) { 1 } else { 2 };
        tell(&Standing::new("each", 9, MINUTE).remaining(remaining));
    };
    let by_closure = HttpFacts::new().client(|_: &Request<()>| Some(Key::of("tenant-7")));
    assert_eq!(by_closure.key(&Request::new(())), Some(key));
    let known = RateLimitFieldsLayer::new(StandingsByKey::new(by_closure, limits));
    let known = answer(known, refusal()).await;
    assert_eq!(known["ratelimit"], "\"each\";r=1;t=0");
    assert_eq!(known["ratelimit-policy"], "\"each\";q=9;w=60");
    let unknown = RateLimitFieldsLayer::new(StandingsByKey::new(HttpFacts::new(), limits));
    let unknown = answer(unknown, refusal()).await;
    assert_eq!(unknown["ratelimit"], "\"each\";r=2;t=0");
}

#[tokio::test]
async fn times_are_rounded_up_and_numbers_bounded() {
    for (standing, policy, left) in [
        (Standing::new("a", 1, Duration::from_millis(1)), "q=1;w=1", "r=1;t=0"),
        (Standing::new("a", 1, MINUTE).reset(Duration::from_nanos(1)), "q=1;w=60", "r=1;t=1"),
        (Standing::new("a", 1, MINUTE).reset(Duration::from_millis(1001)), "q=1;w=60", "r=1;t=2"),
        (Standing::new("a", 0, Duration::ZERO), "q=0", "r=0;t=0"),
        (
            Standing::new("a", u64::MAX, Duration::MAX).reset(Duration::MAX),
            "q=999999999999999;w=999999999999999",
            "r=999999999999999;t=999999999999999",
        ),
    ] {
        let headers = answer(layer(standing), refusal()).await;
        assert_eq!(headers["ratelimit-policy"], format!("\"a\";{policy}"));
        assert_eq!(headers["ratelimit"], format!("\"a\";{left}"));
    }
}

#[tokio::test]
async fn names_are_escaped_as_strings_of_structured_fields() {
    for (name, expected) in [
        ("per minute", r#""per minute""#),
        ("a\"b\\c", r#""a\"b\\c""#),
        ("größe\r\nset-cookie: a", r#""gr__e__set-cookie: a""#),
        ("", r#""""#),
    ] {
        let headers = answer(layer(Standing::new(name, 1, MINUTE)), refusal()).await;
        assert_eq!(headers["ratelimit"], format!("{expected};r=1;t=0"));
    }
}

proptest! {
    #[test]
    fn whatever_a_limit_is_called_it_is_one_item(name: String, quota: u64, nanos: u64) {
        let name: &'static str = name.leak();
        let standing = Standing::new(name, quota, Duration::from_nanos(nanos));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let headers = runtime.block_on(answer(layer(standing), refusal()));
        let text = headers["ratelimit"].to_str().unwrap();
        let (read, rest) = read_string(text).unwrap();
        prop_assert_eq!(read.chars().count(), name.chars().count());
        let expected = format!(";r={};t=0", quota.min(999_999_999_999_999));
        prop_assert_eq!(rest, expected);
    }
}

/// Reads a String as RFC 9651, section 4.2.5 says.
fn read_string(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?.chars();
    let mut read = String::new();
    loop {
        match rest.next()? {
            '"' => return Some((read, rest.as_str())),
            '\\' => read.push(rest.next().filter(|letter| matches!(letter, '"' | '\\'))?),
            letter @ ' '..='~' => read.push(letter),
            _ => return None,
        }
    }
}

fn half() -> Standing<'static> {
    Standing::new("half", 100, MINUTE).remaining(50)
}

fn refusal() -> Response<()> {
    Response::builder().status(429).body(()).unwrap()
}

fn layer(standing: Standing<'static>) -> RateLimitFieldsLayer<impl Standings<Request<()>>> {
    RateLimitFieldsLayer::new(move |tell: &mut dyn FnMut(&Standing<'_>)| tell(&standing))
}

/// The fields of what a client gets when the service answers so.
async fn answer<L>(layer: RateLimitFieldsLayer<L>, response: Response<()>) -> HeaderMap
where
    L: Standings<Request<()>>,
{
    let service =
        service_fn(|_: Request<()>| std::future::ready(Ok::<_, Infallible>(response.clone())));
    layer.layer(service).oneshot(Request::new(())).await.unwrap().into_parts().0.headers
}
