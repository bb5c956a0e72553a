use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty, Full};
use proptest::prelude::*;
use tower_ballast_core::{BoxError, Replay};

use super::{HttpReplay, ReplayBody};

type Sent = Request<ReplayBody<Script>>;

#[test]
fn an_empty_body_is_sent_again_and_stays_empty() {
    let (sent, spare) = HttpReplay::new().first(Request::new(Empty::<Bytes>::new()), true);
    assert!(sent.body().is_end_stream());
    let (again, spare) = HttpReplay::new().again(spare.unwrap(), true).unwrap();
    assert!(again.body().is_end_stream() && spare.is_some());
    assert_eq!(again.body().size_hint().exact(), Some(0));
}

#[test]
fn the_head_is_the_same_on_every_attempt() {
    let mut request = Request::put("/cart?id=7").header("a", "b").body(Script::of(&["x"])).unwrap();
    request.extensions_mut().insert(7_u32);
    let (_, spare) = HttpReplay::new().first(request, true);
    let (again, _) = HttpReplay::new().again(spare.unwrap(), false).unwrap();
    assert_eq!((again.method().as_str(), again.uri().to_string()), ("PUT", "/cart?id=7".into()));
    assert_eq!(again.headers()["a"], "b");
    assert_eq!(again.extensions().get::<u32>(), Some(&7));
}

#[test]
fn an_attempt_goes_on_where_the_one_before_stopped() {
    let script = Script::of(&["one ", "two ", "three"]).trailer("sum", "3");
    let read = script.counter();
    let (mut first, spare) = HttpReplay::new().first(Request::new(script), true);
    assert_eq!(data(next(&mut first)), "one ");
    drop(first);

    let (mut again, spare) = HttpReplay::new().again(spare.unwrap(), true).unwrap();
    assert_eq!(data(next(&mut again)), "one ");
    assert_eq!(read.load(Ordering::Relaxed), 1, "what was recorded is not read again");
    assert_eq!(data(next(&mut again)), "two ");
    drop(again);

    let (mut last, none) = HttpReplay::new().again(spare.unwrap(), false).unwrap();
    assert!(none.is_none());
    let (bytes, trailers) = rest(&mut last);
    assert_eq!(bytes, "one two three");
    assert_eq!(trailers.unwrap()["sum"], "3");
}

#[test]
fn trailers_already_given_are_given_again() {
    let script = Script::of(&["x"]).trailer("sum", "1");
    let (mut first, spare) = HttpReplay::new().first(Request::new(script), true);
    assert!(rest(&mut first).1.is_some());
    let (mut again, _) = HttpReplay::new().again(spare.unwrap(), true).unwrap();
    assert!(!again.body().is_end_stream());
    assert_eq!(rest(&mut again).1.unwrap()["sum"], "1");
    assert!(again.body().is_end_stream());
}

#[test]
fn a_body_over_the_cap_is_streamed_through_once() {
    let replay = HttpReplay::new().cap(4);
    let (mut first, spare) = replay.first(Request::new(Script::of(&["abc", "def", "g"])), true);
    assert_eq!(rest(&mut first).0, "abcdefg");
    assert!(replay.again(spare.unwrap(), true).is_none());
}

#[test]
fn a_body_that_just_fits_is_kept() {
    let replay = HttpReplay::new().cap(6);
    let (mut first, spare) = replay.first(Request::new(Script::of(&["abc", "def"])), true);
    assert_eq!(rest(&mut first).0, "abcdef");
    assert!(replay.again(spare.unwrap(), true).is_some());
}

#[test]
fn a_body_announced_larger_than_the_cap_is_never_recorded() {
    let replay = HttpReplay::new().cap(4);
    let (_, spare) = replay.first(Request::new(Full::new(Bytes::from("12345"))), true);
    assert!(spare.is_none());

    let mut announced = Request::new(Script::of(&["x"]));
    announced.headers_mut().insert("content-length", HeaderValue::from_static("5"));
    assert!(replay.first(announced, true).1.is_none());
}

#[test]
fn large_trailers_count_towards_the_cap() {
    let replay = HttpReplay::new().cap(8);
    let script = Script::of(&["x"]).trailer("sum", "123456");
    let (mut first, spare) = replay.first(Request::new(script), true);
    assert_eq!(rest(&mut first).1.unwrap()["sum"], "123456");
    assert!(replay.again(spare.unwrap(), true).is_none());
}

