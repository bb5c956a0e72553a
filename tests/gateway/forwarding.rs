//! What the gateway sends on, seen from both sides.

use super::rig::Rig;

const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// The request that the upstream sees when a caller sends `head`.
async fn forwarded(head: &str) -> String {
    let mut rig = Rig::tuned(FINE, |proxy| proxy.pseudonym("hop"), |listener| listener).await;
    let answer = rig.say(format!("{head}\r\nConnection: close\r\n\r\n")).await;
    assert!(answer.contains(" 200 OK\r\n") && answer.ends_with("ok"), "{answer}");
    rig.request().await
}

#[tokio::test]
async fn what_belongs_to_one_connection_stays_there() {
    let seen = forwarded(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Private\r\nconnection: x-other ,, \r\n\
         X-Private: 1\r\nX-Other: 2\r\nX-Public: 3\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\n\
         Proxy-Authorization: secret\r\nTE: gzip",
    )
    .await;
    for gone in ["connection", "x-private", "x-other", "keep-alive", "proxy-", "te:"] {
        assert!(!seen.contains(&format!("\r\n{gone}")), "{gone} in {seen}");
    }
    assert!(seen.contains("\r\nx-public: 3\r\n"), "{seen}");
}

#[tokio::test]
async fn of_te_only_trailers_go_on() {
    let seen = forwarded("GET / HTTP/1.1\r\nHost: a\r\nTE: gzip;q=1, trailers").await;
    assert!(seen.contains("\r\nte: trailers\r\n"), "{seen}");
    assert!(seen.contains("\r\nconnection: te\r\n"), "{seen}");
}

#[tokio::test]
async fn host_is_the_upstream_and_the_way_here_is_told() {
    let mut rig = Rig::tuned(FINE, |proxy| proxy.pseudonym("hop"), |listener| listener).await;
    let head =
        "GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\nVia: 1.0 first\r\nForwarded: for=10.0.0.1";
    rig.say(format!("{head}\r\nConnection: close\r\n\r\n")).await;
    let seen = rig.request().await;
    assert!(seen.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains(&format!("\r\nhost: {}\r\n", rig.upstream)), "{seen}");
    assert!(seen.contains("\r\nvia: 1.0 first\r\nvia: 1.1 hop\r\n"), "{seen}");
    let way =
        "forwarded: for=10.0.0.1\r\nforwarded: for=127.0.0.1;host=\"shop.example\";proto=http\r\n";
    assert!(seen.contains(way), "{seen}");
}

#[tokio::test]
async fn a_target_in_absolute_form_goes_on_as_a_path() {
    let seen = forwarded("GET http://Shop.example:80/a HTTP/1.1\r\nHost: shop.example").await;
    assert!(seen.starts_with("GET /a HTTP/1.1\r\n"), "{seen}");
    let seen = forwarded("GET http://shop.example HTTP/1.1\r\nHost: shop.example").await;
    assert!(seen.starts_with("GET / HTTP/1.1\r\n"), "{seen}");
}

