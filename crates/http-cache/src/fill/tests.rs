use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

use allocation_counter::measure;
use bytes::Bytes;
use futures_util::StreamExt;
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::StreamBody;
use proptest::prelude::*;
use tower_ballast_core::BoxError;

use super::{Allowance, End, Ended, Fill, Read, Reader, Reserved, source};

/// What a body does when it is asked.
#[derive(Debug, Clone)]
enum Step {
    Data(Vec<u8>),
    Wait,
    Trailers,
    Fail,
    Panic,
}

/// A body that waits where it says so, until it is told to go on.
#[derive(Clone)]
struct Script(Arc<Mutex<Stage>>);

struct Stage {
    steps: VecDeque<Step>,
    waker: Option<Waker>,
    asked: u32,
}

impl Script {
    fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let steps = steps.into_iter().collect();
        Self(Arc::new(Mutex::new(Stage { steps, waker: None, asked: 0 })))
    }

    /// Ends the wait that comes next, if it waits.
    fn go_on(&self) {
        let waker = {
            let mut stage = self.0.lock().unwrap();
            let Some(waker) = stage.waker.take() else { return };
            stage.steps.pop_front();
            waker
        };
        waker.wake();
    }

    fn asked(&self) -> u32 {
        self.0.lock().unwrap().asked
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let step = {
            let mut stage = self.0.lock().unwrap();
            stage.asked += 1;
            if matches!(stage.steps.front(), Some(Step::Wait)) {
                stage.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            stage.steps.pop_front()
        };
        Poll::Ready(match step {
            Some(Step::Data(data)) => Some(Ok(Frame::data(data.into()))),
            Some(Step::Trailers) => {
                let mut trailers = HeaderMap::new();
                trailers.insert("sum", "1".parse().unwrap());
                Some(Ok(Frame::trailers(trailers)))
            }
            Some(Step::Fail) => Some(Err("failed".into())),
            Some(Step::Panic) => panic!("the body panics"),
            Some(Step::Wait) | None => None,
        })
    }
}

#[derive(Default)]
struct Bell(AtomicU64);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

impl Bell {
    fn rung(&self) -> u64 {
        self.0.load(SeqCst)
    }
}

type Kept = Arc<Mutex<Vec<End>>>;

fn begin(script: &Script, length: Option<u64>, limit: u64) -> (Reader, Kept, Allowance) {
    begin_within(script, length, limit, 1000)
}

fn begin_within(
    script: &Script,
    length: Option<u64>,
    limit: u64,
    room: u64,
) -> (Reader, Kept, Allowance) {
    let (kept, allowance) = (Kept::default(), Allowance::new(room));
    let reserved = allowance.reserve(length.unwrap_or(0)).unwrap();
    let keep = {
        let kept = Arc::clone(&kept);
        Box::new(move |end| kept.lock().unwrap().push(end))
    };
    let reader = Fill::begin(source(script.clone()), length, limit, reserved, keep);
    (reader, kept, allowance)
}

fn read(reader: &mut Reader, waker: &Waker) -> Poll<Read> {
    reader.poll(&mut Context::from_waker(waker))
}

/// What a reader gets until it has to wait, with how it ended if it did.
fn text(reader: &mut Reader) -> (String, &'static str) {
    let mut text = String::new();
    let how = loop {
        match read(reader, Waker::noop()) {
            Poll::Pending => break "waits",
            Poll::Ready(Read::Rest(_)) => break "rest",
            Poll::Ready(Read::Next(None)) => break "end",
            Poll::Ready(Read::Next(Some(Err(_)))) => break "error",
            Poll::Ready(Read::Next(Some(Ok(frame)))) => match frame.into_data() {
                Ok(data) => text.push_str(std::str::from_utf8(&data).unwrap()),
                Err(_) => text.push(';'),
            },
        }
    };
    (text, how)
}

fn data(text: &str) -> Step {
    Step::Data(text.as_bytes().to_vec())
}

#[test]
fn all_readers_have_all_of_it_whoever_reads_first() {
    let script = Script::new([data("one "), Step::Wait, data("two"), Step::Trailers]);
    let (mut first, kept, allowance) = begin(&script, None, 100);
    assert_eq!(text(&mut first), ("one ".into(), "waits"));
    let mut second = first.fill().join().unwrap();
    assert_eq!(text(&mut second), ("one ".into(), "waits"));
    assert_eq!((script.asked(), allowance.taken()), (2, 4), "asked once by all");

    script.go_on();
    assert_eq!(text(&mut second), ("two;".into(), "end"));
    assert_eq!(text(&mut first), ("two;".into(), "end"));
    assert_eq!(*kept.lock().unwrap(), [End::Whole("one two".into())]);
    assert_eq!(allowance.taken(), 0);
}

