//! The one whose request was sent goes away, or its service panics, at each moment there is.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tower::{Layer, Service};
use tower_ballast_core::BoxError;

use super::origin::{Nothing, fresh, get};
use crate::{HttpCache, HttpCacheLayer, engine::Rules};

const URI: &str = "http://example.com/page";
const FRAMES: [&str; 3] = ["one ", "two ", "three"];
const WHOLE: &str = "one two three";
const FOLLOWERS: usize = 3;

/// Where everything of the service waits until it is let go on, and where it panics if it is to.
#[derive(Default)]
struct Stage {
    waiting: Mutex<Vec<Waker>>,
    calls: AtomicUsize,
    polls: AtomicUsize,
    panics_at: Option<usize>,
}

impl Stage {
    /// A moment at which the first call may panic.
    fn pass(&self, call: usize) {
        if call == 0 {
            let poll = self.polls.fetch_add(1, SeqCst);
            if self.panics_at == Some(poll) {
                // Without a word on standard error.
                resume_unwind(Box::new("the service panics"));
            }
        }
    }

    fn go_on(&self) -> bool {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap());
        let is_any = !waiting.is_empty();
        waiting.into_iter().for_each(Waker::wake);
        is_any
    }

    /// Waits once.
    fn wait(&self, has_waited: &mut bool, cx: &Context<'_>) -> Poll<()> {
        if std::mem::replace(has_waited, true) {
            *has_waited = false;
            return Poll::Ready(());
        }
        self.waiting.lock().unwrap().push(cx.waker().clone());
        Poll::Pending
    }
}

/// Answers in steps, and its body comes so as well.
#[derive(Clone)]
struct Slow {
    stage: Arc<Stage>,
    length: Option<u64>,
}

struct Answering {
    slow: Slow,
    call: usize,
    steps: usize,
    has_waited: bool,
}

struct Coming {
    slow: Slow,
    call: usize,
    frames: std::slice::Iter<'static, &'static str>,
    has_waited: bool,
}

impl Service<Request<Nothing>> for Slow {
    type Response = Response<Coming>;
    type Error = BoxError;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Nothing>) -> Answering {
        let call = self.stage.calls.fetch_add(1, SeqCst);
        self.stage.pass(call);
        Answering { slow: self.clone(), call, steps: 2, has_waited: false }
    }
}

impl Future for Answering {
    type Output = Result<Response<Coming>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.slow.stage.pass(this.call);
        while this.steps > 0 {
            if this.slow.stage.wait(&mut this.has_waited, cx).is_pending() {
                return Poll::Pending;
            }
            this.steps -= 1;
        }
        let response = match this.slow.length {
            Some(length) => fresh().header("content-length", length),
            None => fresh(),
        };
        let (slow, call, frames) = (this.slow.clone(), this.call, FRAMES.iter());
        Poll::Ready(Ok(response.body(Coming { slow, call, frames, has_waited: false })?))
    }
}

impl Body for Coming {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        this.slow.stage.pass(this.call);
        if this.slow.stage.wait(&mut this.has_waited, cx).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(this.frames.next().map(|frame| Ok(Frame::data(Bytes::from(*frame)))))
    }

    fn size_hint(&self) -> SizeHint {
        match self.slow.length {
            Some(_) => {
                SizeHint::with_exact(self.frames.clone().map(|frame| frame.len() as u64).sum())
            }
            None => SizeHint::default(),
        }
    }
}

/// Rings when it is to be polled.
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

/// How it ended for a client.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    Read(String),
    /// The body broke off.
    Broken(String),
    Failed,
    Panicked,
}

/// A client that reads frame by frame, and can go away after each.
struct Client {
    task: Pin<Box<dyn Future<Output = End>>>,
    bell: Arc<Bell>,
    end: Option<End>,
}

impl Client {
    fn new(service: &HttpCache<Slow>) -> Self {
        let answer = service.clone().call(get(URI));
        let task = Box::pin(async move {
            let Ok(response) = answer.await else { return End::Failed };
            let (mut body, mut text) = (response.into_body(), String::new());
            pause().await;
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { return End::Broken(text) };
                text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
                pause().await;
            }
            End::Read(text)
        });
        Self { task, bell: Arc::new(Bell(AtomicBool::new(true))), end: None }
    }

    /// Goes on if it was woken, and tells whether it was.
    fn go_on(&mut self) -> bool {
        if self.end.is_some() || !self.bell.0.swap(false, SeqCst) {
            return false;
        }
        let waker = Waker::from(Arc::clone(&self.bell));
        let mut task = AssertUnwindSafe(&mut self.task);
        let polled = catch_unwind(move || task.as_mut().poll(&mut Context::from_waker(&waker)));
        self.end = match polled {
            Ok(Poll::Pending) => None,
            Ok(Poll::Ready(end)) => Some(end),
            Err(_) => Some(End::Panicked),
        };
        true
    }
}

