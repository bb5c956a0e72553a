//! What was read of a body, for attempts to come.

use std::{
    error::Error,
    fmt, mem,
    pin::Pin,
    sync::{Mutex, MutexGuard},
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tower_ballast_core::BoxError;

use super::{listeners::Listeners, reader::Read};

/// A body that several attempts read, each from the start, and what has been read of it.
pub(super) struct Tape<B> {
    cap: usize,
    pub(super) hint: SizeHint,
    state: Mutex<State<B>>,
}

pub(super) struct State<B> {
    source: Source<B>,
    pub(super) record: Record,
    pub(super) trailers: Option<HeaderMap>,
    readers: usize,
    listeners: Listeners,
}

enum Source<B> {
    Open(Pin<Box<B>>),
    Ended,
    /// It failed, grew over the cap, or its last reader took it. Not to be read again.
    Gone,
}

pub(super) enum Record {
    /// All of it in one piece, shared with whoever made it.
    Whole(Bytes),
    /// Copied, since a small piece can keep a large buffer alive.
    Copy(Vec<u8>),
}

/// Another attempt has taken the body for itself, or it failed there.
#[derive(Debug)]
struct Lost;

impl<B: Body> Tape<B> {
    pub(super) fn new(body: B, cap: usize) -> Self {
        let hint = body.size_hint();
        let state = State {
            source: Source::Open(Box::pin(body)),
            record: Record::Copy(Vec::new()),
            trailers: None,
            readers: 0,
            listeners: Listeners::default(),
        };
        Self { cap, hint, state: Mutex::new(state) }
    }
}

impl<B> Tape<B> {
    /// Whether the body can still be read from the start.
    pub(super) fn is_whole(&self) -> bool {
        !matches!(self.lock().source, Source::Gone)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(|poisoned| {
            // The body panicked while it was read.
            let mut state = poisoned.into_inner();
            state.lose();
            state
        })
    }
}

impl<B> State<B> {
    /// Makes room for another reader.
    pub(super) fn join(&mut self) {
        self.listeners.join(self.readers > 0);
        self.readers += 1;
    }

    /// Lets a reader go.
    pub(super) fn leave(&mut self) {
        self.readers -= 1;
        // Whoever waits now has to ask the body itself.
        self.listeners.wake_others(None);
    }

    fn lose(&mut self) {
        self.source = Source::Gone;
        self.record = Record::Copy(Vec::new());
        self.trailers = None;
    }

    pub(super) fn take_source(&mut self) -> Option<Pin<Box<B>>> {
        match mem::replace(&mut self.source, Source::Gone) {
            Source::Open(body) => {
                self.lose();
                Some(body)
            }
            other => {
                self.source = other;
                None
            }
        }
    }
}

impl<B> State<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// Whether the body has nothing more to give.
    pub(super) fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Open(body) => body.is_end_stream(),
            Source::Ended => true,
            Source::Gone => false,
        }
    }

    /// Reads the next frame from the body and records it.
    pub(super) fn read_on(&mut self, tape: &Tape<B>, cx: &mut Context<'_>) -> Poll<Read<B>> {
        let body = match &mut self.source {
            Source::Open(body) => body.as_mut(),
            Source::Ended => return Poll::Ready(Read::Next(None)),
            Source::Gone => return Poll::Ready(Read::Next(Some(Err(Lost.into())))),
        };
        let crowd = self.listeners.waker(cx.waker());
        let polled = match &crowd {
            Some(crowd) => body.poll_frame(&mut Context::from_waker(crowd)),
            None => body.poll_frame(cx),
        };
        let Poll::Ready(frame) = polled else {
            self.listeners.wait(cx.waker());
            return Poll::Pending;
        };
        let read = match frame.transpose() {
            Ok(None) => {
                self.source = Source::Ended;
                Read::Next(None)
            }
            Ok(Some(frame)) => self.keep(tape, frame),
            Err(error) => {
                self.lose();
                Read::Next(Some(Err(error.into())))
            }
        };
        self.listeners.wake_others(Some(cx.waker()));
        Poll::Ready(read)
    }

    fn keep(&mut self, tape: &Tape<B>, frame: Frame<B::Data>) -> Read<B> {
        let frame = into_bytes(frame);
        if self.record(tape, &frame) {
            return Read::Next(Some(Ok(frame)));
        }
        let body = self.take_source().expect("a frame was just read from it");
        Read::Body(body, Some(frame))
    }

    /// Whether the frame fitted.
    fn record(&mut self, tape: &Tape<B>, frame: &Frame<Bytes>) -> bool {
        let size = size_of_frame(frame);
        if size.is_none_or(|size| size > tape.cap - self.record.len()) {
            return false;
        }
        if let Some(data) = frame.data_ref() {
            let all = self.record.len() == 0 && tape.hint.exact() == Some(data.len() as u64);
            if all {
                self.record = Record::Whole(data.clone());
            } else {
                self.record.push(data);
            }
        }
        if let Some(trailers) = frame.trailers_ref() {
            self.trailers = Some(trailers.clone());
        }
        true
    }
}

impl Record {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Copy(bytes) => bytes.len(),
        }
    }

    fn push(&mut self, data: &[u8]) {
        if let Self::Whole(bytes) = self
            && !data.is_empty()
        {
            *self = Self::Copy(bytes.to_vec());
        }
        if let Self::Copy(bytes) = self {
            bytes.extend_from_slice(data);
        }
    }

    /// What was recorded after the first `at` bytes, if anything was.
    pub(super) fn after(&self, at: usize) -> Option<Bytes> {
        match self {
            _ if at >= self.len() => None,
            Self::Whole(bytes) => Some(bytes.slice(at..)),
            Self::Copy(bytes) => Some(Bytes::copy_from_slice(&bytes[at..])),
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request body cannot be read from the start again")
    }
}

impl Error for Lost {}

/// Makes every kind of data `Bytes`; for `Bytes` itself that is no copy.
pub(super) fn into_bytes<D: Buf>(frame: Frame<D>) -> Frame<Bytes> {
    frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
}

/// What a frame takes of the cap; none for a kind of frame that is not known how to keep.
fn size_of_frame(frame: &Frame<Bytes>) -> Option<usize> {
    let fields = |trailers: &HeaderMap| {
        trailers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
    };
    frame.data_ref().map(Bytes::len).or_else(|| frame.trailers_ref().map(fields))
}
