//! Ranges of bytes.

use std::ops::Range;

use http::{
    HeaderMap, HeaderValue, Method,
    header::{CONTENT_RANGE, CONTENT_TYPE, IF_RANGE, RANGE},
};

use super::{ask::Ask, entry::Part, list, time::Wall};

/// Which bytes a request wants of a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All: no range, one that is not understood, or several at once.
    Whole,
    /// These; never empty.
    Slice(Range<u64>),
    /// Bytes that are not there.
    Unsatisfiable,
}

/// Which bytes of `total` a request wants of a stored response.
pub(super) fn wanted(ask: Ask<'_>, stored: &HeaderMap, date: Wall, total: u64) -> Wanted {
    let Some(range) = ask.headers.get(RANGE).filter(|_| ask.method == Method::GET) else {
        return Wanted::Whole;
    };
    let applies = match ask.headers.get(IF_RANGE) {
        Some(if_range) => super::conditions::is_range_of(if_range, stored, date),
        None => true,
    };
    if applies { of(range.as_bytes(), total) } else { Wanted::Whole }
}

/// Which bytes of `total` a `Range` means
/// ([RFC 9110, section 14.1.2](https://www.rfc-editor.org/rfc/rfc9110#section-14.1.2)).
fn of(range: &[u8], total: u64) -> Wanted {
    let Some((unit, spec)) = split(range, b'=') else { return Wanted::Whole };
    let Some((first, last)) = split(list::trimmed(spec), b'-') else { return Wanted::Whole };
    if !unit.eq_ignore_ascii_case(b"bytes") {
        return Wanted::Whole;
    }
    let slice = match (list::number(first), list::number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(total),
        (Some(first), None) if last.is_empty() => first..total,
        (None, Some(count)) if first.is_empty() => total.saturating_sub(count)..total,
        _ => return Wanted::Whole,
    };
    if slice.is_empty() { Wanted::Unsatisfiable } else { Wanted::Slice(slice) }
}

/// Which part of a whole a 206 holds, when it is one part of a known whole.
pub(super) fn part(headers: &HeaderMap) -> Option<Part> {
    let several = headers.get(CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes().to_ascii_lowercase().starts_with(b"multipart/byteranges")
    });
    let mut lines = headers.get_all(CONTENT_RANGE).iter();
    let (Some(line), None, false) = (lines.next(), lines.next(), several) else { return None };
    let (unit, rest) = split(line.as_bytes(), b' ')?;
    let (range, total) = split(rest, b'/')?;
    let (first, last) = split(range, b'-')?;
    let (first, last, total) = (list::number(first)?, list::number(last)?, list::number(total)?);
    let valid = unit.eq_ignore_ascii_case(b"bytes") && first <= last && last < total;
    valid.then(|| Part { held: first..last + 1, total })
}

/// The `Content-Range` of some bytes, or of none, of a whole.
pub(super) fn field(range: Option<&Range<u64>>, total: u64) -> Option<HeaderValue> {
    let text = match range {
        Some(range) => format!("bytes {}-{}/{total}", range.start, range.end.saturating_sub(1)),
        None => format!("bytes */{total}"),
    };
    HeaderValue::try_from(text).ok()
}

fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let middle = text.iter().position(|&byte| byte == at)?;
    Some((&text[..middle], &text[middle + 1..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_range_is_cut_to_the_whole() {
        assert_eq!(of(b"bytes=0-1", 10), Wanted::Slice(0..2));
        assert_eq!(of(b"Bytes=5-", 10), Wanted::Slice(5..10));
        assert_eq!(of(b"bytes=-3", 10), Wanted::Slice(7..10));
        assert_eq!(of(b"bytes=-30", 10), Wanted::Slice(0..10));
        assert_eq!(of(b"bytes=5-99999999999999999999", 10), Wanted::Slice(5..10));
    }

    #[test]
    fn what_is_not_there_cannot_be_given() {
        for range in [&b"bytes=10-"[..], b"bytes=10-11", b"bytes=-0"] {
            assert_eq!(of(range, 10), Wanted::Unsatisfiable);
        }
        assert_eq!(of(b"bytes=0-", 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn what_is_not_understood_means_the_whole() {
        for range in
            [&b"bytes=0-1,3-4"[..], b"bytes=2-1", b"items=0-1", b"bytes", b"bytes=a-b", b"bytes=-"]
        {
            assert_eq!(of(range, 10), Wanted::Whole);
        }
    }

    proptest! {
        #[test]
        fn a_slice_lies_within_the_whole(range in "bytes=[0-9]{0,20}-[0-9]{0,20}", total: u64) {
            if let Wanted::Slice(slice) = of(range.as_bytes(), total) {
                prop_assert!(slice.start < slice.end && slice.end <= total);
            }
        }

        #[test]
        fn a_part_lies_within_its_whole(text in "bytes [0-9]{0,20}-[0-9]{0,20}/[0-9]{0,20}") {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_RANGE, HeaderValue::try_from(text).unwrap());
            if let Some(part) = part(&headers) {
                prop_assert!(part.held.start < part.held.end && part.held.end <= part.total);
            }
        }

        #[test]
        fn a_range_means_the_bytes_that_it_names(
            first in proptest::option::of(0_u64..12),
            last in proptest::option::of(0_u64..12),
            total in 0_u64..10,
        ) {
            let named = |byte: &u64| match (first, last) {
                (Some(first), last) => first <= *byte && last.is_none_or(|last| *byte <= last),
                (None, count) => total - byte <= count.unwrap_or(0),
            };
            let bytes: Vec<u64> = (0..total).filter(named).collect();
            let text = |end: Option<u64>| end.map_or(String::new(), |end| end.to_string());
            let wanted = of(format!("bytes={}-{}", text(first), text(last)).as_bytes(), total);
            let invalid = first.is_none() && last.is_none() || last.is_some_and(|last| first > Some(last));
            let expected = match bytes.as_slice() {
                _ if invalid => Wanted::Whole,
                [] => Wanted::Unsatisfiable,
                [first, ..] => Wanted::Slice(*first..first + bytes.len() as u64),
            };
            prop_assert_eq!(wanted, expected);
        }

        #[test]
        fn a_part_that_is_written_is_read(start: u64, length in 1_u64.., rest: u64) {
            let (end, total) = (start.saturating_add(length), start.saturating_add(length).saturating_add(rest));
            let held = start..end;
            prop_assume!(start < end);
            let headers = HeaderMap::from_iter([(CONTENT_RANGE, field(Some(&held), total).unwrap())]);
            prop_assert_eq!(part(&headers), Some(Part { held, total }));
            let headers = HeaderMap::from_iter([(CONTENT_RANGE, field(None, total).unwrap())]);
            prop_assert_eq!(part(&headers), None);
        }

        #[test]
        fn no_bytes_are_too_strange(
            range in proptest::collection::vec(any::<u8>(), 0..30),
            near in "(bytes|)[ =]?[0-9*-]{0,4}[/-]?[0-9*]{0,3}/?[0-9*]{0,2}",
            total: u64,
        ) {
            for text in [&range[..], near.as_bytes()] {
                let _ = of(text, total);
                if let Ok(value) = HeaderValue::from_bytes(text) {
                    let _ = part(&HeaderMap::from_iter([(CONTENT_RANGE, value)]));
                }
            }
        }
    }
}
