//! A body that is kept while it streams.
//!
//! Whoever reads it asks the source for more when there is nothing left to read, so that neither a slow client nor
//! one that has gone away holds up another. What was read lies in pieces that all readers share; small frames are put
//! together, so that a body takes little more memory than it has bytes, however it comes.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tower_ballast_core::BoxError;

pub(crate) use self::{
    allowance::{Allowance, Reserved},
    reader::{Ended, Read, Reader},
    source::{Source, after, poll_plain, source},
};
use self::{
    locked::{Locked, Phase},
    reader::{CutShort, Place},
};

use crate::sync::{Mutex, MutexGuard};

mod allowance;
mod locked;
mod pieces;
mod reader;
mod source;
#[cfg(test)]
mod tests;

/// How often the source is asked at one go.
const POLLS: usize = 32;

/// What is done with what has become of a body.
pub(crate) type Keep = Box<dyn FnOnce(End) + Send>;

/// What has become of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// It is whole.
    Whole(Bytes),
    /// It was too large.
    TooLarge,
    /// For its next piece there was no memory at that moment.
    NoRoom,
    /// It failed, ended too early, or nobody wanted it any more.
    Cut,
}

/// A body on its way, and what has come of it.
pub(crate) struct Fill {
    /// How long it says it is.
    length: Option<u64>,
    limit: u64,
    hint: SizeHint,
    locked: Mutex<Locked>,
}

impl Fill {
    /// Keeps what `source` gives up to `limit` bytes, of which it has reserved those that are known to come, and
    /// tells `keep` what has become of it. The one who reads first.
    pub(crate) fn begin(
        source: Source,
        length: Option<u64>,
        limit: u64,
        reserved: Reserved,
        keep: Keep,
    ) -> Reader {
        let hint = source.size_hint();
        let locked = Mutex::new(Locked::new(source, reserved, keep));
        Reader::first(Arc::new(Self { length, limit, hint, locked }))
    }

    /// Another reader, if it can still have all of it.
    pub(crate) fn join(self: &Arc<Self>) -> Option<Reader> {
        let number = self.with(Locked::join)?;
        Some(Reader::another(Arc::clone(self), number))
    }

    /// How long it will be, if that is known: then whoever joins can read along.
    pub(crate) const fn length(&self) -> Option<u64> {
        self.length
    }

    /// Waits for something to read at `at`, or with `None` for the end.
    fn poll(self: &Arc<Self>, number: u64, at: Option<Place>, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..POLLS {
            let source = self.with(|locked| {
                if locked.has_news(at) {
                    locked.awake(number);
                    return Err(Poll::Ready(()));
                }
                locked.sleep(number, at.is_some(), cx.waker());
                locked.take_due().ok_or(Poll::Pending)
            });
            match source {
                Ok(source) => self.ask(number, at.is_some(), source),
                Err(poll) => return poll,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Asks the source for more, without the lock, and in the name of all who wait.
    fn ask(self: &Arc<Self>, number: u64, reads: bool, mut source: Source) {
        let waker = Waker::from(Arc::clone(self));
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let polled = source.as_mut().poll_frame(&mut Context::from_waker(&waker));
            polled.map(|frame| (frame, source.is_end_stream()))
        }));
        let polled = match polled {
            Ok(Poll::Pending) => {
                return self.with(|locked| locked.phase = Phase::Here(source));
            }
            polled => polled,
        };
        self.with(|locked| locked.awake(number));
        match polled {
            Ok(Poll::Pending) => {}
            Ok(Poll::Ready((Some(Ok(frame)), is_end))) => {
                // Trailers are the end: a server that has them asks for nothing more.
                let is_end = is_end || frame.is_trailers();
                self.take_in(source, frame, is_end, reads);
            }
            Ok(Poll::Ready((Some(Err(error)), _))) => self.cut(Some(error)),
            Ok(Poll::Ready((None, _))) => self.end(),
            Err(panic) => self.fall(number, panic),
        }
    }

    fn take_in(&self, source: Source, frame: Frame<Bytes>, is_end: bool, reads: bool) {
        let (taken, is_whole) = self.with(|locked| {
            let taken = locked.take_in(frame, self.length, self.limit);
            (taken, self.length == Some(locked.pieces.length()))
        });
        if let Err(why) = taken {
            self.give_up(why);
            let wakers = self.with(|locked| locked.go_alone(source));
            return wakers.into_iter().for_each(Waker::wake);
        }
        if is_end {
            return self.end();
        }
        if is_whole {
            self.keep();
        }
        let wakers = self.with(|locked| {
            locked.put_back(source);
            locked.wake_for_more(reads)
        });
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The source has given everything.
    fn end(&self) {
        let is_whole =
            self.with(|locked| self.length.is_none_or(|length| length == locked.pieces.length()));
        if !is_whole {
            return self.close_unkept(Phase::Ended { is_whole });
        }
        self.keep();
        let wakers = self.with(|locked| locked.close(Phase::Ended { is_whole }));
        wakers.into_iter().for_each(Waker::wake);
    }

    fn cut(&self, error: Option<BoxError>) {
        self.close_unkept(Phase::Cut(error));
    }

    /// Ends it and says that it was not kept at once: the one alone would mean that it goes on for the first reader.
    fn close_unkept(&self, phase: Phase) {
        let wakers = self.with(|locked| {
            locked.kept.get_or_insert(false);
            locked.close(phase)
        });
        self.give_up(End::Cut);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// A panic goes through the one whose request it was; the others are told that the body was cut.
    fn fall(&self, number: u64, panic: Box<dyn Any + Send>) {
        self.cut(Some(CutShort.into()));
        if number == Locked::FIRST {
            resume_unwind(panic);
        }
    }

    /// Hands over what has come as a whole, before those who wait for that are told.
    fn keep(&self) {
        let (keep, whole) = self.with(|locked| (locked.keep.take(), locked.pieces.whole()));
        if let Some(keep) = keep {
            keep(End::Whole(whole));
        }
        self.with(|locked| (locked.kept, locked.reserved) = (Some(true), Reserved::none()));
    }

    fn give_up(&self, why: End) {
        let keep = self.with(|locked| {
            locked.kept.get_or_insert(false);
            locked.keep.take()
        });
        if let Some(keep) = keep {
            keep(why);
        }
    }

    fn leave(&self, number: u64) {
        let (wakers, dropped) = self.with(|locked| locked.leave(number));
        if dropped.is_some() {
            self.give_up(End::Cut);
        }
        drop(dropped);
        wakers.into_iter().for_each(Waker::wake);
    }

    fn with<T>(&self, with: impl FnOnce(&mut Locked) -> T) -> T {
        with(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Locked> {
        // Nothing of a user runs under this lock but clones and drops of wakers; each change is whole.
        self.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes those who read, and one of those who wait for the end.
impl Wake for Fill {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let wakers = self.with(|locked| {
            locked.due = true;
            locked.wake_for_more(true)
        });
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl std::fmt::Debug for Fill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fill").field("length", &self.length).finish_non_exhaustive()
    }
}