#[test]
fn a_body_that_fails_is_not_sent_again() {
    let (mut first, spare) = HttpReplay::new().first(Request::new(Script::of(&["x"]).fail()), true);
    assert_eq!(data(next(&mut first)), "x");
    let error = next(&mut first).unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the disk is gone");
    assert!(HttpReplay::new().again(spare.unwrap(), true).is_none());
}

#[test]
fn a_body_that_panics_is_not_sent_again() {
    let (mut first, spare) = HttpReplay::new().first(Request::new(Script::of(&[]).panic()), true);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = next(&mut first);
    }));
    assert!(panicked.is_err());
    drop(first);
    assert!(HttpReplay::new().again(spare.unwrap(), true).is_none());
}

#[test]
fn recording_ends_when_nobody_can_ask_again() {
    let script = Script::of(&["abc", "def"]);
    let (mut first, spare) = HttpReplay::new().first(Request::new(script), true);
    assert_eq!(data(next(&mut first)), "abc");
    assert!(format!("{:?}", first.body()).contains("taped"));
    drop(spare);
    assert_eq!(rest(&mut first).0, "def");
    assert!(format!("{:?}", first.body()).contains("taken"));
}

#[test]
fn small_pieces_do_not_keep_large_buffers_alive() {
    let large = Bytes::from(vec![b'x'; 1 << 20]);
    let script = Script::pieces([large.slice(..1), large.slice(1..2)]);
    let (mut first, spare) = HttpReplay::new().first(Request::new(script), true);
    assert_eq!(rest(&mut first).0, "xx");
    drop(first);
    assert!(large.is_unique());
    drop(spare);
}

#[test]
fn a_body_of_one_piece_is_shared_and_not_copied() {
    let whole = Bytes::from(vec![b'x'; 1 << 10]);
    let replay = HttpReplay::new();
    let (sent, spare) = replay.first(Request::new(Full::new(whole.clone())), true);
    drop(poll(sent.into_body(), Waker::noop()));
    let (again, _) = replay.again(spare.unwrap(), true).unwrap();
    let Poll::Ready(Some(Ok(frame))) = poll(again.into_body(), Waker::noop()) else {
        panic!("a piece that was recorded is there at once");
    };
    assert_eq!(frame.into_data().unwrap().as_ptr(), whole.as_ptr());
}

#[test]
fn two_attempts_alive_at_once_both_read_all() {
    let script = Script::of(&["a", "", "bc"]).pending_between();
    let hand = script.hand();
    let (mut one, spare) = HttpReplay::new().first(Request::new(script), true);
    let (woken_one, woken_other) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    assert!(poll_with(&mut one, &woken_one).is_pending());

    let (mut other, _spare) = HttpReplay::new().again(spare.unwrap(), true).unwrap();
    assert!(poll_with(&mut other, &woken_other).is_pending());
    hand.let_one_go();
    assert!(woken_one.take() && woken_other.take(), "both are told");

    assert!(poll_with(&mut one, &woken_one).is_ready());
    assert!(poll_with(&mut one, &woken_one).is_pending());
    assert!(poll_with(&mut other, &woken_other).is_ready());
    assert!(poll_with(&mut other, &woken_other).is_pending());

    // The one who asked last goes away; the other still hears of the next piece.
    drop(other);
    woken_one.take();
    assert!(poll_with(&mut one, &woken_one).is_pending());
    hand.let_one_go();
    assert!(woken_one.take());
    hand.let_one_go();
    hand.let_one_go();
    assert_eq!(rest(&mut one).0, "bc");
}

#[test]
fn who_waits_hears_of_a_piece_that_another_attempt_came_upon() {
    let script = Script::of(&["a"]).pending_between();
    let hand = script.hand();
    let (mut one, spare) = HttpReplay::new().first(Request::new(script), true);
    let (mut other, _spare) = HttpReplay::new().again(spare.unwrap(), true).unwrap();
    let (woken_one, woken_other) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    assert!(poll_with(&mut one, &woken_one).is_pending());
    hand.0.lock().unwrap().0 += 1;
    assert!(poll_with(&mut other, &woken_other).is_ready());
    assert!(woken_one.take());
    assert!(!woken_other.take(), "it knows");
}

