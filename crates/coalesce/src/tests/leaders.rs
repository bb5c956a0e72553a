//! The one who began a call goes away, or the call panics, at every moment there is.

use std::{
    panic::catch_unwind,
    pin::Pin,
    sync::{Mutex, atomic::AtomicBool},
    task::{Context, Poll, Waker},
};

use tokio::task::yield_now;

use super::*;

/// How often a service is asked before it is ready, and its call before it answers.
const READIES: u32 = 3;
const POLLS: u32 = 4;
/// All polls of a call that is polled to its end.
const ALL: u32 = READIES + 1 + POLLS;
const FOLLOWERS: usize = 3;

type Call = <Coalesce<Steps, Key, u32, String> as Service<u32>>::Future;
type Answers = Vec<Result<String, BoxError>>;

#[tokio::test(start_paused = true)]
async fn a_leader_that_goes_away_at_any_moment_costs_no_call_and_no_answer() {
    for moment in moments() {
        let steps = Steps::default();
        let answers = leave(&steps, moment).await;
        assert_eq!(steps.calls(), 1, "{moment:?}");
        assert!(answers.into_iter().all(|answer| answer.unwrap() == "call 1"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_is_made_once_more_whenever_its_leader_goes_away() {
    for moment in moments() {
        let steps = Steps { failing: 1, ..Steps::default() };
        let answers = leave(&steps, moment).await;
        assert_eq!(steps.calls(), 2, "{moment:?}");
        assert!(answers.into_iter().all(|answer| answer.unwrap() == "call 2"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_at_any_moment_costs_one_call_more_whenever_its_leader_goes_away() {
    for panic in 0..ALL {
        for moment in moments() {
            let steps = Steps { panic: Some(panic), ..Steps::default() };
            let answers = leave(&steps, moment).await;
            let expected = if panic < READIES { 1 } else { 2 };
            assert_eq!(steps.calls(), expected, "{moment:?}, panic at {panic}");
            assert!(answers.into_iter().all(|answer| answer.is_ok()));
        }
    }
}

/// Whether those who follow are polled while the leader is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watched {
    Never,
    /// And the call wants to be polled only when the test says so.
    Parked,
    Always,
}

/// After how many polls the leader goes away, how the others are polled before, and whether one more comes.
fn moments() -> impl Iterator<Item = (u32, Watched, bool)> {
    let all = [Watched::Never, Watched::Parked, Watched::Always];
    let polls = (0..=ALL).flat_map(move |polls| all.map(|watched| (polls, watched)));
    polls.flat_map(|(polls, watched)| [false, true].map(|comes| (polls, watched, comes)))
}

/// Polls the leader and drops it while all others wait. Gives what all were told that stayed.
async fn leave(steps: &Steps, (polls, watched, comes): (u32, Watched, bool)) -> Answers {
    let layer = CoalesceLayer::new((|key| Some(*key)) as Key);
    let (mut service, handle) = (layer.layer(steps.clone()), layer.handle());
    let mut leader = Box::pin(service.call(7));
    let mut followers: Vec<_> = (0..FOLLOWERS).map(|_| service.call(7)).collect();
    let mut others = Vec::new();
    if watched != Watched::Never {
        others.extend(followers.drain(..).map(tokio::spawn));
    }
    steps.by_hand.store(watched == Watched::Parked, SeqCst);
    for _ in 0..polls {
        steps.wake();
        match catch_unwind(AssertUnwindSafe(|| poll(&mut leader))) {
            Ok(Poll::Pending) if watched != Watched::Never => yield_now().await,
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready(_)) | Err(_) => break,
        }
    }
    steps.by_hand.store(false, SeqCst);
    steps.wake();
    drop(leader);
    if comes && handle.statistics().in_flight > 0 {
        followers.push(service.call(7));
    }
    // Each is polled when it is woken, and not otherwise.
    others.extend(followers.into_iter().map(tokio::spawn));
    let answers = join_all(others).await.into_iter().map(Result::unwrap).collect::<Answers>();
    assert!(answers.len() >= FOLLOWERS && handle.statistics().in_flight == 0);
    answers
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

    fn step(&self, cx: &mut Context<'_>) {
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
        std::future::poll_fn(move |cx| {
            steps.step(cx);
            if left > 0 {
                left -= 1;
                return Poll::Pending;
            }
            let failed = || Err(format!("call {number} failed").into());
            Poll::Ready(if number <= steps.failing {
                failed()
            } else {
                Ok(format!("call {number}"))
            })
        })
        .boxed()
    }
}
