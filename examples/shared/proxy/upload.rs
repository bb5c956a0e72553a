//! The caller's body on its way to the upstream.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use tokio::sync::oneshot;
use tower::BoxError;

use super::{Refusal, interim::Leave};

/// Streams a body through, up to a limit.
///
/// When the body is too long or breaks off, the upstream is not to blame, and no breaker around
/// the client may count it. So the body complains to the proxy, which answers and drops the
/// request, instead of failing within the client.
#[derive(Debug)]
pub(super) struct Upload {
    body: Body,
    left: u64,
    leave: Option<Pin<Box<Leave>>>,
    complaint: Option<oneshot::Sender<Refusal>>,
}

impl Upload {
    /// The body, which starts when it has `leave`, and the complaint that may come of it.
    pub(super) fn new(
        body: Body,
        limit: u64,
        leave: Option<Leave>,
    ) -> (Self, oneshot::Receiver<Refusal>) {
        let (complaint, heard) = oneshot::channel();
        let leave = leave.map(Box::pin);
        (Self { body, left: limit, leave, complaint: Some(complaint) }, heard)
    }

    fn complain(&mut self, refusal: Refusal) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.complaint.take().map(|complaint| complaint.send(refusal)) {
            // Never woken again: the proxy drops the request, and this body with it.
            Some(Ok(())) => Poll::Pending,
            // The answer is on its way already, so all that is left is to break off here too.
            _ => Poll::Ready(Some(Err("the caller's body failed".into()))),
        }
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(leave) = &mut self.leave {
            // Without a word in time the body goes as well.
            let _ = ready!(leave.as_mut().poll(cx));
            self.leave = None;
        }
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(_)) => return self.complain(Refusal::bad_request("the body broke off")),
            None => return Poll::Ready(None),
        };
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        match self.left.checked_sub(length) {
            Some(left) => self.left = left,
            None => return self.complain(Refusal::too_large()),
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
