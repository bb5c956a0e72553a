//! What a request that changes something makes void (RFC 9111 section 4.4).

use http::{HeaderMap, Method, StatusCode, Uri, header};

use super::{ask::Ask, key::authority};

/// The targets whose entries are void after such a response: that of the request, and those of `Location` and
/// `Content-Location` of the same origin. None after a method that is safe, or a failure.
#[must_use]
pub fn outdated(ask: Ask<'_>, status: StatusCode, headers: &HeaderMap) -> Vec<Uri> {
    let is_safe = [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(ask.method);
    if is_safe || !(status.is_success() || status.is_redirection()) {
        return Vec::new();
    }
    let named = [header::LOCATION, header::CONTENT_LOCATION];
    let others = named.iter().filter_map(|name| headers.get(name)?.to_str().ok());
    let others = others.filter_map(|reference| resolve(ask, reference));
    std::iter::once(ask.uri.clone()).chain(others).collect()
}

/// Whether the response to a POST is also the one to a later GET for the same target: `Content-Location` says that it is
/// (RFC 9110 section 9.3.3).
pub(super) fn is_for_get(ask: Ask<'_>, status: StatusCode, headers: &HeaderMap) -> bool {
    let mut named = headers.get_all(header::CONTENT_LOCATION).iter();
    let (Some(reference), None) = (named.next(), named.next()) else { return false };
    let named = reference.to_str().ok().and_then(|reference| resolve(ask, reference));
    *ask.method == Method::POST && status == StatusCode::OK && named.as_ref() == Some(ask.uri)
}

/// A reference as a target of the same origin; none when it is of another.
fn resolve(ask: Ask<'_>, reference: &str) -> Option<Uri> {
    let base = ask.uri;
    let reference = reference.split('#').next()?;
    let rooted = |path: &str| {
        let mut parts = base.clone().into_parts();
        parts.path_and_query = Some(path.parse().ok()?);
        Uri::from_parts(parts).ok()
    };
    let of_own = |uri: Uri| {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        if is_of_origin(ask, &uri) { rooted(&without_dots(path)) } else { None }
    };
    if reference.starts_with("//") {
        let scheme = base.scheme_str().unwrap_or("http");
        return of_own(format!("{scheme}:{reference}").parse().ok()?);
    }
    if reference.starts_with('/') {
        return rooted(&without_dots(reference));
    }
    let is_absolute =
        reference.find(':').is_some_and(|colon| !reference[..colon].contains(['/', '?']));
    if is_absolute {
        return of_own(reference.parse().ok()?);
    }
    let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
    match reference {
        "" => Some(base.clone()),
        query if query.starts_with('?') => rooted(&format!("{}{query}", base.path())),
        path => rooted(&without_dots(&format!("{folder}/{path}"))),
    }
}

/// Whether an absolute target has the origin of the request. A request that names no scheme may have come by any.
fn is_of_origin(ask: Ask<'_>, uri: &Uri) -> bool {
    let Some(scheme) = uri.scheme_str() else { return false };
    let own = authority(scheme, ask.uri, ask.headers);
    ask.uri.scheme_str().is_none_or(|own| own.eq_ignore_ascii_case(scheme))
        && own.is_some_and(|own| authority(scheme, uri, &HeaderMap::new()) == Some(own))
}

/// RFC 3986 section 5.2.4.
fn without_dots(path: &str) -> String {
    let (path, query) = path.split_at(path.find('?').unwrap_or(path.len()));
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    /// The targets that are void after a POST to `http://a:8080/b/c?d` was answered with this reference.
    fn void(reference: &[u8]) -> Option<Vec<Uri>> {
        let (uri, none) = (Uri::from_static("http://a:8080/b/c?d"), HeaderMap::new());
        let value = HeaderValue::from_bytes(reference).ok()?;
        let headers = HeaderMap::from_iter([(header::LOCATION, value)]);
        let ask = Ask { method: &Method::POST, uri: &uri, headers: &none };
        Some(outdated(ask, StatusCode::CREATED, &headers))
    }

    /// As RFC 3986 section 5.2.4 tells it, step by step.
    fn naive(path: &str) -> String {
        let (mut input, mut output) = (path.to_owned(), String::new());
        while !input.is_empty() {
            if input.starts_with("/./") || input == "/." {
                input = format!("/{}", input.get(3..).unwrap_or_default());
            } else if input.starts_with("/../") || input == "/.." {
                input = format!("/{}", input.get(4..).unwrap_or_default());
                output.truncate(output.rfind('/').unwrap_or(0));
            } else {
                let end = input[1..].find('/').map_or(input.len(), |slash| slash + 1);
                output.push_str(&input[..end]);
                input.drain(..end);
            }
        }
        output
    }

    proptest! {
        #[test]
        fn dots_are_taken_out_as_it_is_told(path in "(/(\\.|\\.\\.|\\.\\.\\.|[a-c]|)){1,6}", query in "(\\?[./a]{0,4})?") {
            let (whole, expected) = (format!("{path}{query}"), naive(&path) + &query);
            prop_assert_eq!(without_dots(&whole), expected);
            let once = without_dots(&path);
            prop_assert_eq!(without_dots(&once), once);
        }

        #[test]
        fn nothing_of_another_origin_is_void(
            reference in "((http|https|HTTP|mailto)?:?(//)?(a|A|b|u@a)?(:[0-9]{0,4})?)?[/.?#a-c:]{0,8}",
            bytes in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            for reference in [reference.as_bytes(), &bytes] {
                for uri in void(reference).unwrap_or_default() {
                    prop_assert_eq!(uri.scheme_str(), Some("http"));
                    prop_assert_eq!(uri.authority().map(http::uri::Authority::as_str), Some("a:8080"));
                    prop_assert!(uri.path().starts_with('/'), "{}", uri);
                }
            }
        }

        #[test]
        fn a_reference_means_the_same_relative_and_absolute(path in "/[a-c.]{1,3}(/[a-c.]{0,3}){0,2}(\\?[a-c]{0,2})?") {
            let relative = void(path.as_bytes());
            prop_assert_eq!(&void(format!("http://A:8080{path}").as_bytes()), &relative);
            prop_assert_eq!(&void(format!("//a:8080{path}#x").as_bytes()), &relative);
            prop_assert_eq!(relative.map(|all| all.len()), Some(2));
        }
    }
}