#[tokio::test]
async fn an_old_caller_is_forwarded_in_the_new_version() {
    let seen = forwarded("GET / HTTP/1.0\r\nX-No: host").await;
    assert!(seen.starts_with("GET / HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("\r\nvia: 1.0 hop\r\n"), "{seen}");
}

#[tokio::test]
async fn an_asterisk_goes_on_for_options_as_far_as_it_may() {
    let seen = forwarded("OPTIONS * HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3").await;
    assert!(seen.starts_with("OPTIONS * HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("\r\nmax-forwards: 2\r\n"), "{seen}");
    let mut rig = Rig::new(FINE).await;
    let head = "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close";
    let answer = rig.say(format!("{head}\r\nMax-Forwards: 0\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert!(rig.is_quiet());
}

#[tokio::test]
async fn only_trusted_peers_speak_for_others() {
    let head = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-Proto: https\r\n\
                X-Forwarded-Anything: 1\r\nX-Real-IP: 10.0.0.1";
    let seen = forwarded(head).await;
    assert!(!seen.contains("x-forwarded") && !seen.contains("x-real-ip"), "{seen}");

    let trust = |proxy: super::proxy::Proxy| proxy.trusted([[127, 0, 0, 1].into()]);
    let mut rig = Rig::tuned(FINE, trust, |listener| listener).await;
    rig.say(format!("{head}\r\nConnection: close\r\n\r\n")).await;
    assert!(rig.request().await.contains("\r\nx-forwarded-for: 10.0.0.1\r\n"));
}

#[tokio::test]
async fn answers_lose_what_belongs_to_one_connection_and_gain_via() {
    let rig = Rig::tuned(
        "HTTP/1.0 200 Fine\r\ncontent-length: 2\r\nconnection: x-private\r\nx-private: 1\r\nx-public: 2\r\n\
         keep-alive: timeout=5\r\nproxy-authenticate: Basic\r\nupgrade: h2c\r\nvia: 1.1 origin\r\n\r\nok",
        |proxy| proxy.pseudonym("hop"),
        |listener| listener,
    )
    .await;
    let answer = rig.say("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 Fine\r\n"), "{answer}");
    for gone in ["x-private", "keep-alive", "proxy-", "upgrade"] {
        assert!(!answer.contains(&format!("\r\n{gone}")), "{gone} in {answer}");
    }
    assert!(answer.contains("\r\nx-public: 2\r\n"), "{answer}");
    assert!(answer.contains("\r\nvia: 1.1 origin\r\nvia: 1.0 hop\r\n"), "{answer}");
}

#[tokio::test]
async fn trailers_go_through_in_both_directions() {
    let mut rig = Rig::new(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n",
    )
    .await;
    let answer = rig
        .say(
            "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: close, TE\r\nTrailer: X-Up\r\n\
             Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Up: 9\r\n\r\n",
        )
        .await;
    assert!(answer.ends_with("2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n"), "{answer}");
    let seen = rig.request().await;
    assert!(seen.ends_with("5\r\nhello\r\n0\r\nx-up: 9\r\n\r\n"), "{seen}");
}

#[tokio::test]
async fn several_requests_share_a_connection() {
    let mut rig = Rig::new(FINE).await;
    let one = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
    let two = "GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let answer = rig.say(format!("{one}{two}")).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
    assert!(rig.request().await.starts_with("GET /1"));
    assert!(rig.request().await.starts_with("GET /2"));
}

#[tokio::test]
async fn an_answer_to_head_has_no_body() {
    let rig = Rig::new("HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n").await;
    let answer = rig.say("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(answer.contains("\r\ncontent-length: 2000\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn nothing_is_sent_twice_once_a_body_has_gone_on() {
    for method in ["POST", "PUT", "DELETE"] {
        let mut rig = Rig::new("").await;
        let head =
            format!("{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5");
        let answer = rig.say(format!("{head}\r\n\r\nhello")).await;
        assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
        assert!(rig.request().await.ends_with("hello"));
        assert!(rig.is_quiet(), "{method} arrived again");
    }
}

#[tokio::test]
async fn a_body_streams_on_before_it_has_ended() {
    use tokio::{io::AsyncReadExt, io::AsyncWriteExt, net::TcpListener, net::TcpStream};
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy =
        super::proxy::Proxy::new(upstream.local_addr().unwrap().to_string().parse().unwrap());
    let listener = super::listener::Listener::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let mut caller = TcpStream::connect(listener.address()).await.unwrap();
    tokio::spawn(listener.serve(super::protection::guard(proxy), std::future::pending()));

    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n";
    caller.write_all(format!("{head}first").as_bytes()).await.unwrap();
    let (mut origin, _) = upstream.accept().await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"first") {
        assert_ne!(origin.read_buf(&mut seen).await.unwrap(), 0);
    }
    caller.write_all(b"later").await.unwrap();
    while !seen.ends_with(b"later") {
        assert_ne!(origin.read_buf(&mut seen).await.unwrap(), 0);
    }
    origin.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nstart").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"start") {
        assert_ne!(caller.read_buf(&mut answer).await.unwrap(), 0);
    }
    origin.write_all(b"after").await.unwrap();
    while !answer.ends_with(b"after") {
        assert_ne!(caller.read_buf(&mut answer).await.unwrap(), 0);
    }
}
