use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use super::{
    script::{Script, Wait},
    slots::Slot,
    step::{End, Progress, Step},
    tally::Violation,
};

/// The response of a [`Scripted`](crate::Scripted) service.
pub struct ResponseFuture<Res, E> {
    progress: Progress,
    end: End,
    outcome: Option<Result<Res, E>>,
    alive: Alive,
    // Dropped after `alive`: whoever gets the slot next finds this call gone.
    _slot: Option<Slot>,
}

impl<Res, E> ResponseFuture<Res, E> {
    pub(super) fn new(
        step: Step,
        outcome: Result<Res, E>,
        alive: Alive,
        slot: Option<Slot>,
    ) -> Self {
        let progress = Progress::new(step.course, Wait::Response);
        Self { progress, end: step.end, outcome: Some(outcome), alive, _slot: slot }
    }
}

// Nothing in here is ever pinned in place.
impl<Res, E> Unpin for ResponseFuture<Res, E> {}

impl<Res, E> Future for ResponseFuture<Res, E> {
    type Output = Result<Res, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Alive { script, call } = &this.alive;
        script.count(|tally| tally.polls += 1);
        if this.outcome.is_none() {
            script.violate(Violation::PolledAfterEnd { call: *call });
            return Poll::Pending;
        }
        ready!(this.progress.poll(script, cx));
        match this.outcome.take() {
            Some(outcome) if this.end != End::Panic => {
                script.count(|tally| tally.finished += 1);
                Poll::Ready(outcome)
            }
            _ => script.blow("poll"),
        }
    }
}

impl<Res, E> fmt::Debug for ResponseFuture<Res, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("call", &self.alive.call)
            .field("ended", &self.outcome.is_none())
            .finish_non_exhaustive()
    }
}

/// Counts one response that is not dropped yet.
pub(super) struct Alive {
    script: Script,
    call: usize,
}

impl Alive {
    pub(super) fn new(script: &Script, call: usize) -> Self {
        script.count(|tally| {
            tally.alive += 1;
            tally.peak = tally.peak.max(tally.alive);
        });
        Self { script: script.clone(), call }
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.script.count(|tally| tally.alive -= 1);
    }
}
