//! What must not get past the gateway, byte for byte.

use std::time::Duration;

use super::rig::Rig;

const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// `head` is refused with `status`, the connection is closed, and the upstream hears nothing.
async fn refused(status: &str, bytes: impl AsRef<[u8]>) {
    let mut rig = Rig::new(FINE).await;
    let answer = rig.say(&bytes).await;
    let expected = format!("HTTP/1.1 {status}");
    let sent = String::from_utf8_lossy(bytes.as_ref()).into_owned();
    assert!(answer.starts_with(&expected), "{sent:.200}\n->\n{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{sent:.200}\n->\n{answer}");
    assert!(rig.is_quiet(), "{sent:.200}");
}

#[tokio::test]
async fn a_message_with_two_framings_goes_on_with_one_and_ends_the_connection() {
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
    ] {
        let mut rig = Rig::new(FINE).await;
        let answer = rig
            .say(format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n0\r\n\r\n{smuggled}"))
            .await;
        assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
        let request = rig.request().await;
        assert!(request.contains("transfer-encoding: chunked"), "{request}");
        assert!(!request.contains("content-length"), "{request}");
        assert!(rig.is_quiet(), "the rest of the connection is not a request");
    }
}

#[tokio::test]
async fn lengths_that_disagree_are_refused() {
    for length in [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5, 6",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 99999999999999999999999",
        "Content-Length:",
    ] {
        refused("400", format!("POST / HTTP/1.1\r\nHost: a\r\n{length}\r\n\r\nhello")).await;
    }
}

#[tokio::test]
async fn codings_other_than_chunked_at_the_end_are_refused() {
    for coding in ["chunked, identity", "xchunked", "gzip", "identity"] {
        let fields = format!("Transfer-Encoding: {coding}");
        refused("400", format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n0\r\n\r\n")).await;
    }
    refused("400", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        .await;
}

#[tokio::test]
async fn fields_that_are_not_well_formed_are_refused() {
    for field in [
        "X-Folded: one\r\n two",
        "X-Spaced : one",
        " X-Indented: one",
        "X-Nul: a\0b",
        "X-Return: a\rb",
        "No colon here",
        ": no name",
    ] {
        refused("400", format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n")).await;
    }
}

#[tokio::test]
async fn a_broken_chunk_is_never_forwarded_as_a_whole_body() {
    for chunk in
        ["zz\r\nhello\r\n", "5\r\nhelloXX0\r\n\r\n", "-1\r\n", "ffffffffffffffffff\r\n", "\r\n"]
    {
        let mut rig = Rig::new(FINE).await;
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = rig.say(format!("{head}{chunk}")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{chunk:?} -> {answer}");
        assert!(rig.is_quiet(), "{chunk:?}");
    }
}

#[tokio::test]
async fn callers_with_broken_bodies_cannot_open_the_circuit_for_others() {
    let rig = Rig::new(FINE).await;
    for _ in 0..50 {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(rig.say(format!("{head}5\r\nhello\r\nzz\r\n")).await.starts_with("HTTP/1.1 400"));
    }
    let answer = rig.say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_request_that_comes_round_again_is_refused() {
    for via in ["1.1 myself", "1.0 fred, 1.1 MYSELF (a comment)", "HTTP/1.1 myself"] {
        let mut rig =
            Rig::tuned(FINE, |proxy| proxy.pseudonym("myself"), |listener| listener).await;
        let answer = rig.say(format!("GET / HTTP/1.1\r\nHost: a\r\nVia: {via}\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 508"), "{answer}");
        assert!(rig.is_quiet());
    }
}

#[tokio::test]
async fn a_gateway_before_itself_stops_the_loop() {
    use super::{listener::Listener, protection, proxy::Proxy};
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let itself = listener.address().to_string().parse().unwrap();
    let mut rig = Rig::new(FINE).await;
    rig.gateway = listener.address();
    tokio::spawn(listener.serve(protection::guard(Proxy::new(itself)), std::future::pending()));
    let answer = rig.say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 508"), "{answer}");
}

#[tokio::test]
async fn a_request_names_exactly_one_authority() {
    for head in [
        "GET http://a/ HTTP/1.1\r\nHost: b",
        "GET http://a:81/ HTTP/1.1\r\nHost: a",
        "GET http://user@a/ HTTP/1.1\r\nHost: a",
        "GET ftp://a/ HTTP/1.1\r\nHost: a",
        "GET https://a/ HTTP/1.1\r\nHost: a",
        "GET a:80 HTTP/1.1\r\nHost: a",
        "GET * HTTP/1.1\r\nHost: a",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b",
        "GET / HTTP/1.1\r\nHost: a, b",
        "GET / HTTP/1.1\r\nHost: a/b",
        "GET / HTTP/1.1\r\nHost: user@a",
        "GET / HTTP/1.1\r\nHost: a:port",
        "GET / HTTP/1.1\r\nHost:",
        "GET / HTTP/1.1\r\nAccept: a",
    ] {
        refused("400", format!("{head}\r\n\r\n")).await;
    }
}

#[tokio::test]
async fn tunnels_echoes_and_upgrades_are_refused() {
    refused("501", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n").await;
    refused("501", "TRACE / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket";
    refused("501", format!("GET / HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n\r\n")).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let upgrade = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk";
    refused("501", format!("GET / HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n\r\n{smuggled}")).await;
}

#[tokio::test]
async fn a_head_has_a_limit() {
    let filler = "x".repeat(70 * 1024);
    refused("431", format!("GET / HTTP/1.1\r\nHost: a\r\nX-Long: {filler}\r\n\r\n")).await;
    let lines = "X-More: 1\r\n".repeat(200);
    refused("431", format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")).await;
    refused("431", format!("GET /{filler} HTTP/1.1\r\nHost: a\r\n\r\n")).await;
}

#[tokio::test]
async fn a_body_has_a_limit() {
    for body in [
        "Content-Length: 11\r\n\r\nhello world",
        "Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n",
    ] {
        let mut rig = Rig::tuned(FINE, |proxy| proxy.body_limit(10), |listener| listener).await;
        let answer = rig.say(format!("POST / HTTP/1.1\r\nHost: a\r\n{body}")).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(rig.is_quiet(), "no whole body arrives");
    }
}

#[tokio::test]
async fn a_head_that_never_ends_loses_its_connection() {
    let quick = Duration::from_millis(50);
    let mut rig = Rig::tuned(FINE, |proxy| proxy, |listener| listener.header_timeout(quick)).await;
    for beginning in ["", "GET /", "GET / HTTP/1.1\r\nHost: a\r\n"] {
        let answer = rig.say(beginning).await;
        assert!(!answer.contains(" 200 "), "{answer}");
    }
    assert!(rig.is_quiet());
}

#[tokio::test]
async fn an_answer_that_is_not_well_formed_does_not_get_back() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n",
        "HTTP/1.1 200 OK\r\nbroken header\r\n\r\n",
        "what?\r\n\r\n",
        "",
    ] {
        let rig = Rig::new(answer).await;
        let seen = rig.say("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(seen.starts_with("HTTP/1.1 502"), "{answer:?} -> {seen:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_seen_to_break_off() {
    for (answer, end) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello", "hello"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "5\r\nhello\r\n"),
    ] {
        let rig = Rig::new(answer).await;
        let seen = rig.say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(!seen.ends_with("0\r\n\r\n") && !seen.contains("content-length: 5"), "{seen}");
        assert!(end.starts_with(seen.split_once("\r\n\r\n").unwrap().1), "{seen}");
    }
}
