//! Waiting until nobody is left.

use std::{
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use super::{Gate, Locked, WATCHED, inside};
use crate::sync::atomic::Ordering::AcqRel;

/// Those who want to know when nobody is left.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    wakers: Vec<(u64, Waker)>,
    last: u64,
}

/// Ready when nobody is inside or waits. Made by [`Gate::idle`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Idle<'a> {
    pub(super) gate: &'a Gate,
    /// Its number among the watchers, once it is one.
    pub(super) number: Option<u64>,
}

impl Future for Idle<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let gate = self.gate;
        let mut locked = gate.lock();
        // Set before looking, so that who goes out after the look sees it.
        let word = gate.word.fetch_or(WATCHED, AcqRel);
        if inside(word) == 0 && locked.ranks.is_empty() {
            gate.unwatch(&mut locked, self.number.take());
            return Poll::Ready(());
        }
        self.number = Some(locked.watchers.put(self.number, cx.waker()));
        Poll::Pending
    }
}

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        if self.number.is_some() {
            self.gate.unwatch(&mut self.gate.lock(), self.number);
        }
    }
}

impl Watchers {
    /// Leaves word for a watcher, and gives it a number if it has none.
    fn put(&mut self, number: Option<u64>, waker: &Waker) -> u64 {
        let known = self.wakers.iter_mut().find(|(known, _)| Some(*known) == number);
        if let Some((number, known)) = known {
            known.clone_from(waker);
            return *number;
        }
        self.last += 1;
        self.wakers.push((self.last, waker.clone()));
        self.last
    }
}

impl Gate {
    /// Those who are to be woken, if nobody is left.
    pub(super) fn take_watchers(&self, locked: &mut Locked) -> Vec<(u64, Waker)> {
        let wakers = &mut locked.watchers.wakers;
        if wakers.is_empty() || !locked.ranks.is_empty() || self.inside() > 0 {
            return Vec::new();
        }
        self.word.fetch_and(!WATCHED, AcqRel);
        mem::take(wakers)
    }

    fn unwatch(&self, locked: &mut Locked, number: Option<u64>) {
        let wakers = &mut locked.watchers.wakers;
        wakers.retain(|(known, _)| Some(*known) != number);
        if wakers.is_empty() {
            *wakers = Vec::new();
            self.word.fetch_and(!WATCHED, AcqRel);
        }
    }
}