#[test]
fn it_is_kept_as_soon_as_it_is_as_long_as_it_said() {
    let script = Script::new([data("one "), data("two"), Step::Wait]);
    let (mut first, kept, _) = begin(&script, Some(7), 100);
    assert_eq!(text(&mut first), ("one two".into(), "waits"));
    drop(first);
    assert_eq!(*kept.lock().unwrap(), [End::Whole("one two".into())]);
}

#[test]
fn it_is_kept_when_its_trailers_have_come_though_nobody_asks_for_more() {
    let script = Script::new([data("one"), Step::Trailers, Step::Wait]);
    let (mut first, kept, _) = begin(&script, None, 100);
    assert_eq!(text(&mut first), ("one;".into(), "end"));
    drop(first);
    assert_eq!(*kept.lock().unwrap(), [End::Whole("one".into())]);
}

#[test]
fn what_ends_too_early_or_fails_is_not_kept() {
    for (last, how) in [(None, "end"), (Some(Step::Fail), "error")] {
        let script = Script::new([data("one"), Step::Wait].into_iter().chain(last));
        let (mut first, kept, _) = begin(&script, Some(7), 100);
        assert_eq!(text(&mut first).1, "waits");
        let mut other = first.fill().join().unwrap();
        script.go_on();
        assert_eq!(text(&mut first), (String::new(), how));
        assert_eq!(text(&mut other), ("one".into(), "error"));
        assert_eq!(*kept.lock().unwrap(), [End::Cut]);
        assert!(other.fill().join().is_none());
    }
}

#[test]
fn what_is_too_large_is_for_the_first_one_alone() {
    for length in [None, Some(10)] {
        let script = Script::new([data("0123456"), Step::Wait, data("789abc"), data("def")]);
        let (mut first, kept, _) = begin(&script, length, 10);
        assert_eq!(text(&mut first).1, "waits");
        let mut waiting = first.fill().join().unwrap();
        script.go_on();
        let ended = waiting.poll_end(&mut Context::from_waker(Waker::noop()));
        assert_eq!(ended, Poll::Ready(Ended::Alone));
        assert_eq!(text(&mut first), ("789abc".into(), "rest"));
        assert_eq!(*kept.lock().unwrap(), [End::TooLarge]);
        assert!(first.fill().join().is_none());
    }
}

#[test]
fn memory_that_is_not_there_is_not_taken() {
    let (allowance, kept) = (Allowance::new(5), Kept::default());
    let _other = allowance.reserve(3).unwrap();
    let keep = {
        let kept = Arc::clone(&kept);
        Box::new(move |end| kept.lock().unwrap().push(end))
    };
    let script = Script::new([data("one"), data("two")]);
    let reserved = allowance.reserve(0).unwrap();
    let mut first = Fill::begin(source(script), None, 100, reserved, keep);
    assert_eq!(text(&mut first), ("one".into(), "rest"));
    assert_eq!(*kept.lock().unwrap(), [End::NoRoom]);
    drop(first);
    assert_eq!(allowance.taken(), 3);
}

#[test]
fn one_that_reads_no_further_holds_nobody_up() {
    let script = Script::new([Step::Wait, data("one"), Step::Wait, data("two")]);
    let (mut lazy, kept, _) = begin(&script, None, 100);
    let (sleepy, awake) = (Arc::<Bell>::default(), Arc::<Bell>::default());
    let mut other = lazy.fill().join().unwrap();
    // It waits, is woken, and does nothing.
    assert!(read(&mut lazy, &sleepy.clone().into()).is_pending());
    let waker = awake.clone().into();
    let mut cx = Context::from_waker(&waker);
    assert!(other.poll_end(&mut cx).is_pending());
    for rung in 1..=2 {
        script.go_on();
        assert_eq!(awake.rung(), rung);
        let ended = other.poll_end(&mut cx);
        assert_eq!(ended.is_ready(), rung == 2);
    }
    assert_eq!(*kept.lock().unwrap(), [End::Whole("onetwo".into())]);
    assert_eq!(text(&mut lazy), ("onetwo".into(), "end"));
}

