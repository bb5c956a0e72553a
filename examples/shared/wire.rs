//! A connection on which a caller can be told something before its answer.
//!
//! hyper's server writes final answers only. Interim ones (`102 Processing`, `103 Early Hints`) are
//! written here, below the server, while none of the server's own bytes are on the way.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use axum::body::Bytes;
use bytes::{Buf, BytesMut};
use http::{HeaderMap, StatusCode};
use hyper::rt::{Read, ReadBufCursor, Write};

/// The most bytes that wait for a slow caller; what does not fit is left out.
const ROOM: usize = 16 * 1024;

/// The server's connection, and the interim answers that are slipped in.
#[derive(Debug)]
pub(crate) struct Wire<T> {
    io: T,
    slot: Slot,
}

/// Where interim answers wait for a moment at which they may be written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slot(Arc<Mutex<State>>);

/// Tells the caller of one request what happens before its answer.
///
/// It travels with the request, as an extension. When the answer has begun, it tells nothing more.
#[derive(Debug, Clone)]
pub(crate) struct Interim {
    slot: Slot,
    turn: u64,
}

/// The time from a request to its answer; ends when dropped.
#[derive(Debug)]
pub(crate) struct Turn(Interim);

#[derive(Debug, Default)]
struct State {
    waiting: BytesMut,
    /// How much of `waiting` goes out before the bytes that the server has.
    ahead: usize,
    /// Whether the server has bytes that are not all written.
    busy: bool,
    turn: u64,
    server: Option<Waker>,
}

impl<T> Wire<T> {
    pub(crate) fn new(io: T, slot: Slot) -> Self {
        Self { io, slot }
    }
}

impl Slot {
    /// Begins the turn of the next request. The server works on one at a time.
    pub(crate) fn turn(&self) -> Turn {
        Turn(Interim { slot: self.clone(), turn: self.lock().turn })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Interim {
    /// Sends an answer that is not the last one, if there is still time and room for it.
    pub(crate) fn send(&self, status: StatusCode, headers: &HeaderMap) {
        let message = message(status, headers);
        let mut state = self.slot.lock();
        if state.turn == self.turn && state.waiting.len() + message.len() <= ROOM {
            state.waiting.extend_from_slice(&message);
            if let Some(server) = state.server.take() {
                drop(state);
                server.wake();
            }
        }
    }
}

impl Turn {
    pub(crate) fn interim(&self) -> Interim {
        self.0.clone()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.0.slot.lock();
        state.turn += 1;
        // A caller that pipelines and does not read: the answer to its last request is still on
        // the way, and this one's follows it without a gap.
        if state.busy {
            let ahead = state.ahead;
            state.waiting.truncate(ahead);
        }
        state.be_busy();
    }
}

impl State {
    fn be_busy(&mut self) {
        if !self.busy {
            self.busy = true;
            self.ahead = self.waiting.len();
        }
    }

    /// Before the server's bytes: only what was waiting when they came.
    fn poll_ahead<T: Write + Unpin>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.be_busy();
        while self.ahead > 0 {
            let written = ready!(Pin::new(&mut *io).poll_write(cx, &self.waiting[..self.ahead]))?;
            self.wrote(written)?;
        }
        Poll::Ready(Ok(()))
    }

    /// The server has no bytes: all that waits may go.
    fn poll_all<T: Write + Unpin>(
        &mut self,
        io: &mut T,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.busy = false;
        self.server = Some(cx.waker().clone());
        while !self.waiting.is_empty() {
            let written = ready!(Pin::new(&mut *io).poll_write(cx, &self.waiting))?;
            self.wrote(written)?;
        }
        Pin::new(io).poll_flush(cx)
    }

    fn wrote(&mut self, length: usize) -> io::Result<()> {
        if length == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.waiting.advance(length);
        self.ahead = self.ahead.saturating_sub(length);
        Ok(())
    }
}

impl<T: Read + Unpin> Read for Wire<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<T: Write + Unpin> Write for Wire<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { io, slot } = &mut *self;
        ready!(slot.lock().poll_ahead(io, cx))?;
        Pin::new(io).poll_write(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { io, slot } = &mut *self;
        ready!(slot.lock().poll_ahead(io, cx))?;
        Pin::new(io).poll_write_vectored(cx, bytes)
    }

    /// The server flushes whenever it has nothing more to write, so this is where it has nothing.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { io, slot } = &mut *self;
        slot.lock().poll_all(io, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

fn message(status: StatusCode, headers: &HeaderMap) -> Bytes {
    let reason = status.canonical_reason().unwrap_or_default();
    let mut message = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
    for (name, value) in headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            message.extend_from_slice(part);
        }
    }
    message.extend_from_slice(b"\r\n");
    message.into()
}
