//! What a 304, or the answer to a HEAD, does to an entry (RFC 9111 sections 3.2, 4.3.4 and 4.3.5).

use http::{HeaderMap, HeaderName, header};

use super::{
    age,
    conditions::Tag,
    control::Control,
    entry::{Entry, Times},
    fields, keep,
    rules::Rules,
};

/// The fields that describe the body which is kept, and so stay as they are.
const OF_BODY: [HeaderName; 4] = [
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
    header::TRANSFER_ENCODING,
];

/// Makes an entry fresh by the fields of a 304 or of the answer to a HEAD: each field that they bear takes the place of
/// all lines of that name, and ages are counted anew.
#[must_use]
pub fn freshen(rules: &Rules, entry: &Entry, headers: &HeaderMap, times: Times) -> Entry {
    let mut fresh = entry.clone();
    let mut new = headers.clone();
    fields::remove_hop_by_hop(&mut new);
    new.remove(header::AGE);
    for name in OF_BODY {
        new.remove(name);
    }
    for name in new.keys() {
        fresh.headers.remove(name);
    }
    for (name, value) in &new {
        fresh.headers.append(name, value.clone());
    }
    let (control, is_targeted) = Control::of(&fresh.headers, &rules.targeted);
    let (lifetime, _) =
        keep::lifetime(rules, (fresh.status, &fresh.headers), &control, is_targeted, times);
    let mut dated = fresh.headers.clone();
    if let Some(age) = headers.get(header::AGE) {
        dated.insert(header::AGE, age.clone());
    }
    if !headers.contains_key(header::DATE) {
        dated.remove(header::DATE);
    }
    fresh.age = age::initial(&dated, times.asked, times.came);
    (fresh.control, fresh.lifetime, fresh.times) = (control, lifetime, times);
    fresh
}

/// Whether a response tells of the very representation that is kept: their validators and lengths are the same where both
/// have them.
#[must_use]
pub fn is_same(entry: &Entry, headers: &HeaderMap) -> bool {
    let (own, other) = (Tag::of(&entry.headers), Tag::of(headers));
    let tags = match (own, other) {
        (Some(own), Some(other)) => own.is_strongly(other) || own == other,
        _ => true,
    };
    let alike = |name| match (entry.headers.get(&name), headers.get(&name)) {
        (Some(own), Some(other)) => own == other,
        _ => true,
    };
    tags && alike(header::LAST_MODIFIED) && alike(header::CONTENT_LENGTH)
}
