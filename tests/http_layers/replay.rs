use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use axum::{
    Router,
    body::Body as AxumBody,
    extract::{Request as AxumRequest, State},
    response::IntoResponse,
    routing::post,
};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use tower_ballast_core::{BoxError, Facts, Replay};
use tower_ballast_http::{HttpReplay, Idempotent};

use crate::wire::{client, serve};

/// What the server answers: the body it got, and the field that was in its trailers.
#[derive(Debug, PartialEq, Eq)]
struct Echo {
    status: StatusCode,
    body: Bytes,
    sum: Option<String>,
}

#[tokio::test]
async fn a_post_with_a_key_arrives_whole_at_the_second_attempt() {
    let server = Server::start(Read::All).await;
    let request = server.post(Full::new(Bytes::from(vec![b'x'; 60_000])));
    assert!(Idempotent::new().is_repeatable(&request));

    let echo = send_up_to_twice(HttpReplay::new(), request).await;
    assert_eq!((echo.status, echo.body.len()), (StatusCode::OK, 60_000));
    assert_eq!(server.calls(), 2);
}

#[tokio::test]
async fn a_streamed_body_and_its_trailers_arrive_again() {
    let server = Server::start(Read::All).await;
    let mut request = server.post(Pieces::new(&["one ", "two ", "three"]));
    request.headers_mut().insert("trailer", "sum".parse().unwrap());

    let echo = send_up_to_twice(HttpReplay::new(), request).await;
    assert_eq!(echo.body, "one two three");
    assert_eq!(echo.sum.as_deref(), Some("3"));
    assert_eq!(server.calls(), 2);
}

#[tokio::test]
async fn an_early_answer_does_not_cut_the_next_attempt() {
    let server = Server::start(Read::Nothing).await;
    let pieces: Vec<_> = (0..500).map(|_| "0123456789".repeat(100)).collect();
    let request = server.post(Pieces::of(pieces));

    let echo = send_up_to_twice(HttpReplay::new().cap(1 << 20), request).await;
    assert_eq!((echo.status, echo.body.len()), (StatusCode::OK, 500_000));
    assert_eq!(server.calls(), 2);
}

#[tokio::test]
async fn a_body_over_the_cap_goes_through_whole_and_once() {
    let server = Server::start(Read::All).await;
    let pieces: Vec<_> = (0..100).map(|_| "0123456789".repeat(100)).collect();
    let echo = send_up_to_twice(HttpReplay::new(), server.post(Pieces::of(pieces))).await;
    assert_eq!((echo.status, echo.body.len()), (StatusCode::SERVICE_UNAVAILABLE, 100_000));
    assert_eq!(server.calls(), 1);

    let large = Full::new(Bytes::from(vec![b'x'; 100_000]));
    let echo = send_up_to_twice(HttpReplay::new(), server.post(large)).await;
    assert_eq!((echo.body.len(), server.calls()), (100_000, 2), "the server was only asked once");
}

/// Sends a request, and once more if that fails and it can be.
async fn send_up_to_twice<B>(replay: HttpReplay, request: Request<B>) -> Echo
where
    B: Body + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let client = client();
    let (sent, spare) = replay.first(request, true);
    let mut answer = client.request(sent).await.unwrap();
    if answer.status().is_server_error()
        && let Some((again, _)) = spare.and_then(|spare| replay.again(spare, false))
    {
        answer = client.request(again).await.unwrap();
    }
    let status = answer.status();
    let sum = answer.headers().get("got-sum").map(|sum| sum.to_str().unwrap().to_owned());
    Echo { status, sum, body: answer.into_body().collect().await.unwrap().to_bytes() }
}

/// What the server reads before it fails an odd call.
#[derive(Clone, Copy)]
enum Read {
    All,
    Nothing,
}

struct Server {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
}

impl Server {
    /// Echoes bodies; every odd call fails.
    async fn start(read: Read) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let app = Router::new().route("/", post(echo)).with_state((Arc::clone(&calls), read));
        Self { address: serve(app).await, calls }
    }

    fn post<B>(&self, body: B) -> Request<B> {
        let uri = format!("http://{}/", self.address);
        Request::post(uri).header("idempotency-key", "\"k\"").body(body).unwrap()
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

async fn echo(
    State((calls, read)): State<(Arc<AtomicUsize>, Read)>,
    request: AxumRequest,
) -> impl IntoResponse {
    let failing = calls.fetch_add(1, Ordering::Relaxed) % 2 == 0;
    if failing && matches!(read, Read::Nothing) {
        return (StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), Bytes::new());
    }
    let body = request.into_body().collect().await.unwrap();
    let sum = body.trailers().and_then(|trailers| trailers.get("sum").cloned());
    let headers = sum.map(|sum| ("got-sum".parse().unwrap(), sum)).into_iter().collect();
    let status = if failing { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, headers, body.to_bytes())
}

/// A body of unknown length in pieces, with their number in its trailers.
struct Pieces {
    left: std::vec::IntoIter<String>,
    sum: Option<usize>,
}

impl Pieces {
    fn new(pieces: &[&str]) -> Self {
        Self::of(pieces.iter().map(|&piece| piece.to_owned()).collect())
    }

    fn of(pieces: Vec<String>) -> Self {
        Self { sum: Some(pieces.len()), left: pieces.into_iter() }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = self.left.next().map(|piece| Frame::data(piece.into()));
        let frame = piece.or_else(|| {
            let sum = self.sum.take()?;
            let field = ("sum".parse().unwrap(), sum.into());
            Some(Frame::trailers(HeaderMap::from_iter([field])))
        });
        Poll::Ready(frame.map(Ok))
    }
}

#[test]
fn sent_bodies_are_what_clients_take() {
    fn taken_by_hyper<B>(_: &B)
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
    }
    let (sent, _) = HttpReplay::new().first(Request::new(AxumBody::from("x")), true);
    taken_by_hyper(sent.body());
}
