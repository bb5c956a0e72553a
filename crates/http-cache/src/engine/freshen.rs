//! What a 304, or the answer to a HEAD, does to an entry (RFC 9111 sections 3.2, 4.3.4 and 4.3.5).

use http::{
    HeaderMap, HeaderName,
    header::{AGE, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, DATE, ETAG, LAST_MODIFIED},
};

use super::{
    directives::Directives, entry::Entry, freshness, keep::is_of_connection, rules::Rules,
    time::Times, vary::Selecting,
};

/// Makes an entry fresh by the fields of a 304 or of the answer to a HEAD: each field that they bear takes the place of
/// all lines of that name, and ages are counted anew.
///
/// What describes the kept body stays: `Content-Length`, `Content-Encoding`, `Content-Range`, `Content-MD5`, and the `ETag`
/// that the origin was asked about and has confirmed. (Some servers answer for `"a-gzip"` with a 304 that bears `"a"`.)
/// If it varies by other fields from now on, it is for no further request: what they were in the first is not known.
#[must_use]
pub fn freshen(rules: &Rules, entry: &Entry, headers: &HeaderMap, times: Times) -> Entry {
    let mut all = entry.headers.clone();
    // Without these the new head came just now, and is as old as its way.
    all.remove(AGE);
    all.remove(DATE);
    for name in headers.keys().filter(|name| !is_of_body(entry, name)) {
        all.remove(name);
        for line in headers.get_all(name) {
            all.append(name, line.clone());
        }
    }
    let directives = Directives::of(rules, &all);
    let selecting = match Selecting::of(&all, &HeaderMap::new()) {
        Some(new) if new.names_same(&entry.selecting) => entry.selecting.clone(),
        _ => Selecting::nobody(),
    };
    let mut fresh = Entry::new(rules, (entry.status, &all), directives, selecting, times);
    // Fields of the connection that came along are not kept, so they take the place of none that is (section 3.1).
    for name in headers.keys().filter(|name| *name != AGE && is_of_connection(headers, name)) {
        let is_gone =
            !fresh.headers.contains_key(name) && !fresh.directives.withheld.contains(name);
        for line in entry.headers.get_all(name).iter().filter(|_| is_gone) {
            fresh.headers.append(name, line.clone());
        }
    }
    fresh.part.clone_from(&entry.part);
    fresh.length = entry.length;
    fresh
}

/// Whether a field describes the body that is kept, so that a new head cannot change it.
fn is_of_body(entry: &Entry, name: &HeaderName) -> bool {
    [CONTENT_LENGTH, CONTENT_ENCODING, CONTENT_RANGE].contains(name)
        || name.as_str() == "content-md5"
        || (*name == ETAG && entry.headers.contains_key(ETAG))
}

/// Whether the answer to a HEAD tells of the very representation that is kept, as far as it says.
#[must_use]
pub fn is_same(entry: &Entry, headers: &HeaderMap) -> bool {
    let same =
        |name| headers.get(&name).is_none_or(|value| entry.headers.get(&name) == Some(value));
    let total = entry.part.as_ref().map(|part| part.total).or(entry.length);
    let length = freshness::single_number(headers, CONTENT_LENGTH);
    let as_long = length.is_none() || total.is_none() || length == total;
    entry.status.is_success() && same(ETAG) && same(LAST_MODIFIED) && as_long
}
