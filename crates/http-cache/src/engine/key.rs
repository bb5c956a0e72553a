//! By what answers are found.

use std::fmt;

use http::{HeaderMap, Uri, header, uri::Authority};

/// The target of a request: scheme, authority, path and query, of which none can be taken for another.
///
/// Whole keys are compared. The authority is that of the target, or else of the single valid `Host`; scheme and authority
/// are in lower case, and a port that is the scheme's own is left out.
///
/// ```
/// use http::{HeaderMap, Uri};
/// use tower_ballast_http_cache::engine::Key;
///
/// let key = |uri: &'static str| Key::of(&Uri::from_static(uri), &HeaderMap::new());
/// assert_eq!(key("http://Example.org:80/a?b"), key("HTTP://example.org/a?b"));
/// assert_ne!(key("http://example.org/a?b"), key("http://example.org/a?c"));
/// assert_eq!(key("/without-a-host"), None);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Box<str>);

impl Key {
    /// The key of a target, with the fields of its request; none when it is not said, or not clear, whose target it is.
    #[must_use]
    pub fn of(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        Self::with_scheme(uri.scheme_str().unwrap_or("http"), uri, headers)
    }

    fn with_scheme(scheme: &str, uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (None, _) => None,
            (Some(host), None) => Some(host.to_str().ok()?.parse::<Authority>().ok()?),
            (Some(_), Some(_)) => return None,
        };
        let authority = match (uri.authority(), host) {
            (Some(own), None) => own.clone(),
            (None, Some(host)) => host,
            (Some(own), Some(host)) if own.as_str().eq_ignore_ascii_case(host.as_str()) => host,
            _ => return None,
        };
        if authority.as_str().contains('@') {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let host = authority.host().to_ascii_lowercase();
        let port = authority.port_u16().filter(|port| match scheme.as_str() {
            "http" => *port != 80,
            "https" => *port != 443,
            _ => true,
        });
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.is_empty() { "/" } else { path };
        // No scheme and no authority has a space or a slash, so the parts cannot run into one another.
        Some(Self(match port {
            Some(port) => format!("{scheme}://{host}:{port}{path}").into(),
            None => format!("{scheme}://{host}{path}").into(),
        }))
    }

    /// The target as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
