//! By what answers are found.

use std::{borrow::Cow, fmt, sync::Arc};

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
pub struct Key(Arc<str>);

impl Key {
    /// The key of a target, with the fields of its request; none when it is not said, or not clear, whose target it is.
    #[must_use]
    pub fn of(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        Self::with_scheme(uri.scheme_str().unwrap_or("http"), uri, headers)
    }

    fn with_scheme(scheme: &str, uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let scheme = match scheme {
            "http" | "https" => Cow::Borrowed(scheme),
            other => Cow::Owned(other.to_ascii_lowercase()),
        };
        let authority = authority(&scheme, uri, headers)?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        // An empty path is the root; `http://a?b` has one.
        let root = if path.is_empty() || path.starts_with('?') { "/" } else { "" };
        // No scheme and no authority has a space or a slash, so the parts cannot run into one another.
        let parts = [&*scheme, "://", &authority, root, path];
        Some(Self(parts.concat().into()))
    }

    /// The text itself, which is not copied.
    pub(crate) fn into_text(self) -> Arc<str> {
        self.0
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

/// Host and port of a target in lower case, without a port that is the scheme's own; none when they are not said, not
/// clear or not valid.
pub(super) fn authority<'a>(
    scheme: &str,
    uri: &'a Uri,
    headers: &HeaderMap,
) -> Option<Cow<'a, str>> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let own = uri.authority().map(Authority::as_str);
    let host = match (hosts.next(), hosts.next()) {
        (None, _) => None,
        // Most say the same twice.
        (Some(host), None) if own.is_some_and(|own| own.as_bytes() == host.as_bytes()) => None,
        (Some(host), None) => {
            let host = Authority::try_from(host.as_bytes()).ok()?;
            Some(normal(scheme, &host)?.into_owned())
        }
        (Some(_), Some(_)) => return None,
    };
    let own = uri.authority().map(|own| normal(scheme, own));
    match (own, host) {
        (Some(own), None) => own,
        (None, host) => host.map(Cow::Owned),
        (Some(own), Some(host)) => own.filter(|own| *own == host),
    }
}

fn normal<'a>(scheme: &str, authority: &'a Authority) -> Option<Cow<'a, str>> {
    let (text, host) = (authority.as_str(), authority.host());
    let port = text.strip_prefix(host)?;
    // What is before the host is a user's name, and a port is digits.
    let port = match port.strip_prefix(':') {
        Some("") => None,
        Some(port) if !port.bytes().all(|byte| byte.is_ascii_digit()) => return None,
        Some(port) => Some(port.parse::<u16>().ok()?),
        None if port.is_empty() => None,
        None => return None,
    };
    let default = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let is_lower = !host.bytes().any(|byte| byte.is_ascii_uppercase());
    match port.filter(|port| Some(*port) != default) {
        _ if host.is_empty() => None,
        Some(port) => Some(format!("{}:{port}", host.to_ascii_lowercase()).into()),
        None if is_lower => Some(host.into()),
        None => Some(host.to_ascii_lowercase().into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(uri: &str, hosts: &[&str]) -> Option<Key> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().unwrap());
        }
        Key::of(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn where_a_request_goes_must_be_certain() {
        for (uri, hosts) in [
            ("/", &[][..]),
            ("/", &["a", "b"]),
            ("/", &["a", "a"]),
            ("http://a/", &["b"]),
            ("http://a/", &["a:81"]),
            ("/", &["user@a"]),
            ("/", &["a:99999"]),
            ("/", &["a:+80"]),
            ("/", &["a/b"]),
            ("/", &["a b"]),
            ("/", &[":80"]),
            ("/", &[""]),
        ] {
            assert_eq!(of(uri, hosts), None, "{uri} {hosts:?}");
        }
    }

    #[test]
    fn different_targets_have_different_keys() {
        let all = [
            of("/", &["a"]),
            of("/", &["b"]),
            of("/", &["a:8080"]),
            of("/?", &["a"]),
            of("/?x", &["a"]),
            of("/x", &["a"]),
            of("/X", &["a"]),
            of("https://a/", &["a"]),
            of("/", &["[::1]"]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(one.is_some());
            assert!(all[at + 1..].iter().all(|other| other != one), "{one:?}");
        }
    }

    #[test]
    fn spellings_of_one_target_have_one_key() {
        assert_eq!(of("/a", &["A:80"]), of("http://a/a", &["a"]));
        assert_eq!(of("http://a/a", &["A:80"]), of("http://a:80/a", &["a:"]));
        assert_eq!(of("https://a:443/", &[]), of("https://a", &["a"]));
        assert_eq!(of("http://a?b", &[]), of("http://a/?b", &[]));
    }

    proptest! {
        #[test]
        fn hosts_never_panic(host in "[a-zA-Z0-9@:\\[\\]./%-]{0,20}") {
            let _ = of("/", &[&host]);
        }

        #[test]
        fn a_key_is_its_own_key(
            scheme in "(http|HTTP|https|ftp)",
            host in "[a-zA-Z0-9.-]{1,8}|\\[::[0-9A-F]{1,4}\\]",
            port in "(:[0-9]{0,6})?",
            rest in "(/[a-zA-Z0-9%.]{0,4}){0,3}(\\?[a-z=&/]{0,6})?",
        ) {
            let text = format!("{scheme}://{host}{port}{rest}");
            let Ok(uri) = text.parse::<Uri>() else { return Ok(()) };
            let Some(key) = Key::of(&uri, &HeaderMap::new()) else { return Ok(()) };
            prop_assert_eq!(of(key.as_str(), &[]), Some(key.clone()));
            let origin = format!("{scheme}://{host}").to_lowercase();
            prop_assert!(key.as_str().starts_with(&origin));
            let origin_and_path = key.as_str().split('?').next().unwrap_or_default();
            prop_assert_eq!(origin_and_path.matches('/').count().min(3), 3);
            let path = uri.path_and_query().map_or("/", |path| path.as_str());
            prop_assert!(key.as_str().ends_with(path));
        }

        #[test]
        fn a_port_is_digits_that_make_a_port(port in "[+ -]?[0-9]{0,6}") {
            let digits = port.bytes().all(|byte| byte.is_ascii_digit());
            let number = port.parse::<u32>().ok().filter(|number| digits && *number <= 65_535);
            let Ok(host) = http::HeaderValue::try_from(format!("a:{port}")) else { return Ok(()) };
            let key = Key::of(&Uri::from_static("/"), &HeaderMap::from_iter([(header::HOST, host)]));
            let expected = match number {
                Some(80) => Some("http://a/".to_owned()),
                Some(number) => Some(format!("http://a:{number}/")),
                None if port.is_empty() => Some("http://a/".to_owned()),
                None => None,
            };
            prop_assert_eq!(key.map(|key| key.as_str().to_owned()), expected);
        }
    }
}