#[test]
fn of_those_who_wait_for_the_end_one_is_woken_for_each_piece() {
    let script = Script::new([Step::Wait, data("one"), Step::Wait, data("two"), Step::Wait]);
    let (mut first, _, _) = begin(&script, None, 100);
    let bells: Vec<Arc<Bell>> = (0..100).map(|_| Arc::default()).collect();
    let mut waiting: Vec<_> = bells.iter().map(|_| first.fill().join().unwrap()).collect();
    let poll = |waiting: &mut Vec<Reader>, at: usize| {
        let waker = bells[at].clone().into();
        waiting[at].poll_end(&mut Context::from_waker(&waker)).is_ready()
    };
    assert!((0..100).all(|at| !poll(&mut waiting, at)));
    let rung = || bells.iter().map(|bell| bell.rung()).sum::<u64>();
    for pieces in 1..=2 {
        script.go_on();
        assert_eq!(text(&mut first).1, "waits");
        assert!(rung() <= 2 * pieces, "{}", rung());
    }
    script.go_on();
    assert_eq!(text(&mut first).1, "end");
    assert!(bells.iter().all(|bell| bell.rung() >= 1));
}

#[test]
fn who_goes_away_when_it_was_woken_hands_that_on() {
    let script = Script::new([Step::Wait, data("one")]);
    let (mut first, kept, _) = begin(&script, None, 100);
    let bell = Arc::<Bell>::default();
    let (mut one, mut other) = (first.fill().join().unwrap(), first.fill().join().unwrap());
    assert!(read(&mut first, Waker::noop()).is_pending());
    assert!(one.poll_end(&mut Context::from_waker(Waker::noop())).is_pending());
    let waker = bell.clone().into();
    let mut cx = Context::from_waker(&waker);
    assert!(other.poll_end(&mut cx).is_pending());
    script.go_on();
    assert_eq!(bell.rung(), 0);
    drop((first, one));
    assert!(bell.rung() > 0 && other.poll_end(&mut cx).is_ready());
    assert_eq!(*kept.lock().unwrap(), [End::Whole("one".into())]);
}

#[test]
fn the_last_one_takes_the_body_along() {
    let script = Script::new([data("one"), Step::Wait, data("two")]);
    let (mut first, kept, allowance) = begin(&script, None, 100);
    text(&mut first);
    let (other, fill) = (first.fill().join().unwrap(), Arc::clone(first.fill()));
    drop(first);
    assert!(kept.lock().unwrap().is_empty());
    drop(other);
    assert_eq!(*kept.lock().unwrap(), [End::Cut]);
    assert!(fill.join().is_none());
    assert_eq!(Arc::strong_count(&script.0), 1, "the source is gone");
    drop(fill);
    assert_eq!(allowance.taken(), 0);
}

#[test]
fn a_panic_goes_through_the_first_one_and_the_others_are_told() {
    for first_asks in [true, false] {
        let script = Script::new([data("one"), Step::Wait, Step::Panic]);
        let (mut first, kept, _) = begin(&script, None, 100);
        text(&mut first);
        let mut other = first.fill().join().unwrap();
        script.go_on();
        if first_asks {
            let mut asks = std::panic::AssertUnwindSafe(&mut first);
            std::panic::catch_unwind(move || text(&mut asks)).unwrap_err();
        }
        assert_eq!(text(&mut other), ("one".into(), "error"));
        assert_eq!(text(&mut first).1, "error");
        assert_eq!(*kept.lock().unwrap(), [End::Cut]);
    }
}

#[test]
fn a_body_that_gives_nothing_for_ever_is_not_read_for_ever() {
    let script = Script::new((0..1000).map(|_| Step::Data(Vec::new())));
    let (mut first, _, _) = begin(&script, None, 100);
    assert!(read(&mut first, Waker::noop()).is_pending());
    assert!(script.asked() < 100);
}

#[test]
fn what_is_kept_has_memory_of_its_own() {
    // A connection's buffer, of which only a part is the body.
    let buffer = Bytes::from(vec![7; 1_000_000]);
    for first in [500_000, 10] {
        let pieces = [buffer.slice(..first), buffer.slice(first..500_000)];
        let body = pieces.into_iter().map(|piece| Ok::<_, BoxError>(Frame::data(piece)));
        let kept = Kept::default();
        let keep = {
            let kept = Arc::clone(&kept);
            Box::new(move |end| kept.lock().unwrap().push(end))
        };
        let body = StreamBody::new(futures_util::stream::iter(body));
        let (reserved, limit) = (Reserved::none(), 1_000_000);
        let mut reader = Fill::begin(source(body), Some(500_000), limit, reserved, keep);
        assert_eq!(text(&mut reader).1, "end");
        drop(reader);
        let End::Whole(whole) = kept.lock().unwrap().remove(0) else { panic!("it is whole") };
        assert_eq!(whole.len(), 500_000);
        let whole = whole.try_into_mut().expect("nobody else has it");
        assert_eq!(whole.capacity(), 500_000);
    }
    assert!(buffer.is_unique());
}

