//! Reading to its end what nobody wants.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http::{Response, Version};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_ballast_core::Discard;

const MOST: u64 = 64 * 1024;

/// Reads the rest of a response that a retry has no use for, so that its connection can be used
/// again.
///
/// HTTP/1 can only go on after the body: a response that is dropped before closes its connection,
/// and each failed attempt then costs a new one, just when the service is in trouble. The rest is
/// read before the next attempt is sent, as far as it is there, and beside that attempt as long as
/// it lasts. A response of HTTP/2 is dropped, which ends one stream and no connection, and so is one
/// whose body turns out to be, or says that it is, longer than the limit.
///
/// It is given to `RetryLayer::discard`; the client presets of `tower-ballast` have it.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use tower_ballast_core::Discard;
/// use tower_ballast_http::HttpDrain;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let response = http::Response::new(Full::new(Bytes::from("try again later")));
/// HttpDrain::new().discard(response).expect("there is something to read").await;
/// # });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpDrain {
    most: u64,
}

impl HttpDrain {
    /// Reads up to 64 KiB.
    #[must_use]
    pub const fn new() -> Self {
        Self { most: MOST }
    }

    /// How many bytes of one response are read at the most. Default: 64 KiB.
    #[must_use]
    pub const fn most(mut self, bytes: u64) -> Self {
        self.most = bytes;
        self
    }

    pub(crate) fn rest<B: Body>(self, response: Response<B>) -> Option<DrainFuture<B>> {
        let body = response.body();
        let is_worth_it = response.version() < Version::HTTP_2
            && !body.is_end_stream()
            && body.size_hint().lower() <= self.most;
        is_worth_it.then(|| DrainFuture { body: response.into_body(), left: self.most })
    }
}

impl Default for HttpDrain {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Body> Discard<Response<B>> for HttpDrain {
    type Rest = DrainFuture<B>;

    fn discard(&self, response: Response<B>) -> Option<DrainFuture<B>> {
        self.rest(response)
    }
}

pin_project! {
    /// Reads a body to its end, or to the limit of its [`HttpDrain`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct DrainFuture<B> {
        #[pin]
        body: B,
        left: u64,
    }
}

impl<B: Body> Future for DrainFuture<B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        while let Some(Ok(frame)) = ready!(this.body.as_mut().poll_frame(cx)) {
            // A piece of nothing counts as a byte, or a body of such would be read for ever.
            let read = frame.data_ref().map_or(0, |data| data.remaining().max(1) as u64);
            match this.left.checked_sub(read) {
                Some(left) => *this.left = left,
                None => break,
            }
        }
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, convert::Infallible, pin::pin, task::Waker};

    use bytes::Bytes;
    use http_body::Frame;
    use http_body_util::Full;

    use super::*;

    /// Pieces without end; counts how many are read, of ten bytes or of none.
    struct Endless<'a>(&'a Cell<u64>, &'static [u8]);

    impl Body for Endless<'_> {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.set(self.0.get() + 1);
            assert!(self.0.get() < 1000, "it reads for ever");
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(self.1)))))
        }
    }

    #[test]
    fn it_reads_no_more_than_its_limit() {
        for (piece, pieces) in [(&b"0123456789"[..], 10), (b"", 96)] {
            let read = Cell::new(0);
            let response = Response::new(Endless(&read, piece));
            let rest = HttpDrain::new().most(95).discard(response).unwrap();
            let polled = pin!(rest).poll(&mut Context::from_waker(Waker::noop()));
            assert_eq!((polled, read.get()), (Poll::Ready(()), pieces));
        }
    }

    #[test]
    fn what_is_not_worth_it_is_dropped() {
        let drain = HttpDrain::new().most(3);
        let body = |text: &'static str| Response::new(Full::new(Bytes::from(text)));
        assert!(drain.discard(body("abc")).is_some());
        assert!(drain.discard(body("")).is_none());
        assert!(drain.discard(body("too long")).is_none());
        let mut second = body("abc");
        *second.version_mut() = Version::HTTP_2;
        assert!(drain.discard(second).is_none());
    }
}
