//! A service that answers as a test wants, and counts.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, response::Builder};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tower::Service;
use tower_ballast_core::BoxError;

use crate::{CacheBody, HttpCache};

/// The body of a request.
pub(super) type Nothing = http_body_util::Full<Bytes>;
pub(super) type Answer = Result<Response<Text>, BoxError>;
type Script = dyn Fn(usize, &Request<Nothing>) -> Answer + Send + Sync;

/// Answers the calls that it counts, each after a second.
#[derive(Clone)]
pub(super) struct Origin {
    calls: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Request<Nothing>>>>,
    script: Arc<Script>,
    takes: Duration,
}

impl Origin {
    pub(super) fn new(
        script: impl Fn(usize, &Request<Nothing>) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let (calls, seen) = (Arc::default(), Arc::default());
        Self { calls, seen, script: Arc::new(script), takes: Duration::ZERO }
    }

    pub(super) fn takes(self, takes: Duration) -> Self {
        Self { takes, ..self }
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.load(SeqCst)
    }

    /// What was sent last.
    pub(super) fn last(&self) -> http::HeaderMap {
        self.seen.lock().unwrap().last().unwrap().headers().clone()
    }
}

impl Service<Request<Nothing>> for Origin {
    type Response = Response<Text>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Nothing>) -> Self::Future {
        let (this, number) = (self.clone(), self.calls.fetch_add(1, SeqCst));
        Box::pin(async move {
            tokio::time::sleep(this.takes).await;
            let answer = (this.script)(number, &request);
            this.seen.lock().unwrap().push(request);
            answer
        })
    }
}

/// A body in pieces, each a second after the other, and perhaps cut off.
#[derive(Debug, Default)]
pub(super) struct Text {
    pieces: VecDeque<Bytes>,
    is_cut: bool,
    is_paced: bool,
    length: Option<u64>,
    timer: Option<Pin<Box<tokio::time::Sleep>>>,
}

pub(super) fn text(text: &str) -> Text {
    let length = Some(text.len() as u64);
    let pieces = Some(text).filter(|text| !text.is_empty());
    let pieces = pieces.into_iter().map(|text| Bytes::from(text.to_owned())).collect();
    Text { pieces, length, ..Text::default() }
}

/// Of unknown length.
pub(super) fn pieces<const N: usize>(pieces: [&str; N]) -> Text {
    let pieces = pieces.into_iter().map(|text| Bytes::from(text.to_owned())).collect();
    Text { pieces, is_paced: true, ..Text::default() }
}

impl Text {
    pub(super) fn cut(mut self) -> Self {
        self.is_cut = true;
        self
    }
}

impl Body for Text {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.is_paced {
            let second = || Box::pin(tokio::time::sleep(Duration::from_secs(1)));
            std::task::ready!(self.timer.get_or_insert_with(second).as_mut().poll(cx));
            self.timer = None;
        }
        match self.pieces.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None if self.is_cut => {
                self.is_cut = false;
                Poll::Ready(Some(Err("the body was cut off".into())))
            }
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.length.is_some() && self.pieces.is_empty() && !self.is_cut
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self.length {
            Some(_) => http_body::SizeHint::with_exact(
                self.pieces.iter().map(|piece| piece.len() as u64).sum(),
            ),
            None => http_body::SizeHint::default(),
        }
    }
}

/// A response that is fresh for a minute.
pub(super) fn fresh() -> Builder {
    Response::builder().header("cache-control", "max-age=60")
}

pub(super) fn get(uri: &str) -> Request<Nothing> {
    Request::get(uri).body(Nothing::default()).unwrap()
}

pub(super) type Cached = HttpCache<Origin>;

/// Status, fields and body of an answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: http::HeaderMap,
    pub(super) body: Result<String, BoxError>,
}

impl Reply {
    pub(super) fn text(&self) -> &str {
        self.body.as_ref().unwrap()
    }

    pub(super) fn field(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(super) async fn send(service: &Cached, request: Request<Nothing>) -> Result<Reply, BoxError> {
    Ok(read(service.clone().call(request).await?).await)
}

pub(super) async fn read(response: Response<CacheBody<Text>>) -> Reply {
    let (parts, body) = response.into_parts();
    let body =
        body.collect().await.map(|body| String::from_utf8(body.to_bytes().to_vec()).unwrap());
    Reply { status: parts.status, headers: parts.headers, body }
}

pub(super) async fn fetch(service: &Cached, uri: &str) -> Reply {
    send(service, get(uri)).await.unwrap()
}