#[test]
fn one_that_was_cut_is_never_taken_for_one_that_was_too_large() {
    for last in [Step::Fail, Step::Data(Vec::new())] {
        let script = Script::new([data("one"), Step::Wait, last]);
        let waiting = Arc::<Mutex<Option<Reader>>>::default();
        let told = Arc::<Mutex<Option<(Poll<Ended>, bool)>>>::default();
        let keep = {
            let (waiting, told) = (Arc::clone(&waiting), Arc::clone(&told));
            Box::new(move |_| {
                // As another thread may ask at this moment.
                let mut reader = waiting.lock().unwrap().take().unwrap();
                let ended = reader.poll_end(&mut Context::from_waker(Waker::noop()));
                *told.lock().unwrap() = Some((ended, reader.fill().join().is_some()));
            })
        };
        let body = source(script.clone());
        let mut first = Fill::begin(body, Some(7), 100, Reserved::none(), keep);
        assert_eq!(text(&mut first).1, "waits");
        *waiting.lock().unwrap() = first.fill().join();
        script.go_on();
        text(&mut first);
        assert_eq!(*told.lock().unwrap(), Some((Poll::Ready(Ended::Cut), false)));
    }
}

#[test]
fn a_body_takes_little_more_memory_than_it_has_bytes_however_it_comes() {
    for (frames, size) in [(200_000, 1), (20_000, 50), (300, 5000), (62, 16_000), (50, 20_000)] {
        let length = frames * size as u64;
        for reads in [false, true] {
            let (coming, whole) = heap(frames, size, reads);
            assert!(coming <= length / 100 * 115, "{coming} of {length}, by {size}");
            // It is copied to be one.
            assert!(whole <= length / 100 * 215, "{whole} of {length}, by {size}");
        }
    }
    let (few, _) = heap(10, 1, true);
    assert!(few <= 1024, "{few}");
}

/// How much of the heap a body takes at most, before its end and with it, beside what it is made of; it is read as it
/// comes, or when all has come.
fn heap(frames: u64, size: usize, reads: bool) -> (u64, u64) {
    let length = frames * size as u64;
    let frame = Bytes::from(vec![1; size]);
    let body = (0..frames).map(move |_| Ok::<_, BoxError>(Frame::data(frame.clone())));
    let (end, ends) = tokio::sync::oneshot::channel::<()>();
    let wait = futures_util::stream::once(ends).filter_map(|_| std::future::ready(None));
    let body = StreamBody::new(futures_util::stream::iter(body).chain(wait));
    let (mut coming, allowance) = (0, Allowance::new(length));
    let info = measure(|| {
        let reserved = allowance.reserve(0).unwrap();
        let keep = Box::new(|end| assert!(matches!(end, End::Whole(_))));
        let mut first = Fill::begin(source(body), None, length, reserved, keep);
        let other = first.fill().join().unwrap();
        coming = measure(|| {
            while allowance.taken() < length {
                if reads {
                    assert!(read(&mut first, Waker::noop()).is_ready());
                } else {
                    let _ = first.poll_end(&mut Context::from_waker(Waker::noop()));
                }
            }
        })
        .bytes_max;
        end.send(()).unwrap();
        let mut bytes = 0;
        for mut reader in [first, other] {
            while let Poll::Ready(Read::Next(Some(Ok(frame)))) = read(&mut reader, Waker::noop()) {
                bytes += frame.into_data().unwrap().len() as u64;
            }
        }
        assert!(bytes >= length);
    });
    (coming, info.bytes_max)
}

/// What happens to a body and its readers.
#[derive(Debug, Clone)]
enum Act {
    Join { for_end: bool },
    Poll(usize),
    Drop(usize),
    GoOn,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        1 => any::<bool>().prop_map(|for_end| Act::Join { for_end }),
        6 => (0_usize..8).prop_map(Act::Poll),
        1 => (0_usize..8).prop_map(Act::Drop),
        3 => Just(Act::GoOn),
    ];
    prop::collection::vec(act, 0..60)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop::collection::vec(b'a'..=b'z', 0..6).prop_map(Step::Data),
        3 => Just(Step::Wait),
    ];
    let last =
        prop_oneof![4 => Just(None), 1 => Just(Some(Step::Fail)), 1 => Just(Some(Step::Trailers))];
    (prop::collection::vec(step, 0..12), last)
        .prop_map(|(steps, last)| steps.into_iter().chain(last).collect())
}

