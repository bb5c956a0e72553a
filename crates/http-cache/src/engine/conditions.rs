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

        #[test]
        fn tags_that_are_written_are_read(
            tags in proptest::collection::vec("(W/)?\"[!#-~]{0,5}\"", 0..5),
            space in "[ \t,]{0,3}",
        ) {
            let list = tags.join(&format!("{space},{space}"));
            prop_assert!(Tags(list.as_bytes()).eq(tags.iter().map(String::as_bytes)));
            for tag in &tags {
                let weak = HeaderValue::try_from(format!("W/{}", tag.trim_start_matches("W/"))).unwrap();
                prop_assert!(names_tag(list.as_bytes(), Some(&weak)));
            }
            let other = HeaderValue::from_static("\"\"\"");
            prop_assert!(!names_tag(list.as_bytes(), Some(&other)));
        }

        #[test]
        fn a_range_is_only_ever_of_what_has_a_strong_validator(
            if_range in "(W/)?\"[ab]\"|a|[A-Z][a-z]{2}, 06 Nov 1994 08:49:3[0-9] GMT",
            tag in proptest::option::of("(W/)?\"[ab]\"|a"),
            modified in proptest::option::of("[A-Z][a-z]{2}, 06 Nov 1994 08:49:3[0-9] GMT|a"),
        ) {
            let value = |text: &String| HeaderValue::try_from(text).unwrap();
            let mut stored = HeaderMap::new();
            stored.extend(tag.as_ref().map(|tag| (ETAG, value(tag))));
            stored.extend(modified.as_ref().map(|modified| (LAST_MODIFIED, value(modified))));
            let date = date::parse(b"Sun, 06 Nov 1994 08:49:35 GMT", Wall::EPOCH).unwrap();
            if is_range_of(&value(&if_range), &stored, date) {
                let by_tag = tag == Some(if_range.clone()) && if_range.starts_with('"');
                let earlier = if_range.get(24..25).is_some_and(|second| second < "5");
                prop_assert!(by_tag || modified == Some(if_range.clone()) && earlier);
            }
        }

        #[test]
        fn the_cache_s_own_conditions_take_the_place_of_all_others(
            tag in proptest::option::of("[!-~]{1,5}"),
            modified in proptest::option::of("[!-~]{1,5}"),
            theirs in "[!-~]{1,5}",
        ) {
            let value = |text: &String| HeaderValue::try_from(text).unwrap();
            let mut stored = HeaderMap::new();
            stored.extend(tag.as_ref().map(|tag| (ETAG, value(tag))));
            stored.extend(modified.as_ref().map(|modified| (LAST_MODIFIED, value(modified))));
            let named = [IF_NONE_MATCH, IF_MODIFIED_SINCE, IF_RANGE];
            let mut request: HeaderMap = named.into_iter().map(|name| (name, value(&theirs))).collect();
            set(&mut request, &stored);
            prop_assert_eq!(request.get(IF_NONE_MATCH), stored.get(ETAG));
            prop_assert_eq!(request.get(IF_MODIFIED_SINCE), stored.get(LAST_MODIFIED));
            prop_assert_eq!(request.get(IF_RANGE), None);
            prop_assert_eq!(has_validator(&stored), tag.is_some() || modified.is_some());
        }
    }
}
