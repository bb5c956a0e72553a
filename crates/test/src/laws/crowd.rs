use std::{fmt, future::Future, pin::Pin, task::Poll, time::Duration};

use tokio::task::yield_now;

use crate::Probe;

/// A future is polled at most this often before it counts as one that spins.
const MOST_POLLS: usize = 10_000;

/// Why a future came to no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stuck {
    /// Nobody woke it.
    Stalled,
    /// It was woken without end.
    Spinning,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stalled => "no answer: nothing woke its task",
            Self::Spinning => "no answer: its task was woken without end",
        })
    }
}

/// Futures that run side by side, each polled only when it was woken, on a clock that moves only
/// when none of them has anything to do. So neither a lost wake-up nor a spin can hang a law.
pub(super) struct Crowd<'a, T> {
    tasks: Vec<Task<'a, T>>,
}

struct Task<'a, T> {
    future: Option<Pin<Box<dyn Future<Output = T> + 'a>>>,
    probe: Probe,
    polls: usize,
    output: Option<T>,
}

impl<'a, T> Crowd<'a, T> {
    pub(super) fn new() -> Self {
        Self { tasks: Vec::new() }
    }

    pub(super) fn add(&mut self, future: impl Future<Output = T> + 'a) {
        let probe = Probe::new();
        probe.waker().wake();
        self.tasks.push(Task { future: Some(Box::pin(future)), probe, polls: 0, output: None });
    }

    /// Runs all to their ends, with at most `patience` of paused time in which nothing happens.
    pub(super) async fn run(&mut self, patience: Duration) -> Result<(), Stuck> {
        let mut idle = Idle::new(patience);
        loop {
            while self.poll_woken()? {
                // Also renews tokio's cooperative budget.
                yield_now().await;
                idle = Idle::new(patience);
            }
            if self.tasks.iter().all(|task| task.future.is_none()) {
                return Ok(());
            }
            for _ in 0..8 {
                yield_now().await;
            }
            if self.poll_woken()? {
                idle = Idle::new(patience);
            } else if !idle.advance().await {
                return Err(Stuck::Stalled);
            }
        }
    }

    pub(super) fn outputs(self) -> Vec<Option<T>> {
        self.tasks.into_iter().map(|task| task.output).collect()
    }

    fn poll_woken(&mut self) -> Result<bool, Stuck> {
        let mut any = false;
        for task in &mut self.tasks {
            let Some(future) = &mut task.future else {
                continue;
            };
            if !task.probe.was_woken() {
                continue;
            }
            any = true;
            task.polls += 1;
            if task.polls > MOST_POLLS {
                return Err(Stuck::Spinning);
            }
            if let Poll::Ready(output) = task.probe.poll(future.as_mut()) {
                task.output = Some(output);
                task.future = None;
            }
        }
        Ok(any)
    }
}

/// Moves the clock in growing steps.
struct Idle {
    left: Duration,
    step: Duration,
}

impl Idle {
    fn new(patience: Duration) -> Self {
        Self { left: patience, step: Duration::from_millis(1) }
    }

    async fn advance(&mut self) -> bool {
        if self.left.is_zero() {
            return false;
        }
        let step = self.step.min(self.left);
        self.left -= step;
        self.step *= 2;
        tokio::time::advance(step).await;
        true
    }
}

/// Runs one future to its end.
pub(super) async fn finish<T>(
    future: impl Future<Output = T>,
    patience: Duration,
) -> Result<T, Stuck> {
    let mut crowd = Crowd::new();
    crowd.add(future);
    crowd.run(patience).await?;
    Ok(crowd.outputs().pop().flatten().expect("a crowd that ran to its end has its outputs"))
}
