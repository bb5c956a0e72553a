//! Which responses are kept (RFC 9111 section 3), and how long they are fresh (section 4.2.1).

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, header};

use super::{
    age::{self, Wall},
    conditions,
    control::{Control, Wishes},
    decide::Ask,
    entry::{Entry, Extent, Times},
    fields, range,
    rules::{Cookies, Rules},
    vary::Selection,
};

/// Why a response is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unkept {
    /// Answers to this method are not.
    Method,
    /// Answers with this status are not: it is an interim one, says that nothing has changed, or is not known and must be.
    Status,
    /// The request or the response forbids it.
    NoStore,
    /// It is for one user, and the cache for many.
    Private,
    /// The request was authorised, and the response does not allow it.
    Authorization,
    /// It sets a cookie.
    Cookie,
    /// It varies by what cannot be known.
    Vary,
    /// It is a part of which is not known which, or of how much.
    Part,
    /// It says nothing of how long it is fresh, and there is nothing to validate it by.
    NoFreshness,
}

impl Unkept {
    /// The name in statistics and in `Cache-Status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Status => "status",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::Cookie => "cookie",
            Self::Vary => "vary",
            Self::Part => "part",
            Self::NoFreshness => "no-freshness",
        }
    }
}

/// What is kept of a response.
///
/// # Errors
///
/// Says why it is not.
pub fn keep(
    rules: &Rules,
    ask: Ask<'_>,
    (status, headers): (StatusCode, &HeaderMap),
    times: Times,
) -> Result<Entry, Unkept> {
    if *ask.method != Method::GET {
        return Err(Unkept::Method);
    }
    let (control, is_targeted) = Control::of(headers, &rules.targeted);
    let extent = extent(rules, status, headers)?;
    may(rules, ask, (status, headers), &control)?;
    let selection = Selection::of(ask.headers, headers).ok_or(Unkept::Vary)?;
    let (lifetime, _) = lifetime(rules, (status, headers), &control, is_targeted, times);
    let is_of_use = lifetime > age::initial(headers, times.asked, times.came)
        || conditions::has_validator(headers)
        || lifetime > Duration::ZERO;
    if !is_of_use {
        return Err(Unkept::NoFreshness);
    }
    let mut kept = headers.clone();
    fields::remove_hop_by_hop(&mut kept);
    kept.remove(header::AGE);
    for name in &control.no_cache_fields {
        kept.remove(name);
    }
    let age = age::initial(headers, times.asked, times.came);
    Ok(Entry { status, headers: kept, control, times, age, lifetime, selection, extent })
}

fn extent(rules: &Rules, status: StatusCode, headers: &HeaderMap) -> Result<Extent, Unkept> {
    if status.is_informational() || status == StatusCode::NOT_MODIFIED {
        return Err(Unkept::Status);
    }
    if status != StatusCode::PARTIAL_CONTENT {
        return Ok(Extent::Whole);
    }
    let (mut range, total) = range::content(headers).ok_or(Unkept::Part)?;
    let length: Option<u64> =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    match length {
        Some(length) if length != range.end - range.start => {
            if !rules.lenient || length > range.end - range.start {
                return Err(Unkept::Part);
            }
            range.start = range.end - length;
        }
        _ => {}
    }
    Ok(Extent::Part { range, total })
}

/// Whether it may be kept at all.
fn may(
    rules: &Rules,
    ask: Ask<'_>,
    (status, headers): (StatusCode, &HeaderMap),
    control: &Control,
) -> Result<(), Unkept> {
    if control.must_understand && !is_understood(status) {
        return Err(Unkept::Status);
    }
    // A status that is understood makes `no-store` void where `must-understand` stands beside it.
    if control.no_store && !control.must_understand || Wishes::of(ask.headers).no_store {
        return Err(Unkept::NoStore);
    }
    if rules.shared && control.private {
        return Err(Unkept::Private);
    }
    let is_allowed = control.public || control.must_revalidate || control.s_maxage.is_some();
    if rules.shared && ask.headers.contains_key(header::AUTHORIZATION) && !is_allowed {
        return Err(Unkept::Authorization);
    }
    if rules.shared && headers.contains_key(header::SET_COOKIE) {
        let is_explicit = control.public
            || rules.cookies == Cookies::WithExplicitFreshness
                && (control.max_age.is_some()
                    || control.s_maxage.is_some()
                    || headers.contains_key(header::EXPIRES));
        if !is_explicit {
            return Err(Unkept::Cookie);
        }
    }
    Ok(())
}

/// How long it is fresh, and whether it says so itself.
pub(super) fn lifetime(
    rules: &Rules,
    (status, headers): (StatusCode, &HeaderMap),
    control: &Control,
    is_targeted: bool,
    times: Times,
) -> (Duration, bool) {
    if let Some(s_maxage) = control.s_maxage.filter(|_| rules.shared) {
        return (s_maxage, true);
    }
    if let Some(max_age) = control.max_age {
        return (max_age, true);
    }
    let date = Wall::of_field(headers, &header::DATE).unwrap_or(times.came);
    if !is_targeted && headers.contains_key(header::EXPIRES) {
        // What is no date, or two of them, is in the past (RFC 9111 section 5.3).
        let expires = Wall::of_field(headers, &header::EXPIRES);
        return (expires.map_or(Duration::ZERO, |expires| expires.since(date)), true);
    }
    if !is_cacheable_by_default(status) && !control.public || control.no_cache {
        return (Duration::ZERO, false);
    }
    let modified = Wall::of_field(headers, &header::LAST_MODIFIED);
    let guessed = modified.map_or(Duration::ZERO, |modified| {
        date.since(modified).mul_f64(rules.heuristic.get()).min(rules.heuristic_most)
    });
    (guessed, false)
}

/// RFC 9110 section 15.1.
fn is_cacheable_by_default(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// Whether this cache knows what is special about a status with regard to caching.
fn is_understood(status: StatusCode) -> bool {
    is_cacheable_by_default(status) || status.canonical_reason().is_some()
}
