//! A gateway between two raw sockets.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

use super::{listener::Listener, protection, proxy::Proxy};

/// Long enough for a machine that does something else just now.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway, and an upstream that writes down every whole request it is sent.
pub(super) struct Rig {
    pub(super) gateway: SocketAddr,
    pub(super) upstream: SocketAddr,
    seen: mpsc::UnboundedReceiver<String>,
}

impl Rig {
    /// The upstream answers every request with `answer` and then closes the connection.
    pub(super) async fn new(answer: &'static str) -> Self {
        Self::tuned(answer, |proxy| proxy, |listener| listener).await
    }

    pub(super) async fn tuned(
        answer: &'static str,
        proxy: impl FnOnce(Proxy) -> Proxy,
        listener: impl FnOnce(Listener) -> Listener,
    ) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let tcp = TcpListener::bind(any).await.unwrap();
        let upstream = tcp.local_addr().unwrap();
        let (note, seen) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = tcp.accept().await {
                let note = note.clone();
                tokio::spawn(async move {
                    if let Some(request) = hear(&mut stream).await {
                        let _ = note.send(request);
                        let _ = stream.write_all(answer.as_bytes()).await;
                    }
                });
            }
        });
        let listener = listener(Listener::bind(any).await.unwrap());
        let gateway = listener.address();
        let proxy = proxy(Proxy::new(upstream.to_string().parse().unwrap()));
        tokio::spawn(listener.serve(protection::guard(proxy), std::future::pending()));
        Self { gateway, upstream, seen }
    }

    /// Writes `bytes` on a fresh connection and reads until the gateway closes it.
    pub(super) async fn say(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = TcpStream::connect(self.gateway).await.unwrap();
        let talk = async {
            // The gateway may have answered and gone before it has read all.
            let _ = stream.write_all(bytes.as_ref()).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            String::from_utf8_lossy(&answer).into_owned()
        };
        timeout(PATIENCE, talk).await.expect("the gateway closes the connection")
    }

    /// The next whole request that the upstream saw.
    pub(super) async fn request(&mut self) -> String {
        timeout(PATIENCE, self.seen.recv()).await.expect("a request arrives").unwrap()
    }

    /// Whether the upstream has seen no (other) whole request.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.seen.try_recv().is_err()
    }
}

/// Reads one request by its own framing; `None` when it broke off.
async fn hear(stream: &mut TcpStream) -> Option<String> {
    let (mut text, mut chunk) = (String::new(), [0; 4096]);
    while !is_whole(&text) {
        let length = stream.read(&mut chunk).await.ok().filter(|length| *length > 0)?;
        text.push_str(&String::from_utf8_lossy(&chunk[..length]));
    }
    Some(text)
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with("\r\n\r\n") && format!("\r\n{body}").contains("\r\n0\r\n");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}