/// A reader of the test, what it has read, and whether it is at the end.
struct One {
    reader: Option<Reader>,
    bell: Arc<Bell>,
    seen: u64,
    read: Vec<u8>,
    for_end: bool,
    over: Option<&'static str>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Against the body read by itself: nobody gets anything else, whoever waits is woken, and what is kept is whole.
    #[test]
    fn readers_get_what_the_body_gives(
        steps in steps(),
        acts in acts(),
        limit in 0_u64..40,
        room in 0_u64..40,
    ) {
        let all: Vec<u8> = steps
            .iter()
            .flat_map(|step| if let Step::Data(data) = step { data.clone() } else { Vec::new() })
            .collect();
        let fails = matches!(steps.last(), Some(Step::Fail));
        let script = Script::new(steps);
        let (reader, kept, allowance) = begin_within(&script, None, limit, room);
        let fill = Arc::clone(reader.fill());
        let one = |reader, for_end| One {
            reader: Some(reader),
            bell: Arc::default(),
            seen: 0,
            read: Vec::new(),
            for_end,
            over: None,
        };
        let mut readers = vec![one(reader, false)];
        // Whoever is woken is polled in the end, and the body goes on.
        let rest = (0..200).flat_map(|_| [Act::GoOn].into_iter().chain((0..8).map(Act::Poll)));
        for (at, act) in acts.into_iter().chain(rest).enumerate() {
            match act {
                Act::GoOn => script.go_on(),
                Act::Join { for_end } if readers.len() < 8 => {
                    readers.extend(fill.join().map(|reader| one(reader, for_end)));
                }
                Act::Join { .. } => {}
                Act::Drop(at) => if let Some(one) = readers.get_mut(at) { one.reader = None },
                Act::Poll(number) => {
                    let Some(one) = readers.get_mut(number) else { continue };
                    // Only those are polled that are woken, or have not waited yet.
                    if one.over.is_some() || one.seen > 0 && one.bell.rung() < one.seen { continue }
                    let Some(reader) = &mut one.reader else { continue };
                    let waker: Waker = Arc::clone(&one.bell).into();
                    let cx = &mut Context::from_waker(&waker);
                    one.seen = one.bell.rung() + 1;
                    if one.for_end {
                        if let Poll::Ready(ended) = reader.poll_end(cx) {
                            one.over = Some(match ended {
                                Ended::Whole(length) => {
                                    prop_assert_eq!(length, all.len() as u64);
                                    "whole"
                                }
                                Ended::Alone => "alone",
                                Ended::Cut => "cut",
                            });
                        }
                        continue;
                    }
                    match reader.poll(cx) {
                        Poll::Pending => {}
                        Poll::Ready(Read::Next(Some(Ok(frame)))) => {
                            one.read.extend(frame.into_data().unwrap_or_default());
                            one.seen = 0;
                        }
                        Poll::Ready(Read::Next(Some(Err(_)))) => one.over = Some("error"),
                        Poll::Ready(Read::Next(None)) => one.over = Some("end"),
                        Poll::Ready(Read::Rest(_)) => one.over = Some("rest"),
                    }
                }
            }
            prop_assert!(allowance.taken() <= limit.min(room), "after {} acts", at);
        }
        let whole = kept.lock().unwrap().clone();
        prop_assert!(whole.len() <= 1);
        let length = all.len() as u64;
        let fits = length <= limit.min(room);
        for (number, one) in readers.iter().enumerate() {
            prop_assert!(all.starts_with(&one.read));
            if one.reader.is_none() { continue }
            let over = one.over;
            let expected = match (one.for_end, fits, fails) {
                (false, false, _) if number == 0 => "rest",
                (false, true, false) => "end",
                (false, _, _) => "error",
                (true, true, false) => "whole",
                (true, true, true) => "cut",
                (true, false, _) => "alone",
            };
            prop_assert!(over == Some(expected), "{number}: {over:?}, {expected:?}");
            if over == Some("end") { prop_assert_eq!(&one.read, &all) }
        }
        match whole.first() {
            Some(End::Whole(bytes)) => {
                prop_assert!(fits && !fails);
                prop_assert_eq!(&bytes[..], &all[..]);
            }
            Some(End::TooLarge) => prop_assert!(length > limit),
            Some(End::NoRoom) => prop_assert!(length > room),
            Some(End::Cut) => prop_assert!(fails || readers.iter().any(|one| one.reader.is_none())),
            None => prop_assert!(readers.iter().any(|one| one.reader.is_none())),
        }
    }
}
