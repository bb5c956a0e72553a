use std::{
    cell::RefCell,
    collections::VecDeque,
    convert::Infallible,
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
};

use axum::{Router, routing::get, serve::Listener};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::advance,
};
use tower::{Layer, ServiceBuilder, ServiceExt, service_fn};
use tower_ballast_bulkhead::{BulkheadHandle, BulkheadLayer};
use tower_ballast_core::{BoxError, Event, Reason, Rejected, clock};

use super::*;
use crate::RespondLayer;

/// What is held; it knows how many are, and how many expired.
struct Guard(Arc<(AtomicU32, AtomicU32)>);

impl Guard {
    fn new() -> (Self, Arc<(AtomicU32, AtomicU32)>) {
        let counts = Arc::new((AtomicU32::new(1), AtomicU32::new(0)));
        (Self(Arc::clone(&counts)), counts)
    }
}

impl Held for Guard {
    fn expire(self, idle: Duration) {
        assert!(idle == Duration::from_secs(30) || idle == Duration::from_nanos(1));
        self.0.1.fetch_add(1, SeqCst);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, SeqCst);
    }
}

/// Gives what it was given, and is pending when that is nothing yet.
#[derive(Default)]
struct Fed(RefCell<VecDeque<Step>>);

enum Step {
    Piece,
    Wait,
    Trailers,
    Fail,
    Panic,
}

impl Fed {
    fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Self(RefCell::new(steps.into_iter().collect()))
    }
}

impl Body for Fed {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        let next = self.0.borrow_mut().pop_front();
        match next {
            None => Poll::Ready(None),
            Some(Step::Wait) => Poll::Pending,
            Some(Step::Piece) => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"piece"))))),
            Some(Step::Trailers) => Poll::Ready(Some(Ok(Frame::trailers(http::HeaderMap::new())))),
            Some(Step::Fail) => Poll::Ready(Some(Err("cut"))),
            Some(Step::Panic) => panic!("in the body"),
        }
    }
}

fn counts(counts: &(AtomicU32, AtomicU32)) -> (u32, u32) {
    (counts.0.load(SeqCst), counts.1.load(SeqCst))
}

fn held<B: Body>(body: B, idle: Duration) -> (HeldBody<B, Guard>, Arc<(AtomicU32, AtomicU32)>) {
    let (guard, counts) = Guard::new();
    let response = UntilBodyEnds::new().idle(idle).hold(Response::new(body), Some(guard));
    (response.into_body(), counts)
}

type Polled<B> = Poll<Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>>;

fn poll<B: Body + Unpin>(body: &mut B) -> Polled<B> {
    Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(start_paused = true)]