/// Ends this poll, and is to be polled again.
async fn pause() {
    let mut is_over = false;
    std::future::poll_fn(|cx| {
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut is_over, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// What became of them all.
struct Outcome {
    /// Of the one who went away, if it came to an end before that.
    leader: Option<End>,
    followers: Vec<End>,
    calls: usize,
    /// Whether the leader was still there at the moment at which it was to go.
    has_left: bool,
    layer: HttpCacheLayer,
}

/// The others come after so many steps, and the first one goes away after so many, if ever.
fn run(
    stage: Stage,
    length: Option<u64>,
    come: usize,
    leave: Option<usize>,
    is_last: bool,
) -> Outcome {
    let stage = Arc::new(stage);
    let layer = HttpCacheLayer::new(Rules::shared());
    let service = layer.layer(Slow { stage: Arc::clone(&stage), length });
    let (mut leader, mut followers) = (Some(Client::new(&service)), Vec::<Client>::new());
    let (mut step, mut left, mut has_left) = (0, None, false);
    loop {
        if step == come {
            followers.extend((0..FOLLOWERS).map(|_| Client::new(&service)));
            assert!(followers.iter_mut().all(Client::go_on));
        }
        if Some(step) == leave {
            let leader = leader.take().expect("it leaves once");
            has_left = leader.end.is_none();
            left = leader.end;
        }
        step += 1;
        let first = leader.as_mut();
        // One of all that were woken goes on, the first one before the others or after them.
        let (early, late) = if is_last { (None, first) } else { (first, None) };
        let mut all = early.into_iter().chain(&mut followers).chain(late);
        let is_on = all.any(Client::go_on);
        if is_on || stage.go_on() {
            continue;
        }
        let is_over = leader.as_ref().is_none_or(|leader| leader.end.is_some())
            && followers.iter().all(|follower| follower.end.is_some());
        if is_over && step > come && leave.is_none_or(|leave| step > leave) {
            break;
        }
        assert!(is_over, "someone waits who is never woken: {come}, {leave:?}");
    }
    let followers = followers.into_iter().map(|follower| follower.end.unwrap()).collect();
    let leader = left.or_else(|| leader.and_then(|leader| leader.end));
    Outcome { leader, followers, calls: stage.calls.load(SeqCst), has_left, layer }
}

fn whole() -> End {
    End::Read(WHOLE.to_owned())
}

#[tokio::test(start_paused = true)]
async fn whenever_the_first_one_goes_away_there_is_one_call_and_all_others_have_the_whole() {
    let mut moments = 0;
    for (length, is_last) in [(Some(13), false), (Some(13), true), (None, false), (None, true)] {
        // Not later than it takes the first one to have all.
        for leave in 0.. {
            let mut has_left = false;
            for come in 0..=leave {
                let outcome = run(Stage::default(), length, come, Some(leave), is_last);
                let at = (length, come, leave, is_last);
                assert_eq!(outcome.followers, vec![whole(); FOLLOWERS], "{at:?}");
                assert_eq!(outcome.calls, 1, "{at:?}");
                let statistics = outcome.layer.handle().statistics();
                assert_eq!((statistics.coming, statistics.in_flight), (0, 0), "{at:?}");
                assert_eq!((statistics.stored, statistics.failed), (1, 0), "{at:?}");
                assert!(outcome.has_left || outcome.leader == Some(whole()), "{at:?}");
                has_left |= outcome.has_left;
                moments += 1;
            }
            if !has_left {
                break;
            }
        }
    }
    println!("{moments} moments");
    assert!(moments > 500, "{moments}");
}

#[tokio::test(start_paused = true)]
async fn whenever_the_service_panics_one_client_knows_and_no_other_is_left_waiting() {
    let mut moments = 0;
    for (length, is_last) in [(Some(13), false), (Some(13), true), (None, false), (None, true)] {
        for moment in 0.. {
            let stage = || Stage { panics_at: Some(moment), ..Stage::default() };
            let all = run(stage(), length, 0, None, is_last);
            if all.calls == 1
                && all.leader == Some(whole())
                && all.followers == vec![whole(); FOLLOWERS]
            {
                // There are no more moments.
                assert!(moment > 8, "{moment}");
                break;
            }
            for come in (0..40).step_by(3) {
                for leave in [None].into_iter().chain((come..40).step_by(5).map(Some)) {
                    let outcome = run(stage(), length, come, leave, is_last);
                    let at = (length, moment, come, leave, is_last);
                    check_panic(
                        &outcome,
                        length,
                        &format!("{at:?}: {:?} {:?}", outcome.leader, outcome.followers),
                    );
                    moments += 1;
                }
            }
        }
    }
    println!("{moments} moments");
}

fn check_panic(outcome: &Outcome, length: Option<u64>, at: &str) {
    let ends = || outcome.leader.iter().chain(&outcome.followers);
    let count = |is: fn(&&End) -> bool| ends().filter(is).count();
    let (panicked, broken) = (
        count(|end| **end == End::Panicked),
        count(|end| matches!(end, End::Broken(text) if WHOLE.starts_with(text.as_str()))),
    );
    let whole = count(|end| **end == whole());
    assert_eq!(panicked + broken + whole, ends().count(), "{at}");
    // Of what has a length others have had the head as well, and cannot be answered anew.
    assert!(panicked <= 1 && (length.is_some() || panicked + broken <= 1), "{at}");
    // One who begins the second call and goes away before the others have come takes it along.
    assert!(outcome.calls <= if outcome.has_left { 3 } else { 2 }, "{at}");
    let statistics = outcome.layer.handle().statistics();
    assert_eq!((statistics.coming, statistics.in_flight), (0, 0), "{at}");
}
