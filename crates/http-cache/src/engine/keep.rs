//! Which responses are kept (RFC 9111 section 3).

use http::{
    HeaderMap, HeaderName, Method, StatusCode,
    header::{CONNECTION, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};

use super::{
    ask::{Ask, Facts},
    conditions,
    directives::Directives,
    entry::Entry,
    freshness, list, purge, range,
    rules::{Cookies, Rules},
    time::Times,
    vary::Selecting,
};

/// Why a response is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unkept {
    /// Answers to this method are not.
    Method,
    /// Answers with this status are not: it is an interim one, answers to fields that no key knows, is not known and must
    /// be, or says nothing of how long it is fresh.
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
/// The answer to a POST is kept for later GETs, if it says how long it is fresh and its `Content-Location` is the target
/// ([RFC 9110, section 9.3.3](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.3)); what it makes void goes first.
///
/// ```
/// use http::{HeaderMap, Method, StatusCode, Uri};
/// use tower_ballast_http_cache::engine::{Ask, Rules, Times, Unkept, Wall, keep};
///
/// let (uri, none) = (Uri::from_static("http://example.com/"), HeaderMap::new());
/// let ask = Ask { method: &Method::GET, uri: &uri, headers: &none };
/// let mut headers = HeaderMap::new();
/// headers.insert("cache-control", "no-store".parse().unwrap());
/// let times = Times { asked: Wall::EPOCH, came: Wall::EPOCH };
///
/// let kept = keep(&Rules::shared(), ask, (StatusCode::OK, &headers), times);
/// assert_eq!(kept.unwrap_err(), Unkept::NoStore);
/// ```
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
    let facts = Facts::of(ask.headers);
    let is_post = *ask.method == Method::POST;
    if !is_post && (*ask.method != Method::GET || facts.body) {
        return Err(Unkept::Method);
    }
    if status.is_informational() || answers_the_unkeyed(status) {
        return Err(Unkept::Status);
    }
    if facts.wishes.no_store {
        return Err(Unkept::NoStore);
    }
    let directives = Directives::of(rules, headers);
    let selecting = Selecting::of(headers, ask.headers).ok_or(Unkept::Vary)?;
    let mut entry = Entry::new(rules, (status, headers), directives, selecting, times);
    if status == StatusCode::PARTIAL_CONTENT {
        let part = range::part(headers).filter(|_| facts.range).ok_or(Unkept::Part)?;
        entry = entry.of_part(rules, part).ok_or(Unkept::Part)?;
    }
    if is_post && !(entry.lifetime.stated && purge::is_for_get(ask, status, headers)) {
        return Err(Unkept::Method);
    }
    judge(rules, &facts, &entry)?;
    Ok(entry)
}

impl Entry {
    /// Whether it may still be kept after it was made fresh by the answer to this request. What it says of itself counts
    /// whole, with what is not kept of it.
    ///
    /// # Errors
    ///
    /// Says why it may not.
    pub fn may_stay(&self, rules: &Rules, ask: Ask<'_>) -> Result<(), Unkept> {
        let facts = Facts::of(ask.headers);
        if facts.wishes.no_store {
            return Err(Unkept::NoStore);
        }
        Selecting::of(&self.headers, ask.headers).ok_or(Unkept::Vary)?;
        judge(rules, &facts, self)
    }
}

/// Whether what is made of a response may be kept, as far as it depends on the response.
fn judge(rules: &Rules, facts: &Facts, entry: &Entry) -> Result<(), Unkept> {
    let Directives { public, private, no_store, must_understand, .. } = entry.directives;
    if must_understand && !is_understood(entry.status) {
        return Err(Unkept::Status);
    }
    if no_store && !must_understand {
        return Err(Unkept::NoStore);
    }
    if rules.shared && private {
        return Err(Unkept::Private);
    }
    if rules.shared && facts.authorization && !entry.directives.open_to_all() {
        return Err(Unkept::Authorization);
    }
    let stated = entry.lifetime.stated;
    let careful = rules.shared && rules.cookies == Cookies::IfPublic;
    if rules.shared
        && entry.headers.contains_key(SET_COOKIE)
        && !(if careful { public } else { stated })
    {
        return Err(Unkept::Cookie);
    }
    if careful && facts.cookie && !stated && !public {
        return Err(Unkept::Authorization);
    }
    // `private` is here only in a private cache, where it is as good as `public`.
    if !(stated || public || private || freshness::may_be_guessed(entry.status)) {
        return Err(Unkept::Status);
    }
    if is_useless(rules, entry) { Err(Unkept::NoFreshness) } else { Ok(()) }
}

/// Whether it could never answer anything: it must be validated and cannot be, or it was stale
/// when it came and may not be served so.
fn is_useless(rules: &Rules, entry: &Entry) -> bool {
    let never_alone = entry.directives.no_cache || entry.useless_from(rules) <= entry.came();
    never_alone && !conditions::has_validator(&entry.headers)
}

/// Statuses that answer to fields which no key knows: kept, one client's request would refuse
/// all others.
fn answers_the_unkeyed(status: StatusCode) -> bool {
    matches!(status.as_u16(), 304 | 401 | 407 | 412 | 416 | 417 | 421 | 425 | 426 | 428 | 431 | 511)
}

/// The statuses whose meaning for caches is implemented here, for `must-understand`.
fn is_understood(status: StatusCode) -> bool {
    let status = status.as_u16();
    freshness::may_be_guessed(StatusCode::from_u16(status).unwrap_or_default())
        || matches!(status, 201 | 202 | 302 | 303 | 307 | 400 | 402 | 403 | 406 | 409 | 413 | 415)
        || matches!(status, 422 | 429 | 451 | 500 | 502..=505)
}

/// The fields that may be kept: not those of the connection, nor those that the response
/// withholds.
pub(super) fn kept(headers: &HeaderMap, directives: &Directives) -> HeaderMap {
    let mut kept = HeaderMap::with_capacity(headers.keys_len() + 1);
    for (name, value) in headers {
        if !is_of_connection(headers, name) && !directives.withheld.contains(name) {
            kept.append(name, value.clone());
        }
    }
    kept
}

/// Fields that belong to one connection
/// ([RFC 9110, section 7.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1)).
pub(super) fn is_of_connection(headers: &HeaderMap, name: &HeaderName) -> bool {
    const KNOWN: [HeaderName; 5] = [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
    let named = |member: &[u8]| member.eq_ignore_ascii_case(name.as_str().as_bytes());
    KNOWN.contains(name)
        || name.as_str() == "keep-alive"
        || name.as_str().starts_with("proxy-")
        || list::members(headers, CONNECTION).any(named)
}
