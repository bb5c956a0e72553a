//! What comes from the cache of the proxy, over sockets.

use super::{
    args::Cache,
    rig::Rig,
    stack::{caching, passing},
};

const SHARED: Cache = Cache { private: false, lenient: false, max_bytes: 1 << 20 };
const ASK: &str = "GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn what_was_fetched_is_served_again_with_its_age_and_how_it_came() {
    let mut rig = Rig::new(|proxy| caching(proxy, SHARED)).await;
    let (_, first) = rig.exchange(ASK, &fresh("kept")).await;
    assert!(first.contains("cache-status: caching-proxy; fwd=uri-miss"), "{first}");
    rig.lose_upstream();
    let mut caller = rig.caller().await;
    caller.say(ASK).await;
    let again = caller.hear_all().await;
    assert!(
        again.contains("cache-status: caching-proxy; hit") && again.contains("age: "),
        "{again}"
    );
    assert!(again.starts_with("HTTP/1.1 200 OK\r\n") && again.ends_with("\r\n\r\nkept"), "{again}");
}

#[tokio::test]
async fn an_answer_with_trailers_is_served_again_without_them() {
    for wishes in ["Connection: close", "TE: trailers\r\nConnection: close, TE"] {
        let mut rig = Rig::new(|proxy| caching(proxy, SHARED)).await;
        let ask = ASK.replace("Connection: close", wishes);
        let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\
                      cache-control: max-age=60\r\n\r\n4\r\nkept\r\n0\r\nx-sum: 1\r\n\r\n";
        rig.exchange(&ask, answer).await;
        rig.lose_upstream();
        let mut caller = rig.caller().await;
        caller.say(&ask).await;
        let again = caller.hear_all().await;
        assert!(again.contains("cache-status: caching-proxy; hit"), "{again}");
        assert!(again.ends_with("\r\n\r\nkept") && !again.contains("x-sum"), "{again}");
    }
}

#[tokio::test]
async fn a_stale_answer_is_served_when_nobody_is_at_the_upstream_unless_it_forbids_that() {
    for (control, is_served) in [("max-age=0", true), ("max-age=0, must-revalidate", false)] {
        let mut rig = Rig::new(|proxy| caching(proxy, SHARED)).await;
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\netag: \"a\"\r\ncache-control: {control}\r\n\
             connection: close\r\n\r\nkept"
        );
        rig.exchange(ASK, &answer).await;
        rig.lose_upstream();
        let mut caller = rig.caller().await;
        caller.say(ASK).await;
        let again = caller.hear_all().await;
        assert_eq!(again.starts_with("HTTP/1.1 200 OK\r\n"), is_served, "{control}: {again}");
    }
}

#[tokio::test]
async fn the_rest_of_a_part_is_asked_for_and_put_to_it_if_it_belongs_there() {
    for (tag, whole) in [("\"a\"", "headrest"), ("\"b\"", "another")] {
        let rig = Rig::new(|proxy| caching(proxy, SHARED)).await;
        let part = |range: &str, tag: &str, body: &str| {
            format!(
                "HTTP/1.1 206 Partial Content\r\ncontent-length: 4\r\netag: {tag}\r\n\
                 content-range: bytes {range}/8\r\ncache-control: max-age=60\r\n\
                 connection: close\r\n\r\n{body}"
            )
        };
        let beginning = ASK.replace("Connection", "Range: bytes=0-3\r\nConnection");
        rig.exchange(&beginning, &part("0-3", "\"a\"", "head")).await;

        let mut caller = rig.caller().await;
        caller.say(ASK).await;
        let mut upstream = rig.upstream().await;
        let seen = upstream.hear("\r\n\r\n").await;
        assert!(seen.contains("range: bytes=4-\r\n") && seen.contains("if-range: \"a\""), "{seen}");
        upstream.say(part("4-7", tag, "rest")).await;
        if tag != "\"a\"" {
            let mut upstream = rig.upstream().await;
            let seen = upstream.hear("\r\n\r\n").await;
            assert!(!seen.contains("range"), "{seen}");
            upstream.say(fresh(whole)).await;
        }
        let answer = caller.hear_all().await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with(whole), "{answer}");
    }
}

