//! What goes through a proxy that keeps nothing.

use super::rig::Rig;

const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn every_method_goes_through() {
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "MADE-UP"] {
        let rig = Rig::passing().await;
        let ask = format!("{method} /a?b=c HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let (seen, answer) = rig.exchange(&ask, FINE).await;
        assert!(seen.starts_with(&format!("{method} /a?b=c HTTP/1.1\r\n")), "{seen}");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("ok"), "{answer}");
    }
}

#[tokio::test]
async fn an_answer_without_a_body_keeps_its_fields() {
    for (method, status) in [("HEAD", "200 OK"), ("GET", "304 Not Modified")] {
        let rig = Rig::passing().await;
        let ask = format!("{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let fields = "etag: \"a\"\r\nlast-modified: never\r\ncontent-type: text/plain\r\n";
        let (seen, answer) =
            rig.exchange(&ask, &format!("HTTP/1.1 {status}\r\n{fields}\r\n")).await;
        assert!(seen.starts_with(method), "{seen}");
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(answer.contains(fields) && answer.ends_with("\r\n\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_status_nobody_has_defined_goes_through_with_its_phrase() {
    let rig = Rig::passing().await;
    let ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let (_, answer) = rig.exchange(ask, "HTTP/1.1 999 Made Up\r\ncontent-length: 0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 999 Made Up\r\n"), "{answer}");
}

#[tokio::test]
async fn fields_of_one_connection_stay_there_in_both_directions() {
    let rig = Rig::passing().await;
    let ask =
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n";
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: x-hop\r\nx-hop: 1\r\n\
                  keep-alive: timeout=5\r\nproxy-authenticate: Basic\r\nx-end: 2\r\n\r\nok";
    let (seen, answer) = rig.exchange(ask, answer).await;
    for text in [seen, answer] {
        assert!(text.contains("\r\nx-end: 2\r\n") && !text.contains("x-hop: 1"), "{text}");
        assert!(!text.contains("keep-alive") && !text.contains("proxy-"), "{text}");
    }
}

#[tokio::test]
async fn bodies_and_trailers_stream_in_both_directions() {
    let rig = Rig::passing().await;
    let mut caller = rig.caller().await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\nTrailer: X-Up\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    caller.say(format!("{head}5\r\nfirst\r\n")).await;
    let mut upstream = rig.upstream().await;
    upstream.hear("5\r\nfirst\r\n").await;
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-down\r\n\r\n";
    upstream.say(format!("{head}5\r\nearly\r\n")).await;
    caller.hear("5\r\nearly\r\n").await;
    caller.say("4\r\nlast\r\n0\r\nX-Up: 1\r\n\r\n").await;
    assert_eq!(upstream.hear("\r\n\r\n").await, "4\r\nlast\r\n0\r\nx-up: 1\r\n\r\n");
    upstream.say("4\r\nlate\r\n0\r\nx-down: 2\r\n\r\n").await;
    assert_eq!(caller.hear("\r\n\r\n").await, "4\r\nlate\r\n0\r\nx-down: 2\r\n\r\n");
}

#[tokio::test]
async fn an_upstream_that_is_gone_is_a_bad_gateway() {
    let mut rig = Rig::passing().await;
    rig.lose_upstream();
    let mut caller = rig.caller().await;
    caller.say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let answer = caller.hear_all().await;
    assert!(answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{answer}");
    assert!(answer.contains("\r\ncache-control: no-store\r\n"), "{answer}");
}

#[tokio::test]
async fn an_upstream_that_hangs_up_without_a_word_is_a_bad_gateway() {
    let rig = Rig::passing().await;
    let ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let (_, answer) = rig.exchange(ask, "").await;
    assert!(answer.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_never_answers_is_a_gateway_timeout() {
    let rig = Rig::passing().await;
    let mut caller = rig.caller().await;
    caller.say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    let _silent = rig.upstream().await;
    let answer = caller.hear_all().await;
    assert!(answer.starts_with("HTTP/1.1 504 Gateway Timeout\r\n"), "{answer}");
}

#[tokio::test]
async fn tunnels_echoes_and_upgrades_are_refused() {
    for head in [
        "CONNECT a:443 HTTP/1.1\r\nHost: a:443",
        "TRACE / HTTP/1.1\r\nHost: a",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket",
    ] {
        let mut caller = Rig::passing().await.caller().await;
        caller.say(format!("{head}\r\n\r\n")).await;
        let answer = caller.hear_all().await;
        assert!(answer.starts_with("HTTP/1.1 501"), "{head} -> {answer}");
    }
}