async fn it_is_held_until_the_body_ends_fails_is_dropped_or_panics() {
    for idle in [IDLE, Duration::MAX] {
        let (mut ending, at) = held(Fed::of([Step::Piece, Step::Wait, Step::Trailers]), idle);
        assert!(poll(&mut ending).is_ready() && poll(&mut ending).is_pending());
        assert!(poll(&mut ending).is_ready());
        assert_eq!(counts(&at), (1, 0));
        assert!(matches!(poll(&mut ending), Poll::Ready(None)));
        assert_eq!(counts(&at), (0, 0));

        let (mut failing, at) = held(Fed::of([Step::Piece, Step::Fail, Step::Wait]), idle);
        assert!(poll(&mut failing).is_ready());
        assert_eq!(counts(&at), (1, 0));
        assert!(matches!(poll(&mut failing), Poll::Ready(Some(Err("cut")))));
        assert_eq!(counts(&at), (0, 0));

        let (mut dropped, at) = held(Fed::of([Step::Wait, Step::Wait]), idle);
        assert!(poll(&mut dropped).is_pending());
        assert_eq!(counts(&at), (1, 0));
        drop(dropped);
        assert_eq!(counts(&at), (0, 0));

        let (mut panicking, at) = held(Fed::of([Step::Panic]), idle);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _ = poll(&mut panicking);
        }))
        .unwrap_err();
        assert_eq!(counts(&at), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn it_goes_back_with_the_last_frame_and_is_not_held_for_an_empty_body() {
    let (mut full, at) = held(Full::new(Bytes::from_static(b"all of it")), IDLE);
    assert_eq!(counts(&at), (1, 0));
    assert!(poll(&mut full).is_ready() && full.is_end_stream());
    assert_eq!(counts(&at), (0, 0));
    let (_empty, at) = held(Empty::<Bytes>::new(), IDLE);
    assert_eq!(counts(&at), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn it_goes_back_when_nothing_is_taken_for_as_long_as_may_be() {
    let pieces = || Fed::of([Step::Piece, Step::Piece, Step::Wait, Step::Piece, Step::Wait]);
    let (mut read, at) = held(pieces(), IDLE);
    let (_unread, unread) = held(pieces(), IDLE);
    advance(Duration::from_secs(29)).await;
    assert!(poll(&mut read).is_ready());
    advance(Duration::from_secs(2)).await;
    assert_eq!((counts(&at), counts(&unread)), ((1, 0), (0, 1)));
    assert!(poll(&mut read).is_ready() && poll(&mut read).is_pending());
    advance(Duration::from_secs(29)).await;
    assert_eq!(counts(&at), (1, 0));
    advance(Duration::from_secs(2)).await;
    assert_eq!(counts(&at), (0, 1));
    // The body goes on, and nothing is given back twice.
    assert!(matches!(poll(&mut read), Poll::Ready(Some(Ok(_)))));
    drop(read);
    assert_eq!(counts(&at), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn without_an_idle_limit_it_is_held_for_ever() {
    let (endless, at) = held(Fed::of([Step::Wait]), Duration::MAX);
    advance(Duration::from_secs(365 * 24 * 3600)).await;
    assert_eq!(counts(&at), (1, 0));
    drop(endless);
    assert_eq!(counts(&at), (0, 0));
}

/// A task that has used up its turn gets no timer of tokio, but is told to come back at once.
#[tokio::test(start_paused = true)]
async fn the_end_of_a_tasks_turn_is_no_idle_time() {
    let (_read, at) = std::future::poll_fn(|cx| {
        while let Poll::Ready(turn) = tokio::task::coop::poll_proceed(cx) {
            turn.made_progress();
        }
        let (mut read, at) = held(Fed::of([Step::Piece, Step::Wait]), IDLE);
        assert!(poll(&mut read).is_ready());
        Poll::Ready((read, at))
    })
    .await;
    tokio::task::yield_now().await;
    assert_eq!(counts(&at), (1, 0));
    advance(Duration::from_secs(31)).await;
    assert_eq!(counts(&at), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn an_observer_that_panics_hurts_nobody() {
    let layer = BulkheadLayer::new(1)
        .hold(UntilBodyEnds::new())
        .on_event(|_: &Event<'_>| panic!("in the observer"));
    let handle = layer.handle();
    let service = layer
        .layer(service_fn(async |(): ()| Ok::<_, BoxError>(Response::new(Fed::of([Step::Wait])))));
    let _response = service.oneshot(()).await.unwrap();
    assert_eq!(handle.in_flight(), 1);
    advance(Duration::from_secs(31)).await;
    assert_eq!(handle.in_flight(), 0);
    // And time goes on.
    clock::sleep(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_bulkhead_counts_whoever_still_sends() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let refusing = BulkheadLayer::new(1)
        .hold(UntilBodyEnds::new())
        .on_event(move |event: &Event<'_>| log.lock().unwrap().push(event.to_string()));
    let queueing = BulkheadLayer::new(1).hold(UntilBodyEnds::new()).queue(1);
    let service = service_fn(async |(): ()| {
        Ok::<_, BoxError>(Response::new(Fed::of([Step::Piece, Step::Wait, Step::Wait])))
    });
    let (first, second) = (refusing.layer(service), queueing.layer(service));

    let sending = first.clone().oneshot(()).await.unwrap();
    let refused = first.clone().oneshot(()).await.unwrap_err();
    assert_eq!(Rejected::find(&*refused).unwrap().reason(), Reason::BulkheadFull);
    drop(sending);
    let stuck = first.clone().oneshot(()).await.unwrap();
    advance(Duration::from_secs(31)).await;
    assert!(first.oneshot(()).await.is_ok());
    assert_eq!(refusing.handle().statistics().holds_expired, 1);
    drop(stuck);
    let expected = ["bulkhead refused reason=bulkhead_full", "bulkhead hold_expired delay=30s"];
    assert_eq!(*told.lock().unwrap(), expected);

    let sending = second.clone().oneshot(()).await.unwrap();
    let mut waiting = pin!(second.clone().oneshot(()));
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(cx).is_pending());
    assert_eq!(sending.into_body().frame().await.unwrap().unwrap().into_data().unwrap(), "piece");
    assert!(waiting.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_or_fails_holds_nothing() {
    let layer = BulkheadLayer::new(1).hold(UntilBodyEnds::new());
    let failing = layer
        .layer(service_fn(async |(): ()| Err::<Response<Full<Bytes>>, BoxError>("broken".into())));
    for _ in 0..3 {
        assert_eq!(failing.clone().oneshot(()).await.unwrap_err().to_string(), "broken");
    }
    assert_eq!(layer.handle().in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_costs_two_allocations_an_empty_one_and_one_without_limit_none() {
    let allocated = |text: &'static [u8], idle| {
        let (guard, _counts) = Guard::new();
        let hold = UntilBodyEnds::new().idle(idle);
        let response = Response::new(Full::new(Bytes::from_static(text)));
        let mut kept = None;
        let info = allocation_counter::measure(|| kept = Some(hold.hold(response, Some(guard))));
        info.count_total
    };
    assert_eq!(allocated(b"all of it", IDLE), 2);
    assert_eq!(allocated(b"all of it", Duration::MAX), 0);
    assert_eq!(allocated(b"", IDLE), 0);
}

/// One connection, of which a little fits into the pipe.
struct OneConnection(Option<DuplexStream>);

impl Listener for OneConnection {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.take() {
            Some(stream) => (stream, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// More than any buffer holds, and always ready.
struct Endless;

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 16 * 1024])))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Serves an endless body to a client that has asked for it.
async fn served() -> (DuplexStream, BulkheadHandle) {
    let layer = BulkheadLayer::new(1).hold(UntilBodyEnds::new());
    let handle = layer.handle();
    let app = Router::new()
        .route("/", get(async || axum::body::Body::new(Endless)))
        .layer(ServiceBuilder::new().layer(RespondLayer::new()).layer(layer));
    let (mut client, server) = duplex(1024);
    tokio::spawn(async move { axum::serve(OneConnection(Some(server)), app).await });
    client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    client.read_exact(&mut [0; 2048]).await.unwrap();
    (client, handle)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_keeps_its_permit_and_one_that_goes_away_gives_it_back() {
    let (mut client, handle) = served().await;
    for _ in 0..100 {
        clock::sleep(Duration::from_secs(1)).await;
        client.read_exact(&mut vec![0; 64 * 1024]).await.unwrap();
        assert_eq!(handle.in_flight(), 1);
    }
    drop(client);
    handle.drained().await;
}

#[tokio::test(start_paused = true)]
async fn who_may_be_idle_for_no_time_holds_nothing() {
    let (body, at) = held(Fed::of([Step::Wait]), Duration::ZERO);
    assert_eq!(counts(&at), (0, 0));
    drop(body);
    let (body, at) = held(Fed::of([Step::Wait]), Duration::from_nanos(1));
    advance(Duration::from_millis(2)).await;
    assert_eq!(counts(&at), (0, 1));
    drop(body);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_no_longer_loses_its_permit_and_not_its_body() {
    let (mut client, handle) = served().await;
    clock::sleep(Duration::from_secs(29)).await;
    assert_eq!(handle.in_flight(), 1);
    clock::sleep(Duration::from_secs(2)).await;
    assert_eq!((handle.in_flight(), handle.statistics().holds_expired), (0, 1));
    client.read_exact(&mut vec![0; 1024 * 1024]).await.unwrap();
    assert_eq!(handle.statistics().holds_expired, 1);
}

#[test]
fn it_moves_between_threads() {
    fn moves<T: Send + Sync>() {}
    moves::<HeldBody<Full<Bytes>, tower_ballast_bulkhead::Permit>>();
}
