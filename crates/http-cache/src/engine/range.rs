//! Ranges of bytes (RFC 9110 section 14).

use std::ops::Range;

use http::{HeaderMap, header};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    All,
    /// From one byte to another, inclusive, or to the end.
    From(u64, Option<u64>),
    /// The last so many bytes.
    Last(u64),
    /// Several ranges, or none that is understood.
    Other,
}

impl Wanted {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut lines = headers.get_all(header::RANGE).iter();
        let Some(line) = lines.next() else { return Self::All };
        let line = line.to_str().ok().filter(|_| lines.next().is_none());
        line.and_then(Self::parse).unwrap_or(Self::Other)
    }

    fn parse(line: &str) -> Option<Self> {
        let (unit, range) = line.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = range.trim().split_once('-')?;
        let number = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().unwrap_or(u64::MAX))
        };
        match (first.trim(), last.trim()) {
            ("", "") => None,
            ("", last) => Some(Self::Last(number(last)?)),
            (first, "") => Some(Self::From(number(first)?, None)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From(first, Some(last)))
            }
        }
    }

    /// The bytes of a whole that is so long; none when there are none.
    pub(super) fn within(self, total: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::All | Self::Other => 0..total,
            Self::From(first, last) => {
                first..last.map_or(total, |last| last.saturating_add(1).min(total))
            }
            Self::Last(count) => total.saturating_sub(count)..total,
        };
        (!range.is_empty()).then_some(range)
    }
}

/// Which bytes a response with `Content-Range` holds, and of how many.
pub(super) fn content(headers: &HeaderMap) -> Option<(Range<u64>, u64)> {
    let mut lines = headers.get_all(header::CONTENT_RANGE).iter();
    let line = lines.next()?.to_str().ok().filter(|_| lines.next().is_none())?;
    let (unit, rest) = line.trim().split_once(' ')?;
    let (range, total) = rest.trim().split_once('/')?;
    let (first, last) = range.trim().split_once('-')?;
    let (first, last, total): (u64, u64, u64) =
        (first.trim().parse().ok()?, last.trim().parse().ok()?, total.trim().parse().ok()?);
    let is_right = unit.eq_ignore_ascii_case("bytes") && first <= last && last < total;
    is_right.then(|| (first..last + 1, total))
}
