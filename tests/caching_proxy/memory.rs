//! What the proxy takes of the machine, as the machine tells it.

use std::{net::SocketAddr, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    task::JoinSet,
};
use tower_ballast_core::Random;

use crate::examples::program;

const LIMIT: usize = 64 << 20;
const CALLERS: usize = 8;
/// From a page of text to a picture.
const BODIES: std::ops::Range<usize> = 1 << 10..256 << 10;

/// Ten times as much goes through as may be kept, each page once.
#[tokio::test]
async fn resident_memory_stays_near_the_limit_under_ten_times_its_traffic() {
    let upstream = upstream().await;
    let (proxy, address) = proxy(upstream).await;
    let mut callers = JoinSet::new();
    for number in 0..CALLERS {
        callers.spawn(call(address, number));
    }
    let came: usize = callers.join_all().await.into_iter().sum();
    assert!(came >= 10 * LIMIT, "{came} bytes");
    let most = peak(&proxy);
    assert!(LIMIT < most && most <= LIMIT / 2 * 3, "{most} bytes at most, of {LIMIT}");
}

/// Asks for pages of its own until it has had its part.
async fn call(proxy: SocketAddr, number: usize) -> usize {
    let lengths = Random::seeded(number as u64);
    let mut connection = BufReader::new(TcpStream::connect(proxy).await.unwrap());
    let (mut came, mut body) = (0, Vec::new());
    while came < 10 * LIMIT / CALLERS {
        let more = usize::try_from(lengths.below(BODIES.len() as u64)).unwrap();
        let length = BODIES.start + more;
        let request = format!("GET /{length}/{number}-{came} HTTP/1.1\r\nHost: a\r\n\r\n");
        connection.write_all(request.as_bytes()).await.unwrap();
        let head = head(&mut connection).await.unwrap();
        assert!(head.contains("fwd=uri-miss; stored"), "{head}");
        body.resize(length, 0);
        connection.read_exact(&mut body).await.unwrap();
        came += length;
    }
    came
}

/// Answers `/LENGTH/..` with so many bytes.
async fn upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(answer(socket));
        }
    });
    address
}

async fn answer(socket: TcpStream) {
    let mut connection = BufReader::new(socket);
    let page = vec![b'.'; BODIES.end];
    while let Some(head) = head(&mut connection).await {
        let length: usize = head.split('/').nth(1).unwrap().parse().unwrap();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\ncache-control: max-age=3600\r\n\r\n"
        );
        connection.write_all(answer.as_bytes()).await.unwrap();
        connection.write_all(&page[..length]).await.unwrap();
    }
}

/// The head of a message, unless nothing more comes.
async fn head(connection: &mut BufReader<TcpStream>) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if connection.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

async fn proxy(upstream: SocketAddr) -> (Child, SocketAddr) {
    let mut child = Command::new(program("caching_proxy").await)
        .args(["--listen", "127.0.0.1:0", "--max-bytes", &LIMIT.to_string()])
        .args(["--upstream", &format!("http://{upstream}")])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    let address = first.split("http://").nth(1).unwrap().split(',').next().unwrap();
    (child, address.parse().unwrap())
}

/// How many bytes were resident at once since the process began.
fn peak(child: &Child) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}