#[test]
fn who_waits_hears_of_a_panic_in_another_attempt() {
    let script = Script::of(&[]).panic().pending_between();
    let hand = script.hand();
    let (mut one, spare) = HttpReplay::new().first(Request::new(script), true);
    let (mut other, _spare) = HttpReplay::new().again(spare.unwrap(), true).unwrap();
    let woken = Arc::new(Woken::default());
    assert!(poll_with(&mut one, &woken).is_pending());
    hand.0.lock().unwrap().0 += 1;
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _ = next(&mut other);
    }));
    assert!(panicked.is_err() && woken.take());
    assert!(next(&mut one).unwrap().is_err());
}

#[test]
fn who_lags_behind_a_body_over_the_cap_gets_an_error_and_no_gap() {
    let replay = HttpReplay::new().cap(3);
    let (mut one, spare) = replay.first(Request::new(Script::of(&["ab", "cd"])), true);
    assert_eq!(data(next(&mut one)), "ab");
    let (mut other, _) = replay.again(spare.unwrap(), true).unwrap();
    assert_eq!(data(next(&mut one)), "cd");
    assert!(next(&mut other).unwrap().is_err());
}

#[derive(Debug, Clone)]
enum Step {
    Read(usize),
    Again,
    DropSpare,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Each attempt reads a prefix of the whole; none reads beyond the cap twice; hints hold.
    #[test]
    fn every_attempt_reads_the_same_body(
        pieces in proptest::collection::vec("[a-z]{0,5}", 0..8),
        trailers: bool,
        exact: bool,
        cap in 0_usize..30,
        steps in proptest::collection::vec(step(), 1..8),
    ) {
        let whole = pieces.concat();
        let mut script = Script::pieces(pieces.iter().cloned().map(Bytes::from));
        if trailers {
            script = script.trailer("t", "1");
        }
        if exact {
            script = script.exact();
        }
        let size = whole.len() + if trailers { 2 } else { 0 };
        let replay = HttpReplay::new().cap(cap);
        let (mut sent, mut spare) = replay.first(Request::new(script), true);
        let (mut at, mut most, mut ended) = (0, 0, false);
        for step in steps {
            match step {
                Step::Read(frames) => for _ in 0..frames {
                    check_hints(&sent, &whole[at..], trailers && !ended)?;
                    match next(&mut sent) {
                        None => {
                            prop_assert_eq!(at, whole.len());
                            prop_assert_eq!(ended, trailers);
                        }
                        Some(frame) => match frame.unwrap().into_data() {
                            Ok(data) => {
                                prop_assert_eq!(&data[..], &whole.as_bytes()[at..at + data.len()]);
                                at += data.len();
                            }
                            Err(frame) => {
                                prop_assert!(trailers && frame.is_trailers() && at == whole.len());
                                ended = true;
                            }
                        },
                    }
                    most = most.max(at + if ended { 2 } else { 0 });
                },
                Step::Again => {
                    let Some(kept) = spare.take() else { continue };
                    match replay.again(kept, true) {
                        Some((again, kept)) => {
                            prop_assert!(most <= cap, "kept {most} under a cap of {cap}");
                            (sent, spare, at, ended) = (again, kept, 0, false);
                        }
                        None => prop_assert!(most > cap, "gave up {most} of {cap}"),
                    }
                }
                Step::DropSpare => spare = None,
            }
        }
        prop_assert!(most <= size);
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_usize..12).prop_map(Step::Read),
        3 => Just(Step::Again),
        1 => Just(Step::DropSpare),
    ]
}

fn check_hints(sent: &Sent, left: &str, trailers: bool) -> Result<(), TestCaseError> {
    let hint = sent.body().size_hint();
    prop_assert!(hint.lower() <= left.len() as u64);
    prop_assert!(hint.upper().is_none_or(|upper| upper >= left.len() as u64));
    prop_assert!(!sent.body().is_end_stream() || (left.is_empty() && !trailers));
    Ok(())
}

