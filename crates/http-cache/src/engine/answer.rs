//! What a client gets from a stored response.

use std::ops::Range;

use http::{
    HeaderMap, HeaderName, Method, StatusCode,
    header::{
        AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, DATE, ETAG, EXPIRES,
        LAST_MODIFIED, VARY,
    },
};

use super::{
    ask::Ask,
    conditions,
    entry::Entry,
    range::{self, Wanted},
    time::Wall,
};

/// The head of an answer, and which part of the kept body goes with it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status: 200 (or what else was kept), 206, 304 or 416.
    pub status: StatusCode,
    /// The kept fields that belong to such an answer, and its present `Age`.
    pub headers: HeaderMap,
    /// Its body.
    pub part: Part,
}

/// Which part of the kept body goes with an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    All,
    /// These bytes, counted from the first that is kept.
    Some(Range<u64>),
    /// Nothing.
    Nothing,
}

impl Entry {
    /// The answer to a request, of which `length` bytes of body are kept.
    ///
    /// The client's own conditions are answered here: `If-None-Match` by weak comparison, before `If-Modified-Since`; then
    /// a single `Range` with its `If-Range`. Several ranges at once get the whole.
    #[must_use]
    pub fn answer(&self, ask: Ask<'_>, length: u64, now: Wall) -> Answer {
        answer(self, ask, length, now)
    }
}

fn answer(entry: &Entry, ask: Ask<'_>, length: u64, now: Wall) -> Answer {
    let conditional = entry.status.is_success();
    let has =
        || conditions::is_unchanged(ask.headers, &entry.headers, entry.date, now, entry.lenient);
    if conditional && has() {
        let headers = only(entry, &OF_304, now);
        return Answer { status: StatusCode::NOT_MODIFIED, headers, part: Part::Nothing };
    }
    let start = entry.part.as_ref().map_or(0, |part| part.held.start);
    let total = entry.part.as_ref().map_or(length, |part| part.total);
    let ranged = entry.part.is_some() || entry.status == StatusCode::OK;
    let wanted =
        if ranged { range::wanted(ask, &entry.headers, entry.date, total) } else { Wanted::Whole };
    match wanted {
        Wanted::Whole => whole(entry, ask, now),
        Wanted::Slice(slice) => {
            let mut headers = all(entry, now);
            headers.insert(CONTENT_LENGTH, (slice.end - slice.start).into());
            if let Some(field) = range::field(Some(&slice), total) {
                headers.insert(CONTENT_RANGE, field);
            }
            let at = |byte: u64| byte.saturating_sub(start).min(length);
            let part = Part::Some(at(slice.start)..at(slice.end));
            Answer { status: StatusCode::PARTIAL_CONTENT, headers, part }
        }
        Wanted::Unsatisfiable => {
            let mut headers = only(entry, &[DATE], now);
            if let Some(field) = range::field(None, total) {
                headers.insert(CONTENT_RANGE, field);
            }
            Answer { status: StatusCode::RANGE_NOT_SATISFIABLE, headers, part: Part::Nothing }
        }
    }
}

fn whole(entry: &Entry, ask: Ask<'_>, now: Wall) -> Answer {
    let part = if *ask.method == Method::HEAD { Part::Nothing } else { Part::All };
    Answer { status: entry.status, headers: all(entry, now), part }
}

/// The fields of a 304 ([RFC 9110, section 15.4.5](https://www.rfc-editor.org/rfc/rfc9110#section-15.4.5)).
const OF_304: [HeaderName; 7] =
    [CACHE_CONTROL, CONTENT_LOCATION, DATE, ETAG, EXPIRES, LAST_MODIFIED, VARY];

fn all(entry: &Entry, now: Wall) -> HeaderMap {
    // Room for `Age` and `Cache-Status`: a map that is cloned has to grow for them.
    let mut headers = HeaderMap::with_capacity(entry.headers.len() + 2);
    for (name, value) in &entry.headers {
        headers.append(name, value.clone());
    }
    set_age(entry, &mut headers, now);
    headers
}

fn only(entry: &Entry, names: &[HeaderName], now: Wall) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(names.len() + 1);
    for name in names {
        for line in entry.headers.get_all(name) {
            headers.append(name, line.clone());
        }
    }
    set_age(entry, &mut headers, now);
    headers
}

fn set_age(entry: &Entry, headers: &mut HeaderMap, now: Wall) {
    headers.insert(AGE, entry.age(now).as_secs().into());
}
