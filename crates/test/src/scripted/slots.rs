use std::{
    collections::VecDeque,
    mem,
    task::{Context, Poll, Waker},
};

use super::script::Script;

/// How long a slot is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    Called,
    Answered,
}

/// A fair counting semaphore. Only the first in the queue may take what becomes free, so one who
/// queues and is never polled again blocks all others, as it would in tokio's.
#[derive(Debug)]
pub(super) struct Slots {
    free: usize,
    until: Until,
    queue: VecDeque<(u64, Waker)>,
    next: u64,
}

impl Slots {
    pub(super) fn new(free: usize, until: Until) -> Self {
        Self { free, until, queue: VecDeque::new(), next: 0 }
    }

    pub(super) fn until(&self) -> Until {
        self.until
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Takes a slot or queues for one. The waker that comes back is to be dropped outside of the
    /// lock: its drop may run any code.
    fn poll(&mut self, number: u64, cx: &Context<'_>) -> (Poll<()>, Option<Waker>) {
        let place = self.place(number);
        if self.free > 0 && place.unwrap_or(self.queue.len()) == 0 {
            self.free -= 1;
            return (Poll::Ready(()), self.queue.pop_front().map(|(_, waker)| waker));
        }
        let waker = cx.waker().clone();
        let old = if let Some(place) = place {
            Some(mem::replace(&mut self.queue[place].1, waker))
        } else {
            self.queue.push_back((number, waker));
            None
        };
        (Poll::Pending, old)
    }

    fn leave(&mut self, number: u64) -> Option<Waker> {
        let place = self.place(number)?;
        self.queue.remove(place).map(|(_, waker)| waker)
    }

    fn place(&self, number: u64) -> Option<usize> {
        self.queue.iter().position(|(queued, _)| *queued == number)
    }

    /// Whom to wake: the first in the queue when there is something to take.
    fn heir(&self) -> Option<Waker> {
        if self.free == 0 {
            return None;
        }
        self.queue.front().map(|(_, waker)| waker.clone())
    }
}

/// A place in the queue for a slot.
#[derive(Debug)]
pub(super) struct Place {
    script: Script,
    number: u64,
}

impl Place {
    pub(super) fn new(script: &Script) -> Option<Self> {
        let number = script.with_slots(Slots::number)?;
        Some(Self { script: script.clone(), number })
    }

    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Slot> {
        let taken = self.script.with_slots(|slots| slots.poll(self.number, cx));
        match taken {
            Some((Poll::Pending, _)) => Poll::Pending,
            Some((Poll::Ready(()), _)) | None => Poll::Ready(Slot { script: self.script.clone() }),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let left = self.script.with_slots(|slots| (slots.leave(self.number), slots.heir()));
        wake(&self.script, left.and_then(|(_, heir)| heir));
    }
}

/// One slot, given back on drop.
#[derive(Debug)]
pub(super) struct Slot {
    script: Script,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let heir = self.script.with_slots(|slots| {
            slots.free += 1;
            slots.heir()
        });
        wake(&self.script, heir.flatten());
    }
}

fn wake(script: &Script, heir: Option<Waker>) {
    if let Some(waker) = heir {
        script.wake(&waker);
    }
}