/// A body that does as it is told.
#[derive(Default)]
struct Script {
    frames: VecDeque<Play>,
    exact: bool,
    read: Arc<AtomicUsize>,
    hand: Option<Hand>,
}

enum Play {
    Data(Bytes),
    Trailers(HeaderMap),
    Fail,
    Panic,
}

/// Lets the pieces of a body go one by one.
#[derive(Clone, Default)]
struct Hand(Arc<Mutex<(usize, Option<Waker>)>>);

impl Hand {
    fn let_one_go(&self) {
        let waker = {
            let mut state = self.0.lock().unwrap();
            state.0 += 1;
            state.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Script {
    fn of(pieces: &[&'static str]) -> Self {
        Self::pieces(pieces.iter().map(|piece| Bytes::from_static(piece.as_bytes())))
    }

    fn pieces(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        Self { frames: pieces.into_iter().map(Play::Data).collect(), ..Self::default() }
    }

    fn trailer(mut self, name: &'static str, value: &'static str) -> Self {
        let mut trailers = HeaderMap::new();
        trailers.insert(name, HeaderValue::from_static(value));
        self.frames.push_back(Play::Trailers(trailers));
        self
    }

    fn fail(mut self) -> Self {
        self.frames.push_back(Play::Fail);
        self
    }

    fn panic(mut self) -> Self {
        self.frames.push_back(Play::Panic);
        self
    }

    fn exact(mut self) -> Self {
        self.exact = true;
        self
    }

    fn pending_between(mut self) -> Self {
        self.hand = Some(Hand::default());
        self
    }

    fn counter(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.read)
    }

    fn hand(&self) -> Hand {
        self.hand.clone().unwrap()
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(hand) = &self.hand {
            let mut state = hand.0.lock().unwrap();
            if state.0 == 0 {
                state.1 = Some(cx.waker().clone());
                return Poll::Pending;
            }
            state.0 -= 1;
        }
        self.read.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(match self.frames.pop_front() {
            None => None,
            Some(Play::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Play::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Some(Play::Fail) => Some(Err("the disk is gone".into())),
            Some(Play::Panic) => panic!("told to"),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.exact && self.frames.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if !self.exact {
            return SizeHint::default();
        }
        SizeHint::with_exact(
            self.frames
                .iter()
                .map(|play| if let Play::Data(data) = play { data.len() as u64 } else { 0 })
                .sum(),
        )
    }
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Woken {
    fn take(&self) -> bool {
        self.0.swap(0, Ordering::Relaxed) > 0
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

type Polled = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

fn poll<B>(body: B, waker: &Waker) -> Polled
where
    B: Body<Data = Bytes, Error = BoxError> + Unpin,
{
    let mut body = body;
    Pin::new(&mut body).poll_frame(&mut Context::from_waker(waker))
}

fn poll_with(sent: &mut Sent, woken: &Arc<Woken>) -> Polled {
    poll(sent.body_mut(), &Waker::from(Arc::clone(woken)))
}

fn next(sent: &mut Sent) -> Option<Result<Frame<Bytes>, BoxError>> {
    match poll(sent.body_mut(), Waker::noop()) {
        Poll::Ready(next) => next,
        Poll::Pending => panic!("the script does not wait"),
    }
}

fn data(frame: Option<Result<Frame<Bytes>, BoxError>>) -> Bytes {
    frame.unwrap().unwrap().into_data().unwrap()
}

fn rest(sent: &mut Sent) -> (Bytes, Option<HeaderMap>) {
    let (mut all, mut trailers) = (Vec::new(), None);
    while let Some(frame) = next(sent) {
        match frame.unwrap().into_data() {
            Ok(data) => all.extend_from_slice(&data),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    (all.into(), trailers)
}

#[tokio::test]
async fn data_of_another_kind_becomes_bytes() {
    let body = Full::new(VecDeque::from([1_u8, 2, 3]));
    let (sent, _) = HttpReplay::new().first(Request::new(body), true);
    let whole = sent.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(&whole[..], [1, 2, 3]);
}

#[test]
fn a_body_that_is_not_repeatable_any_more_passes_untouched() {
    let (sent, spare) = HttpReplay::new().first(Request::new(Script::of(&["x"])), false);
    assert!(spare.is_none() && format!("{:?}", sent.body()).contains("plain"));
}
