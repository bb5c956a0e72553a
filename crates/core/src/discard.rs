//! Letting go of a response that nobody wants any more.

use std::future::{Future, Ready};

/// Lets go of a response in whose place another attempt has begun.
///
/// `()` drops it. Over HTTP/1 that may close its connection, if the body has not been read to its
/// end; `HttpDrain` in `tower-ballast-http` reads the rest.
pub trait Discard<Res> {
    /// What is still to be done. It is polled before the next attempt is sent, goes on beside it,
    /// and is dropped with it.
    type Rest: Future<Output = ()>;

    /// Lets go of the response; `None` when that was all.
    fn discard(&self, response: Res) -> Option<Self::Rest>;
}

/// Drops the response.
impl<Res> Discard<Res> for () {
    type Rest = Ready<()>;

    fn discard(&self, _: Res) -> Option<Ready<()>> {
        None
    }
}
