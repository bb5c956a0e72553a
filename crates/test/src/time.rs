//! Time that stands still until the test moves it.
//!
//! All of it rests on tokio's paused clock, which every tower-ballast layer reads. Nothing here
//! waits for real time.

use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::{runtime::Builder, task::yield_now};
use tower_ballast_core::clock;

/// So many turns of the runtime count as "until idle": a chain of tasks that wake one another may
/// be this long.
const TURNS: usize = 128;

/// Runs a future to its end on a fresh runtime of one thread whose clock is paused.
///
/// This is `#[tokio::test(start_paused = true)]` as a function: for property tests, for loops, and
/// for tests that need several runtimes one after another.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_test::time;
///
/// let night = time::drive(async {
///     tokio::time::sleep(Duration::from_secs(8 * 3600)).await;
///     "over in a microsecond"
/// });
/// assert_eq!(night, "over in a microsecond");
/// ```
///
/// # Panics
///
/// When called inside another runtime, or when the future panics.
pub fn drive<F: Future>(future: F) -> F::Output {
    let mut output = None;
    run(pin!(async { output = Some(future.await) }));
    output.expect("it is set when the future has ended")
}

/// Of no type in particular, so that the runtime's loop is compiled here.
fn run(future: Pin<&mut dyn Future<Output = ()>>) {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O asks nothing of the system that could fail")
        .block_on(future);
}

/// Moves the paused clock from timer to timer, so that everything in between happens in its time.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_test::time;
///
/// time::drive(async {
///     let task = tokio::spawn(async {
///         for _ in 0..5 {
///             tokio::time::sleep(Duration::from_secs(1)).await;
///         }
///     });
///     time::advance(Duration::from_secs(4)).await;
///     assert!(!task.is_finished());
///     time::advance(Duration::from_secs(1)).await;
///     assert!(task.is_finished());
/// });
/// ```
///
/// # Panics
///
/// When the clock of the runtime is not paused.
pub async fn advance(by: Duration) {
    // tokio's timers are exact to a millisecond: the last bit is jumped, to be exact.
    const BIT: Duration = Duration::from_millis(2);
    let end = clock::now() + by;
    let slept = by.saturating_sub(BIT);
    if !slept.is_zero() {
        clock::sleep_until(clock::now() + slept).await;
    }
    jump(end.since(clock::now())).await;
}

/// Moves the paused clock at once, as if the machine had slept, and lets every task react to it.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_test::time;
///
/// time::drive(async {
///     let task = tokio::spawn(async {
///         for _ in 0..5 {
///             tokio::time::sleep(Duration::from_secs(1)).await;
///         }
///     });
///     time::jump(Duration::from_secs(3600)).await;
///     assert!(!task.is_finished(), "its second sleep has only begun");
/// #   task.abort();
/// });
/// ```
///
/// # Panics
///
/// When the clock of the runtime is not paused.
pub async fn jump(by: Duration) {
    // Tasks that were spawned but never polled have not set their timers yet.
    settle().await;
    tokio::time::advance(by).await;
    settle().await;
}

/// Lets the tasks of this runtime run until none of them has anything to do, without moving time.
///
/// ```
/// use tower_ballast_test::time;
///
/// time::drive(async {
///     let (send, receive) = tokio::sync::oneshot::channel();
///     let task = tokio::spawn(async move { receive.await.unwrap() });
///     send.send(7).unwrap();
///     time::settle().await;
///     assert!(task.is_finished());
/// });
/// ```
pub async fn settle() {
    for _ in 0..TURNS {
        yield_now().await;
    }
}

/// Polls a future once, with a waker that goes nowhere.
///
/// A [`Probe`](crate::Probe) does the same and counts the wake-ups.
///
/// ```
/// use std::{pin::pin, task::Poll};
/// use tower_ballast_test::time;
///
/// let mut future = pin!(std::future::ready(7));
/// assert_eq!(time::poll_once(future.as_mut()), Poll::Ready(7));
/// ```
pub fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