#[tokio::test]
async fn what_changes_the_page_takes_it_away() {
    let rig = Rig::new(|proxy| caching(proxy, SHARED)).await;
    rig.exchange(ASK, &fresh("old")).await;
    let post = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    rig.exchange(post, "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await;
    let (seen, answer) = rig.exchange(ASK, &fresh("new")).await;
    assert!(seen.starts_with("GET /a HTTP/1.1\r\n") && answer.ends_with("new"), "{answer}");
}

#[tokio::test]
async fn without_a_cache_each_request_goes_to_the_upstream() {
    let rig = Rig::new(passing).await;
    for page in ["one", "two"] {
        let (_, answer) = rig.exchange(ASK, &fresh(page)).await;
        assert!(answer.ends_with(page) && !answer.contains("cache-status"), "{answer}");
    }
}

#[tokio::test]
async fn a_shared_cache_keeps_nothing_private_and_a_private_one_does() {
    let private = fresh("kept").replace("max-age", "private, max-age");
    for (cache, calls) in [(SHARED, 2), (Cache { private: true, ..SHARED }, 1)] {
        let rig = Rig::new(|proxy| caching(proxy, cache)).await;
        for _ in 0..calls {
            let (seen, _) = rig.exchange(ASK, &private).await;
            assert!(seen.starts_with("GET /a "), "{seen}");
        }
        if cache.private {
            let mut caller = rig.caller().await;
            caller.say(ASK).await;
            assert!(caller.hear_all().await.contains("; hit; "));
        }
    }
}

#[tokio::test]
async fn nothing_that_one_caller_says_of_itself_decides_what_all_get() {
    let rig = Rig::new(|proxy| caching(proxy, SHARED)).await;
    let fields = "Forwarded: host=evil\r\nX-Forwarded-Host: evil\r\nX-Real-IP: evil\r\n";
    let ask = ASK.replacen("Connection", &format!("{fields}Connection"), 1);
    let (seen, _) = rig.exchange(&ask, &fresh("kept")).await;
    assert!(!seen.contains("forwarded") && !seen.contains("evil"), "{seen}");
}

#[tokio::test]
async fn interim_answers_go_through_a_cache_and_are_not_kept() {
    let mut rig = Rig::new(|proxy| caching(proxy, SHARED)).await;
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
    let (_, first) = rig.exchange(ASK, &format!("{hints}{}", fresh("kept"))).await;
    assert!(first.starts_with(hints), "{first}");
    rig.lose_upstream();
    let mut caller = rig.caller().await;
    caller.say(ASK).await;
    let again = caller.hear_all().await;
    assert!(again.starts_with("HTTP/1.1 200 OK\r\n") && again.ends_with("kept"), "{again}");
}

#[tokio::test]
async fn the_first_byte_of_what_is_kept_reaches_the_caller_before_the_upstream_has_said_the_last() {
    let mut rig = Rig::new(|proxy| caching(proxy, SHARED)).await;
    let mut caller = rig.caller().await;
    caller.say(ASK).await;
    let mut upstream = rig.upstream().await;
    upstream.hear("\r\n\r\n").await;
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\ncache-control: max-age=60\r\n\r\n";
    upstream.say(format!("{head}first")).await;
    assert!(caller.hear("\r\n\r\nfirst").await.contains("stored"));
    upstream.say("last").await;
    assert_eq!(caller.hear_all().await, "last");
    rig.lose_upstream();
    let mut another = rig.caller().await;
    another.say(ASK).await;
    assert!(another.hear_all().await.ends_with("firstlast"));
}

fn fresh(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\ncache-control: max-age=60\r\n\
         connection: close\r\n\r\n{body}"
    )
}
