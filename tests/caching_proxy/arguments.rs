//! The command line, by function and by the built program.

use std::{process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::timeout,
};

use super::args::{self, Cache, HELP, Serve};
use crate::examples::program;

fn parse(line: &str) -> Result<args::Command, String> {
    args::parse(line.split_whitespace().map(str::to_owned))
}

#[test]
fn an_address_and_a_url_make_a_shared_cache() {
    let expected = |cache| {
        let listen = "127.0.0.1:8080".parse().unwrap();
        let upstream = "localhost:9000".parse().unwrap();
        Ok(args::Command::Serve(Serve { listen, upstream, cache }))
    };
    let places = "--listen 127.0.0.1:8080 --upstream=http://localhost:9000/";
    let usual = Cache { private: false, lenient: false, max_bytes: 256 << 20 };
    assert_eq!(parse(places), expected(Some(usual)));
    for max_bytes in [0, 65_536, 1 << 40, u64::MAX] {
        let other = Cache { private: true, lenient: true, max_bytes };
        let flags = format!("--private --lenient --max-bytes {max_bytes}");
        assert_eq!(parse(&format!("{places} {flags}")), expected(Some(other)));
    }
    assert_eq!(parse(&format!("--no-cache {places}")), expected(None));
}

#[test]
fn a_mistake_is_named() {
    for (line, named) in [
        ("", "--listen ADDR is missing"),
        ("--nonsense", "unknown argument `--nonsense`"),
        ("--listen 127.0.0.1:8080", "--upstream URL is missing"),
        ("--listen here", "--listen: `here` is not an IP address and port"),
        ("--upstream https://a", "--upstream: `https://a` asks for TLS"),
        ("--upstream http://a --upstream http://b", "--upstream is given twice"),
        ("--max-bytes", "--max-bytes needs a value"),
        ("--max-bytes much", "--max-bytes: `much` is not a number of bytes"),
        ("--max-bytes -1", "--max-bytes: `-1` is not a number of bytes"),
        ("--max-bytes 64MB", "--max-bytes: `64MB` is not a number of bytes"),
        ("--max-bytes 18446744073709551616", "--max-bytes: `18446744073709551616` is not a number"),
        ("--max-bytes 1", "--max-bytes is 1, must be at least 65536 bytes, room for some"),
        (
            "--max-bytes 1000",
            "--max-bytes is 1000, must be at least 65536 bytes, room for some dozens of small answers, or 0",
        ),
        ("--max-bytes 65535", "--max-bytes is 65535, must be at least 65536 bytes"),
        ("--max-bytes 65536 --max-bytes 0", "--max-bytes is given twice"),
        ("--private=yes", "--private takes no value"),
        ("--no-cache --lenient", "--no-cache leaves nothing"),
    ] {
        let mistake = parse(line).unwrap_err();
        assert!(mistake.contains(named), "{line} -> {mistake}");
    }
}

#[tokio::test]
async fn help_explains_and_succeeds() {
    let output = Command::new(program("caching_proxy").await).arg("--help").output();
    let output = output.await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout), HELP);
}

#[tokio::test]
async fn a_mistake_ends_with_2_and_a_sentence() {
    let elsewhere = ["--listen", "203.0.113.1:1", "--upstream", "http://127.0.0.1:1"];
    for args in [&["--nonsense"][..], &elsewhere] {
        let output = Command::new(program("caching_proxy").await).args(args).output();
        let output = output.await.unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.starts_with("caching_proxy: "), "{args:?}: {error}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn an_interrupted_proxy_ends_well() {
    let mut child = Command::new(program("caching_proxy").await)
        .args(["--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:1", "--no-cache"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    assert!(first.starts_with("listening on http://127.0.0.1:"), "{first}");
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    let stopping = lines.next_line().await.unwrap().unwrap();
    assert!(stopping.starts_with("no new connections"), "{stopping}");
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "drained");
    let ended = timeout(Duration::from_secs(30), child.wait()).await.expect("it ends").unwrap();
    assert!(ended.success(), "{ended}");
}
