//! The command line, by function and by the built program.

use std::{net::TcpListener, process::Output, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::Command,
    time::timeout,
};

use super::args::{self, HELP, Protect};
use crate::examples::program;

fn parse(line: &str) -> Result<args::Command, String> {
    args::parse(line.split_whitespace().map(str::to_owned))
}

#[test]
fn without_arguments_there_is_a_demonstration() {
    assert_eq!(parse(""), Ok(args::Command::Demonstrate));
}

#[test]
fn an_address_and_a_url_make_a_gateway() {
    let expected = Protect {
        listen: "127.0.0.1:8080".parse().unwrap(),
        upstream: "localhost:9000".parse().unwrap(),
        admin: None,
        trusted: vec!["::1".parse().unwrap()],
    };
    let expected = Ok(args::Command::Protect(expected));
    assert_eq!(
        parse("--listen 127.0.0.1:8080 --upstream http://localhost:9000/ --trust ::1"),
        expected
    );
    assert_eq!(
        parse("--trust=::1 --upstream=http://localhost:9000 --listen=127.0.0.1:8080"),
        expected
    );
}

#[test]
fn a_mistake_is_named() {
    for (line, named) in [
        ("--nonsense", "--nonsense"),
        ("nonsense", "nonsense"),
        ("--listen", "--listen needs a value"),
        ("--listen --upstream http://a", "--listen needs a value"),
        ("--listen 127.0.0.1:8080 --upstream", "--upstream needs a value"),
        ("--listen 127.0.0.1:8080", "--upstream URL is missing"),
        ("--upstream http://a", "--listen ADDR is missing"),
        ("--trust ::1", "--listen ADDR is missing"),
        ("--admin 127.0.0.1:1", "--listen ADDR is missing"),
        ("--listen 127.0.0.1:1 --upstream http://a --admin here", "--admin: `here`"),
        ("--listen 127.0.0.1 --upstream http://a", "`127.0.0.1` is not an IP address and port"),
        ("--listen 127.0.0.1:99999 --upstream http://a", "`127.0.0.1:99999`"),
        ("--listen 127.0.0.1:1 --listen 127.0.0.1:2", "--listen is given twice"),
        ("--listen 127.0.0.1:1 --upstream nonsense", "`nonsense` is not a URL"),
        ("--listen 127.0.0.1:1 --upstream https://a", "TLS"),
        ("--listen 127.0.0.1:1 --upstream ftp://a", "not an HTTP URL"),
        ("--listen 127.0.0.1:1 --upstream http://a/path", "has a path"),
        ("--listen 127.0.0.1:1 --upstream http://u@a", "host and port"),
        ("--listen 127.0.0.1:1 --upstream http://a:99999", "host and port"),
        ("--listen 127.0.0.1:1 --upstream http://a --trust b", "`b` is not an IP address"),
    ] {
        let mistake = parse(line).unwrap_err();
        assert!(mistake.contains(named), "{line} -> {mistake}");
    }
}

#[tokio::test]
async fn help_explains_and_succeeds() {
    let output = gateway(&["--help"]).await;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), HELP);
}

#[tokio::test]
async fn a_mistake_ends_with_2_and_a_sentence() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = holder.local_addr().unwrap().to_string();
    for args in [
        vec!["--nonsense"],
        vec!["--listen"],
        vec!["--listen", "here", "--upstream", "http://127.0.0.1:1"],
        vec!["--listen", "203.0.113.1:1", "--upstream", "http://127.0.0.1:1"],
        vec!["--listen", &busy, "--upstream", "http://127.0.0.1:1"],
    ] {
        let output = gateway(&args).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.starts_with("gateway: "), "{args:?}: {error}");
        assert!(output.stdout.is_empty());
    }
}

#[cfg(unix)]
#[tokio::test]
async fn an_interrupted_gateway_lets_a_running_request_end() {
    let origin = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("http://{}", origin.local_addr().unwrap());
    let mut child = Command::new(program("gateway").await)
        .args(["--listen", "127.0.0.1:0", "--upstream", &upstream])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    let address = first.strip_prefix("listening on http://").unwrap().split(',').next().unwrap();

    let mut caller = TcpStream::connect(address).await.unwrap();
    caller.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let (mut running, _) = origin.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        assert_ne!(running.read_buf(&mut request).await.unwrap(), 0);
    }
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    let stopping = lines.next_line().await.unwrap().unwrap();
    assert!(stopping.starts_with("no new connections"), "{stopping}");

    running.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    let mut answer = String::new();
    caller.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ok"), "{answer}");
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "drained");
    let ended = timeout(Duration::from_secs(30), child.wait()).await.expect("it ends").unwrap();
    assert!(ended.success(), "{ended}");
}

#[tokio::test]
async fn figures_are_served_apart_from_what_is_protected() {
    let origin = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = origin.local_addr().unwrap().to_string();
    let mut child = Command::new(program("gateway").await)
        .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
        .args(["--upstream", &format!("http://{upstream}")])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut address = async |prefix: &str, end: char| {
        let line = lines.next_line().await.unwrap().unwrap();
        line.strip_prefix(prefix).unwrap().split(end).next().unwrap().to_owned()
    };
    let gateway = address("listening on http://", ',').await;
    let admin = address("figures on http://", '/').await;

    let asked = tokio::spawn(async move { get(&gateway, "/page").await });
    let (mut running, _) = origin.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        assert_ne!(running.read_buf(&mut request).await.unwrap(), 0);
    }
    running.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    assert!(asked.await.unwrap().ends_with("ok"));

    let metrics = get(&admin, "/metrics").await;
    for expected in [
        "content-type: text/plain; version=0.0.4".to_owned(),
        "# HELP ballast_requests_total Requests, by their outcome.".to_owned(),
        "ballast_requests_total{layer=\"server\",operation=\"GET\",outcome=\"success\"} 1"
            .to_owned(),
        format!(
            "ballast_requests_total{{layer=\"client\",operation=\"{upstream}\",outcome=\"success\"}} 1"
        ),
        "ballast_request_duration_seconds_bucket{layer=\"server\",operation=\"GET\",le=\"+Inf\"} 1"
            .to_owned(),
        "ballast_requests_in_flight{layer=\"server\",operation=\"GET\"} 0".to_owned(),
    ] {
        assert!(metrics.contains(&expected), "{expected} is not in {metrics}");
    }
    let stats = get(&admin, "/stats").await;
    let (_, body) = stats.split_once("\r\n\r\n").unwrap();
    let stats: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(stats["server"]["metrics"]["GET"]["whole"]["count"], 1);
    assert_eq!(stats["server"]["bulkhead"]["limit"], 20);
    assert_eq!(stats["client"]["endpoints"][0]["circuit"]["phase"], "closed");
    assert_eq!(stats["client"]["retry"]["budget"], 5.1);
    assert!(get(&admin, "/page").await.starts_with("HTTP/1.1 404"));
}

/// One request on a connection of its own.
async fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn gateway(args: &[&str]) -> Output {
    let output = Command::new(program("gateway").await).args(args).kill_on_drop(true).output();
    timeout(Duration::from_secs(60), output).await.expect("it ends").expect("it starts")
}
