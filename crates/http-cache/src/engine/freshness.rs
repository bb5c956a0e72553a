//! How old a response is, and how long it is fresh.

use std::time::Duration;

use http::{
    HeaderMap, HeaderName, StatusCode,
    header::{AGE, DATE, EXPIRES, LAST_MODIFIED},
};

use super::{
    date,
    directives::Directives,
    list,
    rules::Rules,
    time::{Times, Wall},
};

/// How long a response is fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lifetime {
    pub(super) length: Duration,
    /// The response states it; otherwise it is guessed, or nothing.
    pub(super) stated: bool,
}

/// Its lifetime, counted from its origin
/// ([RFC 9111, section 4.2.1](https://www.rfc-editor.org/rfc/rfc9111#section-4.2.1)).
pub(super) fn lifetime(
    rules: &Rules,
    status: StatusCode,
    headers: &HeaderMap,
    directives: &Directives,
    date: Wall,
) -> Lifetime {
    let for_shared = directives.s_maxage.filter(|_| rules.shared);
    let stated = for_shared.or(directives.max_age).or_else(|| {
        // A targeted field replaces `Expires` too.
        if directives.targeted { None } else { expires(headers, date) }
    });
    match stated {
        Some(length) => Lifetime { length, stated: true },
        None => Lifetime { length: guess(rules, status, headers, directives, date), stated: false },
    }
}

/// The lifetime by `Expires`. Several lines, or what is no date, mean stale.
fn expires(headers: &HeaderMap, date: Wall) -> Option<Duration> {
    let mut lines = headers.get_all(EXPIRES).iter();
    let line = lines.next()?;
    let single = lines.next().is_none();
    let until = date::parse(line.as_bytes(), date).filter(|_| single);
    Some(until.map_or(Duration::ZERO, |until| until.since(date)))
}

/// A share of the time since the last change
/// ([RFC 9111, section 4.2.2](https://www.rfc-editor.org/rfc/rfc9111#section-4.2.2)).
fn guess(
    rules: &Rules,
    status: StatusCode,
    headers: &HeaderMap,
    directives: &Directives,
    date: Wall,
) -> Duration {
    if !directives.public && !may_be_guessed(status) {
        return Duration::ZERO;
    }
    let modified = headers.get(LAST_MODIFIED).and_then(|at| date::parse(at.as_bytes(), date));
    modified.map_or(Duration::ZERO, |modified| {
        // Share and time are finite and not negative, so the product is a duration.
        date.since(modified).mul_f64(rules.heuristic.get()).min(rules.heuristic_most)
    })
}

/// The statuses that may be stored without a stated lifetime
/// ([RFC 9110, section 15.1](https://www.rfc-editor.org/rfc/rfc9110#section-15.1)).
pub(super) fn may_be_guessed(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// When the response was made; when it came, if it does not say so.
pub(super) fn date(headers: &HeaderMap, answered: Wall) -> Wall {
    let stated = headers.get(DATE).and_then(|line| date::parse(line.as_bytes(), answered));
    stated.unwrap_or(answered)
}

/// How old it was when it came: the greater of what `Date` and what `Age` say.
pub(super) fn initial_age(headers: &HeaderMap, times: Times, date: Wall) -> Duration {
    let apparent = times.came.since(date);
    let corrected = age(headers).saturating_add(times.came.passed_since(times.asked));
    apparent.max(corrected)
}

/// The first member of `Age`; what is no number counts as nothing.
fn age(headers: &HeaderMap) -> Duration {
    let first = list::members(headers, AGE).next().and_then(list::number);
    Duration::from_secs(first.unwrap_or_default())
}

/// The number in a field; `None` when it is absent or none.
pub(super) fn single_number(headers: &HeaderMap, name: HeaderName) -> Option<u64> {
    headers.get(name).map(|line| list::trimmed(line.as_bytes())).and_then(list::number)
}
