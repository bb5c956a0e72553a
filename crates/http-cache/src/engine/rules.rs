//! What can be set.

use std::time::Duration;

use http::HeaderName;
use tower_ballast_core::Ratio;

/// By which rules a cache keeps and serves.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_http_cache::engine::{Cookies, Rules};
///
/// let rules = Rules::shared().cookies(Cookies::WithExplicitFreshness).stale_if_error(Duration::from_secs(3600));
/// assert!(rules.is_shared());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    pub(super) shared: bool,
    pub(super) lenient: bool,
    pub(super) cookies: Cookies,
    pub(super) heuristic: Ratio,
    pub(super) heuristic_most: Duration,
    pub(super) targeted: Vec<HeaderName>,
    pub(super) while_revalidating: Duration,
    pub(super) if_error: Duration,
    pub(super) if_disconnected: Duration,
}

/// What becomes of answers with `Set-Cookie`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cookies {
    /// They are kept if they say `public`: most servers set cookies without a thought of caches.
    #[default]
    IfPublic,
    /// They are kept if they say how long they are fresh, as RFC 9111 section 7.3 has it.
    WithExplicitFreshness,
}

impl Rules {
    /// For a cache that many use: a proxy, a gateway, a server's own. It keeps nothing that is `private`, and answers to
    /// requests with `Authorization` only if they allow it.
    #[must_use]
    pub fn shared() -> Self {
        Self {
            shared: true,
            lenient: false,
            cookies: Cookies::default(),
            heuristic: Ratio::percent::<10>(),
            heuristic_most: Duration::from_secs(24 * 60 * 60),
            targeted: vec![HeaderName::from_static("cdn-cache-control")],
            while_revalidating: Duration::ZERO,
            if_error: Duration::ZERO,
            if_disconnected: Duration::ZERO,
        }
    }

    /// For the cache of one user: a client's own.
    #[must_use]
    pub fn private() -> Self {
        Self { shared: false, targeted: Vec::new(), ..Self::shared() }
    }

    /// Whether many use it.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.shared
    }

    /// Takes two readings that RFC 9111 does not allow but some senders expect. Default: no.
    ///
    /// A part to the end that is shorter than its `Content-Range` says ends where its bytes end; and `If-Modified-Since` is always
    /// answered by 304 where nothing tells when the answer was last modified.
    #[must_use]
    pub const fn lenient(mut self, lenient: bool) -> Self {
        self.lenient = lenient;
        self
    }

    /// What becomes of answers with `Set-Cookie`. Default: kept if they say `public`.
    #[must_use]
    pub const fn cookies(mut self, cookies: Cookies) -> Self {
        self.cookies = cookies;
        self
    }

    /// For which share of the time since it was last modified an answer is fresh that says nothing of it, and for
    /// how long at most (RFC 9111 section 4.2.2). Default: 10 %, a day.
    #[must_use]
    pub const fn heuristic(mut self, share: Ratio, most: Duration) -> Self {
        (self.heuristic, self.heuristic_most) = (share, most);
        self
    }

    /// Which fields are meant for this cache and go before `Cache-Control` and `Expires`, the first of them first (RFC 9213).
    /// Default: `CDN-Cache-Control` for a shared cache, none for a private one.
    #[must_use]
    pub fn targeted(mut self, fields: impl IntoIterator<Item = HeaderName>) -> Self {
        self.targeted = fields.into_iter().collect();
        self
    }

    /// For how long a stale answer is served while it is renewed, if it does not say that itself and does not forbid it
    /// (RFC 5861). Default: not at all.
    #[must_use]
    pub const fn stale_while_revalidate(mut self, span: Duration) -> Self {
        self.while_revalidating = span;
        self
    }

    /// For how long a stale answer is served in the place of a 500, 502, 503 or 504, likewise. Default: not at all.
    #[must_use]
    pub const fn stale_if_error(mut self, span: Duration) -> Self {
        self.if_error = span;
        self
    }

    /// For how long a stale answer is served when the origin cannot be reached, likewise (RFC 9111 section 4.2.4). Default: not
    /// at all.
    #[must_use]
    pub const fn stale_if_disconnected(mut self, span: Duration) -> Self {
        self.if_disconnected = span;
        self
    }
}
