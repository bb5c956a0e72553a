use std::time::Duration;

/// The limit that one request has of its own. `()` has none.
pub trait Limits<R> {
    /// The request's own limit.
    fn limit(&self, request: &R) -> Option<Duration>;
}

impl<R> Limits<R> for () {
    fn limit(&self, _: &R) -> Option<Duration> {
        None
    }
}

/// Asks a closure. Made by [`TimeoutLayer::limit_from`](crate::TimeoutLayer::limit_from).
#[derive(Clone, Copy)]
pub struct LimitFrom<P>(pub(crate) P);

impl<P> std::fmt::Debug for LimitFrom<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LimitFrom")
    }
}

impl<R, P: Fn(&R) -> Option<Duration>> Limits<R> for LimitFrom<P> {
    fn limit(&self, request: &R) -> Option<Duration> {
        (self.0)(request)
    }
}
