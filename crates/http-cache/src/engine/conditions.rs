//! Conditions of requests, and what answers them (RFC 9110 section 13).

use http::{HeaderMap, header};

use super::{age::Wall, entry::Entry};

/// An entity tag, and whether it is weak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    pub(super) opaque: &'a [u8],
    pub(super) weak: bool,
}

impl<'a> Tag<'a> {
    pub(super) fn of(headers: &'a HeaderMap) -> Option<Self> {
        headers.get(header::ETAG).map(|tag| Self::parse(tag.as_bytes()))
    }

    fn parse(tag: &'a [u8]) -> Self {
        match tag.strip_prefix(b"W/") {
            Some(opaque) => Self { opaque, weak: true },
            None => Self { opaque: tag, weak: false },
        }
    }

    fn is_weakly(self, other: Tag<'_>) -> bool {
        self.opaque == other.opaque
    }

    pub(super) fn is_strongly(self, other: Tag<'_>) -> bool {
        !self.weak && !other.weak && self.opaque == other.opaque
    }
}

/// Whether the client has the very same already, so that it is told that and no more. `If-None-Match` goes before
/// `If-Modified-Since` (RFC 9110 section 13.2.2, RFC 9111 section 4.3.2).
pub(super) fn has_it(request: &HeaderMap, entry: &Entry) -> bool {
    let headers = &entry.headers;
    if request.contains_key(header::IF_NONE_MATCH) {
        let own = Tag::of(headers);
        return request.get_all(header::IF_NONE_MATCH).iter().any(|line| {
            tags(line.as_bytes())
                .any(|tag| tag.opaque == b"*" || own.is_some_and(|own| own.is_weakly(tag)))
        });
    }
    let Some(since) = Wall::of_field(request, &header::IF_MODIFIED_SINCE) else { return false };
    let modified = Wall::of_field(headers, &header::LAST_MODIFIED)
        .or_else(|| Wall::of_field(headers, &header::DATE))
        .unwrap_or(entry.times.came);
    modified.as_seconds() <= since.as_seconds()
}

/// The tags of a list, in which a comma may stand within quotes.
fn tags(line: &[u8]) -> impl Iterator<Item = Tag<'_>> {
    let mut rest = line;
    std::iter::from_fn(move || {
        while let [b' ' | b'\t' | b',', after @ ..] = rest {
            rest = after;
        }
        if rest.is_empty() {
            return None;
        }
        let (mut quoted, mut end) = (false, rest.len());
        for (at, byte) in rest.iter().enumerate() {
            match byte {
                b'"' => quoted = !quoted,
                b',' if !quoted => {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        let (tag, after) = rest.split_at(end);
        rest = after;
        Some(Tag::parse(tag.trim_ascii()))
    })
}

/// Whether a range may be cut from the entry for all that `If-Range` says (RFC 9110 section 13.1.5).
pub(super) fn allows_range(request: &HeaderMap, entry: &Entry) -> bool {
    let Some(condition) = request.get(header::IF_RANGE) else { return true };
    let condition = condition.as_bytes();
    if condition.starts_with(b"\"") || condition.starts_with(b"W/") {
        let wanted = Tag::parse(condition);
        return Tag::of(&entry.headers).is_some_and(|own| own.is_strongly(wanted));
    }
    entry.headers.get(header::LAST_MODIFIED).is_some_and(|own| own.as_bytes() == condition)
}

/// Whether the request sets conditions of its own.
pub(super) fn are_set(request: &HeaderMap) -> bool {
    [
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_UNMODIFIED_SINCE,
        header::IF_RANGE,
    ]
    .iter()
    .any(|name| request.contains_key(name))
}

/// Conditions that only the origin can answer.
pub(super) fn are_for_origin(request: &HeaderMap) -> bool {
    request.contains_key(header::IF_MATCH) || request.contains_key(header::IF_UNMODIFIED_SINCE)
}

/// Puts the cache's own condition in the place of the client's: whether what it has is still the same.
pub(super) fn set(request: &mut HeaderMap, entry: &Entry) {
    for name in [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_RANGE] {
        request.remove(name);
    }
    if let Some(tag) = entry.headers.get(header::ETAG) {
        request.insert(header::IF_NONE_MATCH, tag.clone());
    }
    if let Some(modified) = entry.headers.get(header::LAST_MODIFIED) {
        request.insert(header::IF_MODIFIED_SINCE, modified.clone());
    }
}

/// Whether there is something to ask by.
pub(super) fn has_validator(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ETAG) || headers.contains_key(header::LAST_MODIFIED)
}
