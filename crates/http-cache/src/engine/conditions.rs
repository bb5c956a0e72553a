//! Validators, and the conditions that compare them.

use http::{
    HeaderMap, HeaderValue,
    header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED},
};

use super::{date, time::Wall};

/// Whether a request's own condition says that its client already has what is stored
/// ([RFC 9110, section 13.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2)).
///
/// `date` is when the stored response was made; it stands in for a missing `Last-Modified`.
pub(super) fn is_unchanged(
    request: &HeaderMap,
    stored: &HeaderMap,
    date: Wall,
    now: Wall,
    lenient: bool,
) -> bool {
    if request.contains_key(IF_NONE_MATCH) {
        let lines = request.get_all(IF_NONE_MATCH);
        return lines.iter().any(|line| names_tag(line.as_bytes(), stored.get(ETAG)));
    }
    let Some(since) = request.get(IF_MODIFIED_SINCE) else { return false };
    let Some(since_date) = date::parse(since.as_bytes(), now) else { return false };
    match stored.get(LAST_MODIFIED) {
        Some(modified) if modified == since => true,
        Some(modified) => date::parse(modified.as_bytes(), now).is_some_and(|at| at <= since_date),
        None => lenient || date <= since_date,
    }
}

/// Whether a list of tags has this one, by weak comparison.
fn names_tag(list: &[u8], tag: Option<&HeaderValue>) -> bool {
    let Some(tag) = tag.map(|tag| opaque(tag.as_bytes())) else {
        return list == b"*";
    };
    list == b"*" || Tags(list).any(|member| opaque(member) == tag)
}

/// The tag without its mark of weakness.
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// The members of a list of entity tags. A backslash escapes nothing in them.
struct Tags<'a>(&'a [u8]);

impl<'a> Iterator for Tags<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.0.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b','))?;
        let list = &self.0[start..];
        let mut quoted = false;
        let end = list.iter().position(|&byte| {
            quoted ^= byte == b'"';
            byte == b',' && !quoted
        });
        let (tag, rest) = list.split_at(end.unwrap_or(list.len()));
        self.0 = rest;
        Some(super::list::trimmed(tag))
    }
}

/// A strong `ETag`.
pub(super) fn strong_tag(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""))
}

/// A `Last-Modified` that is surely not of the same second as the response, so that nothing can
/// have changed since
/// ([RFC 9110, section 8.8.2.2](https://www.rfc-editor.org/rfc/rfc9110#section-8.8.2.2)).
pub(super) fn strong_date(headers: &HeaderMap, date: Wall) -> Option<&HeaderValue> {
    headers
        .get(LAST_MODIFIED)
        .filter(|value| date::parse(value.as_bytes(), date).is_some_and(|modified| modified < date))
}

/// The validator by which parts of one response know each other.
pub(super) fn strong(headers: &HeaderMap, date: Wall) -> Option<&HeaderValue> {
    if headers.contains_key(ETAG) { strong_tag(headers) } else { strong_date(headers, date) }
}

/// Whether a client's `If-Range` names what is stored.
pub(super) fn is_range_of(if_range: &HeaderValue, stored: &HeaderMap, date: Wall) -> bool {
    let bytes = if_range.as_bytes();
    if bytes.starts_with(b"\"") || bytes.starts_with(b"W/") {
        strong_tag(stored) == Some(if_range)
    } else {
        strong_date(stored, date) == Some(if_range)
    }
}

/// Puts the cache's own condition in the place of the client's: whether what it has is still the same.
pub(super) fn set(request: &mut HeaderMap, stored: &HeaderMap) {
    request.remove(IF_RANGE);
    for (condition, validator) in [(IF_NONE_MATCH, ETAG), (IF_MODIFIED_SINCE, LAST_MODIFIED)] {
        request.remove(&condition);
        if let Some(value) = stored.get(validator) {
            request.insert(condition, value.clone());
        }
    }
}

/// Whether there is something to ask by.
pub(super) fn has_validator(headers: &HeaderMap) -> bool {
    headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commas_and_backslashes_belong_to_tags() {
        let tags: Vec<_> = Tags(br#" W/"a,b" ,, "c\", "d""#).collect();
        assert_eq!(tags, [&br#"W/"a,b""#[..], br#""c\""#, br#""d""#]);
    }

    #[test]
    fn comparison_of_tags_is_weak() {
        let tag = HeaderValue::from_static("W/\"a\"");
        assert!(names_tag(b"\"b\", \"a\"", Some(&tag)));
        assert!(!names_tag(b"\"b\"", Some(&tag)));
        assert!(names_tag(b"*", Some(&tag)));
        assert!(names_tag(b"*", None), "a star stands for anything that is there");
    }

    proptest! {
        #[test]
        fn reading_tags_ends(list in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(Tags(&list).count() <= 60);
        }
    }
}
