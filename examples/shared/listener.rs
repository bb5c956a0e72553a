//! A plain HTTP/1.1 server on one port that bounds what a caller may hold, and drains.

pub(crate) mod wire;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::ConnectInfo,
};
use http::{Request, Response, Version};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tower::{BoxError, Service, ServiceExt};

pub(crate) use wire::Interim;
use wire::{Slot, Wire};

/// Serves one service to every connection.
#[derive(Debug)]
pub(crate) struct Listener {
    tcp: TcpListener,
    http: http1::Builder,
    connections: Arc<Semaphore>,
    drain: Duration,
}

impl Listener {
    /// Takes the port. At most 1024 connections are served at once; the others wait in the
    /// kernel's queue.
    ///
    /// # Errors
    ///
    /// When the address is not ours or the port is taken.
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).max_header_size(32 * 1024).max_buf_size(64 * 1024);
        let listener = Self {
            tcp: TcpListener::bind(address).await?,
            http,
            connections: Arc::new(Semaphore::new(1024)),
            drain: Duration::from_secs(10),
        };
        Ok(listener.header_timeout(Duration::from_secs(10)))
    }

    /// How long a caller may take for the head of a request, and a connection may be idle.
    /// Default: 10 seconds.
    pub(crate) fn header_timeout(mut self, limit: Duration) -> Self {
        self.http.header_read_timeout(limit);
        self
    }

    /// How long running requests may take after the stop. Default: 10 seconds.
    pub(crate) fn drain(mut self, limit: Duration) -> Self {
        self.drain = limit;
        self
    }

    /// The address with the port that the system chose.
    pub(crate) fn address(&self) -> SocketAddr {
        self.tcp.local_addr().expect("a bound socket has an address")
    }

    /// Serves until `stop` is ready, then lets the running requests end.
    ///
    /// Says whether all of them did.
    pub(crate) async fn serve<S, B>(self, service: S, stop: impl Future<Output = ()>) -> bool
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let graceful = GracefulShutdown::new();
        tokio::pin!(stop);
        loop {
            let (stream, peer, permit) = tokio::select! {
                accepted = self.accept() => accepted,
                () = &mut stop => break,
            };
            let service = service.clone();
            let slot = Slot::default();
            let wire = Wire::new(TokioIo::new(stream), slot.clone());
            let serve = service_fn(move |request: Request<Incoming>| {
                let mut request = request.map(Body::new);
                let turn = slot.turn();
                request.extensions_mut().insert(ConnectInfo(peer));
                // An older caller would take an interim answer for the final one.
                if request.version() == Version::HTTP_11 {
                    request.extensions_mut().insert(turn.interim());
                }
                let answer = service.clone().oneshot(request);
                async move {
                    let answer = answer.await;
                    drop(turn);
                    answer
                }
            });
            let connection = graceful.watch(self.http.serve_connection(wire, serve));
            tokio::spawn(async move {
                // A connection that breaks is its caller's to notice.
                let _ = connection.await;
                drop(permit);
            });
        }
        drop(self.tcp);
        timeout(self.drain, graceful.shutdown()).await.is_ok()
    }

    async fn accept(&self) -> (TcpStream, SocketAddr, impl Send + use<>) {
        let places = Arc::clone(&self.connections);
        let permit = places.acquire_owned().await.expect("nobody closes the semaphore");
        loop {
            match self.tcp.accept().await {
                Ok((stream, peer)) => {
                    let _ = stream.set_nodelay(true);
                    return (stream, peer, permit);
                }
                // Out of descriptors, most likely: those in use come back.
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }
}
