//! Sending an HTTP request more than once.

mod body;
mod listeners;
mod reader;
mod tape;

use std::{fmt, sync::Arc};

use http::{HeaderMap, Request, header::CONTENT_LENGTH, request::Parts};
use http_body::Body;
use tower_ballast_core::Replay;

pub use self::body::ReplayBody;
use self::tape::Tape;

const CAP: usize = 64 * 1024;

/// Keeps HTTP requests so that they can be sent again, body included.
///
/// The first attempt streams its body through and records it on the way; a later attempt plays
/// what was recorded and goes on reading where the first one stopped. A body that turns out to be
/// larger than the cap is streamed on and no longer recorded: the request is not sent again. A
/// body that says beforehand that it is larger, or that fails, is not recorded either. Trailers
/// are kept, and count towards the cap.
///
/// # Cost
///
/// A request that may not be repeated any more passes untouched. One that may be is kept as a copy of
/// its head: two allocations for the table of header fields, if there are any, one for each name or
/// value with a buffer of its own that nothing shares yet, and what extensions need. An empty body
/// costs nothing more. Another one costs two allocations, and those of the record:
/// none or one for a body that comes in one piece (it is shared, not copied), else one buffer
/// that grows, of at most twice the cap. So memory is bounded by that for each request in flight.
/// Recording ends as soon as nobody can ask for another attempt.
///
/// ```
/// use bytes::Bytes;
/// use http::Request;
/// use http_body_util::{BodyExt, Full};
/// use tower_ballast_core::Replay;
/// use tower_ballast_http::HttpReplay;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let request = Request::post("/orders").body(Full::new(Bytes::from("one pony"))).unwrap();
///
/// let replay = HttpReplay::new();
/// let (sent, spare) = replay.first(request, true);
/// drop(sent); // The connection broke.
///
/// let (again, _) = replay.again(spare.unwrap(), false).unwrap();
/// assert_eq!(again.uri(), "/orders");
/// assert_eq!(again.into_body().collect().await.unwrap().to_bytes(), "one pony");
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpReplay {
    cap: usize,
}

impl HttpReplay {
    /// Keeps bodies of up to 64 KiB.
    #[must_use]
    pub const fn new() -> Self {
        Self { cap: CAP }
    }

    /// The largest body that is kept, in bytes. Default: 64 KiB. With 0, only requests without a
    /// body can be sent again.
    #[must_use]
    pub const fn cap(mut self, bytes: usize) -> Self {
        self.cap = bytes;
        self
    }

    fn tape<B: Body>(self, headers: &HeaderMap, body: B) -> Result<Arc<Tape<B>>, B> {
        let stated =
            headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let least = body.size_hint().lower().max(stated.unwrap_or(0));
        if usize::try_from(least).is_ok_and(|least| least <= self.cap) {
            Ok(Arc::new(Tape::new(body, self.cap)))
        } else {
            Err(body)
        }
    }
}

impl Default for HttpReplay {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Body> Replay<Request<B>> for HttpReplay {
    type Sent = Request<ReplayBody<B>>;
    type Spare = SpareRequest<B>;

    fn first(&self, request: Request<B>, keep: bool) -> (Self::Sent, Option<Self::Spare>) {
        let (parts, body) = request.into_parts();
        if body.is_end_stream() {
            return SpareRequest { parts, tape: None }.send(keep);
        }
        if !keep {
            return (Request::from_parts(parts, ReplayBody::plain(body)), None);
        }
        match self.tape(&parts.headers, body) {
            Ok(tape) => SpareRequest { parts, tape: Some(tape) }.send(true),
            Err(body) => (Request::from_parts(parts, ReplayBody::plain(body)), None),
        }
    }

    fn again(&self, spare: Self::Spare, keep: bool) -> Option<(Self::Sent, Option<Self::Spare>)> {
        let whole = spare.tape.as_ref().is_none_or(|tape| tape.is_whole());
        whole.then(|| spare.send(keep))
    }
}

/// A request that is kept for another attempt. Made by [`HttpReplay`].
pub struct SpareRequest<B> {
    parts: Parts,
    /// None for an empty body.
    tape: Option<Arc<Tape<B>>>,
}

impl<B: Body> SpareRequest<B> {
    fn send(self, keep: bool) -> (Request<ReplayBody<B>>, Option<Self>) {
        let spare = keep.then(|| Self { parts: self.parts.clone(), tape: self.tape.clone() });
        let body = match self.tape {
            Some(tape) => ReplayBody::taped(tape),
            None => ReplayBody::empty(),
        };
        (Request::from_parts(self.parts, body), spare)
    }
}

impl<B> fmt::Debug for SpareRequest<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpareRequest").field("empty", &self.tape.is_none()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
