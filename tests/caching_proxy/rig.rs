//! A proxy between two raw sockets.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::{
    listener::Listener,
    proxy::Proxy,
    stack::{self, Front},
};

/// Long enough for a machine that does something else just now, and for a paused clock.
const PATIENCE: Duration = Duration::from_secs(60);

/// A proxy, and the socket of the upstream that it asks.
pub(super) struct Rig {
    proxy: SocketAddr,
    upstream: Option<TcpListener>,
}

impl Rig {
    pub(super) async fn new(front: impl FnOnce(Proxy) -> Front) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let upstream = TcpListener::bind(any).await.unwrap();
        let proxy = Proxy::new(upstream.local_addr().unwrap().to_string().parse().unwrap());
        let listener = Listener::bind(any).await.unwrap();
        let address = listener.address();
        tokio::spawn(listener.serve(front(proxy.pseudonym("hop")), std::future::pending()));
        Self { proxy: address, upstream: Some(upstream) }
    }

    /// A proxy that keeps nothing.
    pub(super) async fn passing() -> Self {
        Self::new(stack::passing).await
    }

    pub(super) async fn caller(&self) -> Peer {
        Peer(TcpStream::connect(self.proxy).await.unwrap())
    }

    /// The next connection that the proxy opens to the upstream.
    pub(super) async fn upstream(&self) -> Peer {
        let upstream = self.upstream.as_ref().expect("the upstream is there").accept();
        Peer(timeout(PATIENCE, upstream).await.expect("the proxy connects").unwrap().0)
    }

    /// Nobody listens at the upstream's address any more.
    pub(super) fn lose_upstream(&mut self) {
        self.upstream = None;
    }

    /// What the upstream sees of `request`, and what the caller sees of `answer`.
    pub(super) async fn exchange(&self, request: &str, answer: &str) -> (String, String) {
        let mut caller = self.caller().await;
        caller.say(request).await;
        let mut upstream = self.upstream().await;
        let seen = upstream.hear("\r\n\r\n").await;
        upstream.say(answer).await;
        drop(upstream);
        (seen, caller.hear_all().await)
    }
}

/// One end of a connection.
pub(super) struct Peer(TcpStream);

impl Peer {
    pub(super) async fn say(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.unwrap();
    }

    /// All up to the first `end`, and nothing that came with it.
    pub(super) async fn hear(&mut self, end: &str) -> String {
        let mut heard = Vec::new();
        let listen = async {
            while !heard.ends_with(end.as_bytes()) {
                heard.push(self.0.read_u8().await.expect("more is said"));
            }
        };
        let ended = timeout(PATIENCE, listen).await;
        let heard = String::from_utf8_lossy(&heard).into_owned();
        assert!(ended.is_ok(), "nothing more after {heard:?}");
        heard
    }

    /// All until the other side closes.
    pub(super) async fn hear_all(&mut self) -> String {
        let mut heard = Vec::new();
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut heard)).await.expect("it closes");
        String::from_utf8_lossy(&heard).into_owned()
    }

    /// Whether nothing was said while everybody had the time to.
    pub(super) async fn hears_nothing(&mut self) -> bool {
        let moment = Duration::from_millis(20);
        timeout(moment, self.0.read_u8()).await.is_err()
    }
}
