//! What the rules look at of a request.

use http::{
    HeaderMap, Method, Uri,
    header::{
        AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, COOKIE, IF_MATCH, IF_MODIFIED_SINCE,
        IF_NONE_MATCH, IF_UNMODIFIED_SINCE, PRAGMA, RANGE, TRANSFER_ENCODING, UPGRADE,
    },
};

use super::{directives::Wishes, list};

/// The head of a request.
///
/// ```
/// use tower_ballast_http_cache::engine::Ask;
///
/// let request = http::Request::get("https://example.com/cart").body(()).unwrap();
/// let head = Ask::from(&request);
/// assert_eq!(head.method, http::Method::GET);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target, in origin or absolute form.
    pub uri: &'a Uri,
    /// The header fields.
    pub headers: &'a HeaderMap,
}

impl<'a, B> From<&'a http::Request<B>> for Ask<'a> {
    fn from(request: &'a http::Request<B>) -> Self {
        Self { method: request.method(), uri: request.uri(), headers: request.headers() }
    }
}

impl<'a> From<&'a http::request::Parts> for Ask<'a> {
    fn from(parts: &'a http::request::Parts) -> Self {
        Self { method: &parts.method, uri: &parts.uri, headers: &parts.headers }
    }
}

impl Ask<'_> {
    /// Whether the response to this request may be the one to another for the same target as well, so far as can be
    /// seen before it is there.
    ///
    /// Requests with credentials, a range, conditions of their own, a body or wishes on the cache never share: what they
    /// get may be meant for them alone. Who waited looks again among what is then kept, so that `Vary` is obeyed.
    #[must_use]
    pub fn may_share(&self) -> bool {
        let facts = Facts::of(self.headers);
        let alone = facts.authorization
            || facts.range
            || facts.condition
            || facts.for_origin
            || facts.upgrade
            || facts.body
            || facts.wished;
        *self.method == Method::GET && !alone
    }
}

/// What the fields of a request say that caching depends on, read in one pass.
#[allow(clippy::struct_excessive_bools, reason = "each is a field of the request")]
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts {
    pub(super) wishes: Wishes,
    /// Wishes on caches are there.
    pub(super) wished: bool,
    pub(super) authorization: bool,
    pub(super) cookie: bool,
    pub(super) range: bool,
    /// A condition that a cache answers.
    pub(super) condition: bool,
    /// A condition that only the origin can answer (`If-Match`, `If-Unmodified-Since`).
    pub(super) for_origin: bool,
    pub(super) upgrade: bool,
    pub(super) body: bool,
}

impl Facts {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let (mut facts, mut pragma) = (Self::default(), false);
        for (name, value) in headers {
            if *name == CACHE_CONTROL {
                facts.wished = true;
                facts.wishes.add_line(value.as_bytes());
            } else if *name == AUTHORIZATION {
                facts.authorization = true;
            } else if *name == COOKIE {
                facts.cookie = true;
            } else if *name == RANGE {
                facts.range = true;
            } else if *name == IF_NONE_MATCH || *name == IF_MODIFIED_SINCE {
                facts.condition = true;
            } else if *name == IF_MATCH || *name == IF_UNMODIFIED_SINCE {
                facts.for_origin = true;
            } else if *name == UPGRADE {
                facts.upgrade = true;
            } else if *name == CONTENT_LENGTH {
                facts.body |= value != "0";
            } else if *name == TRANSFER_ENCODING {
                facts.body = true;
            } else if *name == PRAGMA {
                pragma |= list::in_line(value.as_bytes())
                    .any(|word| word.eq_ignore_ascii_case(b"no-cache"));
            }
        }
        // Only where there is no `Cache-Control` (RFC 9111 section 5.4).
        facts.wishes.no_cache |= pragma && !facts.wished;
        facts.wished |= pragma;
        facts
    }
}
