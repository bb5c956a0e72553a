//! Holding on to something until a response is over, body included.

mod body;
mod lease;
#[cfg(test)]
mod tests;

use std::time::Duration;

use http::Response;
use http_body::Body;
use tower_ballast_core::{Held, Hold};

pub use self::body::HeldBody;

const IDLE: Duration = Duration::from_secs(30);

/// Holds a permit until the body of the response has ended, instead of until its head is there.
///
/// A server that streams works for as long as it streams, and the head is only the beginning. Given to
/// `BulkheadLayer::hold`, this counts a response as in flight until its body has ended or
/// failed, or is dropped, as linkerd does. An empty body holds nothing.
///
/// A reader that no longer reads would keep its permit for ever, and a hundred of them all permits. So the
/// permit goes back when no frame has been taken for [30 seconds](Self::idle), also from a body that nobody
/// polls, such as one whose client has closed its window. The body goes on, and the event
/// [`HoldExpired`](tower_ballast_core::EventKind::HoldExpired) says so. A reader that takes a little now
/// and then keeps it; what bounds a whole body is a timeout's matter. What an upgraded connection
/// does later is no body and holds nothing.
///
/// # Cost
///
/// Two small allocations and a timer for a body that is not empty, and a timer moved on with each
/// frame; no allocation and no timer with an idle limit of [`Duration::MAX`].
///
/// ```
/// use axum::{Router, routing::get};
/// use tower::ServiceBuilder;
/// use tower_ballast_bulkhead::BulkheadLayer;
/// use tower_ballast_http::{RespondLayer, UntilBodyEnds};
///
/// let downloads = BulkheadLayer::new(100).queue(100).hold(UntilBodyEnds::new());
/// let app: Router = Router::new().route("/large", get(async || "x".repeat(1_000_000))).layer(
///     ServiceBuilder::new().layer(RespondLayer::new()).layer(downloads),
/// );
/// # let _ = app;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UntilBodyEnds {
    idle: Duration,
}

impl UntilBodyEnds {
    /// Until the body has ended, or nothing of it has been taken for 30 seconds.
    #[must_use]
    pub const fn new() -> Self {
        Self { idle: IDLE }
    }

    /// How long nothing of the body may be taken before the permit goes back. Default: 30 seconds.
    /// [`Duration::MAX`] waits for ever, and [`Duration::ZERO`] not at all: the body then holds nothing.
    #[must_use]
    pub const fn idle(mut self, longest: Duration) -> Self {
        self.idle = longest;
        self
    }
}

impl Default for UntilBodyEnds {
    fn default() -> Self {
        Self::new()
    }
}

impl<B, G> Hold<Response<B>, G> for UntilBodyEnds
where
    B: Body,
    G: Held + Send + 'static,
{
    type Response = Response<HeldBody<B, G>>;

    fn hold(&self, response: Response<B>, held: Option<G>) -> Self::Response {
        response.map(|body| HeldBody::new(body, held, self.idle))
    }
}
