//! The one who began a call goes away, or the call panics, at every moment there is.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::atomic::AtomicBool,
    task::Waker,
};

use futures_util::future::poll_fn;
use tokio::task::yield_now;

use super::*;

/// How often a service is asked before it is ready, and its call before it answers; the second tier before either.
const READIES: u32 = 2;
const POLLS: u32 = 3;
const ASKS: u32 = 2;
/// All polls of a call that is polled to its end.
const ALL: u32 = ASKS + READIES + 1 + POLLS;
const FOLLOWERS: usize = 3;

type Call = <Cache<Steps, KeyOf, u32, String> as Service<u32>>::Future;
type Answers = Vec<Result<String, BoxError>>;

#[tokio::test(start_paused = true)]
async fn a_leader_that_goes_away_at_any_moment_costs_no_call_and_no_answer() {
    for moment in Moment::all() {
        let (steps, layer) = (Steps::default(), layer());
        let answers = moment.leave(&layer, &steps).await;
        assert_eq!(steps.calls(), 1, "{moment:?}");
        assert!(answers.into_iter().all(|answer| answer.unwrap() == "call 1"));
        assert_eq!(layer.handle().get(&7).unwrap(), "call 1", "and it is kept");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_is_made_once_more_whenever_its_leader_goes_away() {
    for moment in Moment::all() {
        let steps = Steps { failing: 1, ..Steps::default() };
        let answers = moment.leave(&layer(), &steps).await;
        assert_eq!(steps.calls(), 2, "{moment:?}");
        assert!(answers.into_iter().all(|answer| answer.unwrap() == "call 2"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_at_any_moment_costs_one_call_more_whenever_its_leader_goes_away() {
    for panic in 0..READIES + 1 + POLLS {
        for moment in Moment::all() {
            let steps = Steps { panic: Some(panic), ..Steps::default() };
            let answers = moment.leave(&layer(), &steps).await;
            let expected = if panic < READIES { 1 } else { 2 };
            assert_eq!(steps.calls(), expected, "{moment:?}, panic at {panic}");
            assert!(answers.into_iter().all(|answer| answer.is_ok()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_one_alone_makes_nobody_wait_again_whenever_its_leader_goes_away() {
    for moment in Moment::all() {
        let (steps, layer) = (Steps::default(), layer().lifetime_of(|_, _| None));
        let handle = layer.handle();
        let answers = moment.leave(&layer, &steps).await;
        let counted = handle.statistics();
        assert_eq!(u64::from(steps.calls()), 1 + counted.passed, "{moment:?}");
        assert_eq!((counted.misses, counted.passed), (1, answers.len() as u64), "{moment:?}");
        assert!(answers.into_iter().all(|answer| answer.is_ok()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_purge_at_any_moment_keeps_the_old_answer_away() {
    for moment in Moment::all().filter(|moment| !moment.is_last) {
        let (steps, layer) = (Steps { purges: true, ..Steps::default() }, layer());
        let answers = moment.leave(&layer, &steps).await;
        let answers = answers.into_iter().map(Result::unwrap).collect::<Vec<_>>();
        let (new, old) = answers.split_last().unwrap();
        assert_eq!((new.as_str(), steps.calls()), ("call 2", 2), "{moment:?}");
        assert!(old.iter().all(|answer| answer == "call 1"), "{moment:?}: {old:?}");
        assert_eq!(layer.handle().get(&7).unwrap(), "call 2");
    }
}

/// After how many of its polls a leader goes away, and whether those who follow are polled before.
#[derive(Debug, Clone, Copy)]
struct Moment {
    polls: u32,
    watched: Watched,
    /// Or else one more comes after it.
    is_last: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watched {
    Never,
    /// And the call wants to be polled only when the test says so.
    Parked,
    Always,
}

impl Moment {
    fn all() -> impl Iterator<Item = Self> {
        let all = [Watched::Never, Watched::Parked, Watched::Always];
        let watched = (0..=ALL).flat_map(move |polls| all.map(|watched| (polls, watched)));
        watched.flat_map(|(polls, watched)| {
            [false, true].map(|is_last| Self { polls, watched, is_last })
        })
    }

    /// Lets a leader go away while all others wait. Gives what all were told that stayed, the last comer last.
    async fn leave(self, layer: &CacheOf, steps: &Steps) -> Answers {
        let layer = layer.clone().tier(Slowly);
        let (mut service, handle) = (layer.layer(steps.clone()), layer.handle());
        let mut leader = Box::pin(service.call(7));
        let mut followers: Vec<_> = (0..FOLLOWERS).map(|_| service.call(7)).collect();
        let mut others = Vec::new();
        if self.watched != Watched::Never {
            others.extend(followers.drain(..).map(tokio::spawn));
        }
        steps.by_hand.store(self.watched == Watched::Parked, SeqCst);
        for _ in 0..self.polls {
            steps.wake();
            match catch_unwind(AssertUnwindSafe(|| poll(&mut leader))) {
                Ok(Poll::Pending) if self.watched != Watched::Never => yield_now().await,
                Ok(Poll::Pending) => {}
                Ok(Poll::Ready(_)) | Err(_) => break,
            }
        }
        if steps.purges {
            handle.invalidate(&7);
        }
        steps.by_hand.store(false, SeqCst);
        steps.wake();
        drop(leader);
        if !self.is_last {
            followers.push(service.call(7));
        }
        // Each is polled when it is woken, and not otherwise.
        others.extend(followers.into_iter().map(tokio::spawn));
        let answers = join_all(others).await.into_iter().map(Result::unwrap).collect::<Answers>();
        assert_eq!(handle.statistics().in_flight, 0);
        answers
    }
}

fn poll(call: &mut Pin<Box<Call>>) -> Poll<Result<String, BoxError>> {
    call.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Is ready and answers after some polls, each of which it asks for. Its first calls fail, or one poll of
/// all panics.
#[derive(Clone, Default)]
struct Steps {
    failing: u32,
    panic: Option<u32>,
    /// Whether there is a purge when the leader goes.
    purges: bool,
    called: Arc<AtomicU32>,
    polled: Arc<AtomicU32>,
    by_hand: Arc<AtomicBool>,
    parked: Arc<Mutex<Option<Waker>>>,
    /// Of this instance alone.
    asked: u32,
}

impl Steps {
    fn calls(&self) -> u32 {
        self.called.load(SeqCst)
    }

    fn step(&self, cx: &Context<'_>) {
        let number = self.polled.fetch_add(1, SeqCst);
        assert_ne!(Some(number), self.panic, "as the test wants it");
        if self.by_hand.load(SeqCst) {
            *self.parked.lock().unwrap() = Some(cx.waker().clone());
        } else {
            cx.waker().wake_by_ref();
        }
    }

    fn wake(&self) {
        let parked = self.parked.lock().unwrap().take();
        parked.into_iter().for_each(Waker::wake);
    }
}

impl Service<u32> for Steps {
    type Response = String;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<String, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if self.asked == READIES {
            return Poll::Ready(Ok(()));
        }
        self.asked += 1;
        self.step(cx);
        Poll::Pending
    }

    fn call(&mut self, _: u32) -> Self::Future {
        let (number, steps) = (self.called.fetch_add(1, SeqCst) + 1, self.clone());
        let mut left = POLLS;
        poll_fn(move |cx| {
            steps.step(cx);
            if left > 0 {
                left -= 1;
                return Poll::Pending;
            }
            if number <= steps.failing {
                return Poll::Ready(Err(format!("call {number} failed").into()));
            }
            Poll::Ready(Ok(format!("call {number}")))
        })
        .boxed()
    }
}

/// A tier that has nothing, and takes some polls to say so.
struct Slowly;

impl Tier<u32, String> for Slowly {
    fn get(&self, _: &u32) -> TierFuture<Option<Tiered<String>>> {
        let mut left = ASKS;
        Box::pin(poll_fn(move |cx| {
            if left == 0 {
                return Poll::Ready(None);
            }
            left -= 1;
            cx.waker().wake_by_ref();
            Poll::Pending
        }))
    }

    fn put(&self, _: &u32, _: Tiered<String>) -> TierFuture<()> {
        ready(()).boxed()
    }

    fn remove(&self, _: &u32) -> TierFuture<()> {
        ready(()).boxed()
    }
}
