//! Single decisions: one response comes at the start, one request some seconds later.

use std::fmt::Write;

use http::StatusCode;

use super::{
    super::{Cookies, Decision, Rules, Stale, Times, decide, keep},
    START, ask, at, fields,
};

/// What is decided: `fresh`, `served stale`, `refreshing`, `504`, `bypass`, a reason to forward with
/// `+validate`, or `no: ` and why nothing was kept.
fn decided(rules: &Rules, first: &str, response: &str, later: u64, then: &str) -> String {
    let (status, lines) = response.split_once(' ').unwrap_or((response, ""));
    let (status, headers) = (StatusCode::try_from(status).unwrap(), fields(lines));
    let times = Times { asked: START, came: START };
    let entry = match keep(rules, ask(&request(first)), (status, &headers), times) {
        Ok(entry) => entry,
        Err(why) => return format!("no: {}", why.as_str()),
    };
    let then = request(then);
    match decide(rules, ask(&then), std::iter::once(&entry), at(later)) {
        Decision::Serve { stale: None, .. } => "fresh".to_owned(),
        Decision::Serve { stale: Some(Stale::Wished), .. } => "served stale".to_owned(),
        Decision::Serve { .. } => "refreshing".to_owned(),
        Decision::Missing => "504".to_owned(),
        Decision::Bypass => "bypass".to_owned(),
        Decision::Forward { why, validate } => {
            let validate = if validate.is_some() { "+validate" } else { "" };
            format!("{}{validate}", why.as_str())
        }
    }
}

/// `GET`, or `METHOD name: value | ..`, or only fields of a GET.
fn request(text: &str) -> http::Request<()> {
    let (method, lines) = match text.split_once(' ') {
        Some((method, lines)) if !method.ends_with(':') => (method, lines),
        _ if text.contains(':') || text.is_empty() => ("GET", text),
        _ => (text, ""),
    };
    let mut request = http::Request::builder().method(method).uri("http://a/b").body(()).unwrap();
    *request.headers_mut() = fields(lines);
    request
}

type Row = (&'static str, u64, &'static str, &'static str);

fn check(rules: &Rules, first: &str, rows: &[Row]) {
    let mut wrong = String::new();
    for &(response, later, then, expected) in rows {
        let got = decided(rules, first, response, later, then);
        if got != expected {
            writeln!(wrong, "{response} / {later} s / {then}: {got}, not {expected}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

fn rfc() -> Rules {
    Rules::shared().cookies(Cookies::WithExplicitFreshness)
}

#[test]
fn lifetimes_are_as_stated() {
    check(
        &rfc(),
        "",
        &[
            ("200 cache-control: max-age=10", 9, "", "fresh"),
            ("200 cache-control: max-age=10 | etag: \"a\"", 10, "", "stale+validate"),
            ("200 cache-control: max-age=10", 10, "", "stale"),
            ("200 cache-control: max-age=0 | last-modified: @-9", 0, "", "stale+validate"),
            ("200 cache-control: MaX-aGe=10", 9, "", "fresh"),
            ("200 cache-control: foo, max-age=10, bar=\"x, y\"", 9, "", "fresh"),
            ("200 cache-control: max-age=\"10\"", 9, "", "fresh"),
            ("200 cache-control: max-age=0010", 9, "", "fresh"),
            ("200 cache-control: max-age=99999999999999999999", 9_999_999, "", "fresh"),
            ("200 cache-control: s-maxage=20, max-age=1", 19, "", "fresh"),
            ("200 cache-control: max-age=20 | cache-control: s-maxage=1", 2, "", "stale"),
            ("200 cache-control: max-age=10, max-age=1", 9, "", "fresh"),
            ("200 cache-control: max-age=1 | cache-control: max-age=10", 9, "", "stale"),
            ("200 cache-control: x=\"max-age=10\", max-age=1", 9, "", "stale"),
            ("200 cache-control: max-age=1, x=\"max-age=10\"", 9, "", "stale"),
            ("200 cache-control: max-age=10 | expires: @-99", 9, "", "fresh"),
            ("200 cache-control: max-age=10 | expires: 0", 9, "", "fresh"),
            ("200 expires: @10 | date: @0", 9, "", "fresh"),
            ("200 expires: @10 | date: @0", 10, "", "stale"),
            ("200 expires: @10", 9, "", "fresh"),
            ("200 expires: @10 | date: foo", 9, "", "fresh"),
            ("200 expires: @20 | date: @10", 9, "", "fresh"),
            ("200 expires: Thursday, 18-Aug-50 02:01:18 GMT | date: @0", 9, "", "fresh"),
            ("200 expires: Mon Aug  8 02:01:18 2050 | date: @0", 9, "", "fresh"),
        ],
    );
}

#[test]
fn what_is_no_lifetime_means_stale() {
    check(
        &rfc(),
        "",
        &[
            ("200 etag: \"a\" | cache-control: max-age=-10", 0, "", "stale+validate"),
            ("200 etag: \"a\" | cache-control: max-age='10'", 0, "", "stale+validate"),
            ("200 etag: \"a\" | cache-control: max-age=10.0", 0, "", "stale+validate"),
            ("200 etag: \"a\" | cache-control: max-age=10a", 0, "", "stale+validate"),
            ("200 etag: \"a\" | cache-control: max-age", 0, "", "stale+validate"),
            ("200 etag: \"a\" | cache-control: max-age =10", 0, "", "stale+validate"),
            ("200 etag: \"a\" | cache-control: max-age= 10", 0, "", "stale+validate"),
            (
                "200 cache-control: max-age=10, no-cache =\"x\" | etag: \"a\"",
                0,
                "",
                "stale+validate",
            ),
            ("200 etag: \"a\" | cache-control: s-maxage=x, max-age=9", 0, "", "stale+validate"),
            ("200 etag: \"a\" | cache-control: max-age=0 | expires: @99", 0, "", "stale+validate"),
            ("200 etag: \"a\" | expires: 0", 0, "", "stale+validate"),
            ("200 etag: \"a\" | expires: @0 | date: @0", 0, "", "stale+validate"),
            ("200 etag: \"a\" | expires: @30 | date: @40", 0, "", "stale+validate"),
            ("200 etag: \"a\" | expires: @99 | expires: @99", 0, "", "stale+validate"),
            ("200 etag: \"a\" | expires: Thu, 18 Aug 2050 2:01:18 GMT", 0, "", "stale+validate"),
        ],
    );
}

#[test]
fn age_is_the_greatest_that_is_known() {
    check(
        &rfc(),
        "",
        &[
            ("200 cache-control: max-age=10, stale-if-error=9 | age: 10", 0, "", "stale"),
            ("200 cache-control: max-age=10 | age: 5", 4, "", "fresh"),
            ("200 cache-control: max-age=10 | age: 5", 5, "", "stale"),
            ("200 cache-control: max-age=10 | date: @-5", 5, "", "stale"),
            ("200 cache-control: max-age=10 | age: 8, 0", 2, "", "stale"),
            ("200 cache-control: max-age=10 | age: 0, 8", 2, "", "fresh"),
            ("200 cache-control: max-age=10 | age: 8 | age: 0", 2, "", "stale"),
            ("200 cache-control: max-age=10 | age: 0 | age: 8", 2, "", "fresh"),
            ("200 cache-control: max-age=10 | age: abc", 9, "", "fresh"),
            ("200 cache-control: max-age=10 | age: -8", 9, "", "fresh"),
            ("200 cache-control: max-age=10 | age: 8.0", 9, "", "fresh"),
            ("200 cache-control: max-age=10 | age: 8;a=b", 9, "", "fresh"),
            (
                "200 etag: \"a\" | cache-control: max-age=9 | age: 2147483648",
                0,
                "",
                "stale+validate",
            ),
            ("200 etag: \"a\" | expires: @10 | date: @-10 | age: 25", 0, "", "stale+validate"),
            ("200 etag: \"a\" | expires: @20 | date: @10 | age: 15", 0, "", "stale+validate"),
        ],
    );
}

#[test]
fn a_lifetime_is_guessed_only_where_that_is_allowed() {
    for status in [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501] {
        let response = format!("{status} last-modified: @-1000 | date: @0");
        assert_eq!(decided(&rfc(), "", &response, 99, ""), "fresh", "{status}");
        assert_eq!(decided(&rfc(), "", &response, 100, ""), "stale+validate", "{status}");
    }
    for status in [201, 202, 302, 303, 307, 400, 403, 500, 502, 503, 504, 599] {
        let response = format!("{status} last-modified: @-1000 | date: @0");
        assert_eq!(decided(&rfc(), "", &response, 0, ""), "no: status", "{status}");
        let public = format!("{response} | cache-control: public");
        assert_eq!(decided(&rfc(), "", &public, 99, ""), "fresh", "{status}");
        let stated = format!("{response} | cache-control: max-age=9");
        assert_eq!(decided(&rfc(), "", &stated, 8, ""), "fresh", "{status}");
    }
    check(
        &rfc(),
        "",
        &[
            ("200 last-modified: @-99999999 | date: @0", 86_399, "", "fresh"),
            ("200 last-modified: @-99999999 | date: @0", 86_400, "", "stale+validate"),
            ("200 last-modified: @1000 | date: @0", 0, "", "stale+validate"),
            ("200", 0, "", "no: no-freshness"),
            ("200 etag: \"a\"", 0, "", "stale+validate"),
        ],
    );
    let never = rfc().heuristic(tower_ballast_core::Ratio::ZERO, std::time::Duration::MAX);
    assert_eq!(decided(&never, "", "200 last-modified: @-1000", 0, ""), "stale+validate");
}

#[test]
fn what_may_not_be_kept_is_not() {
    check(
        &rfc(),
        "",
        &[
            ("200 cache-control: max-age=9, No-StOrE | expires: @9", 0, "", "no: no-store"),
            ("200 cache-control: private, max-age=9", 0, "", "no: private"),
            ("200 cache-control: max-age=9 | vary: *", 0, "", "no: vary"),
            ("200 cache-control: max-age=9 | vary: foo, *", 0, "", "no: vary"),
            ("200 cache-control: max-age=9 | vary: , *", 0, "", "no: vary"),
            ("200 cache-control: max-age=9 | vary: | vary: *", 0, "", "no: vary"),
            ("200 cache-control: max-age=9, no-cache", 0, "", "no: no-freshness"),
            ("599 cache-control: max-age=9, must-understand", 0, "", "no: status"),
            ("599 cache-control: max-age=9, no-store, must-understand", 0, "", "no: status"),
            ("200 cache-control: max-age=9, no-store, must-understand", 0, "", "fresh"),
            ("304 cache-control: max-age=9", 0, "", "no: status"),
            ("103 cache-control: max-age=9", 0, "", "no: status"),
            ("416 cache-control: max-age=9", 0, "", "no: status"),
            ("206 cache-control: max-age=9 | content-range: bytes 0-4/10", 0, "", "no: part"),
        ],
    );
    for (method, expected) in [
        ("HEAD", "no: method"),
        ("PUT", "no: method"),
        ("POST", "no: method"),
        ("M-SEARCH", "no: method"),
        ("GET content-length: 5", "no: method"),
        ("GET transfer-encoding: chunked", "no: method"),
        ("GET cache-control: no-store", "no: no-store"),
        ("GET content-length: 0", "fresh"),
    ] {
        let got = decided(&rfc(), method, "200 cache-control: max-age=9", 0, "");
        assert_eq!(got, expected, "{method}");
    }
}

#[test]
fn a_private_cache_keeps_what_is_private() {
    let rules = Rules::private();
    check(
        &rules,
        "authorization: me",
        &[
            ("200 cache-control: private, max-age=9", 8, "", "fresh"),
            ("200 cache-control: s-maxage=99, max-age=9", 10, "", "stale"),
            ("200 cdn-cache-control: max-age=99 | cache-control: max-age=9", 10, "", "stale"),
            ("599 cache-control: private | last-modified: @-1000", 0, "", "stale+validate"),
            (
                "200 cache-control: max-age=9, proxy-revalidate",
                10,
                "cache-control: max-stale",
                "served stale",
            ),
        ],
    );
}

#[test]
fn credentials_keep_answers_from_others() {
    let rows = [
        ("200 cache-control: max-age=9", 0, "", "no: authorization"),
        ("200 cache-control: max-age=9, public", 0, "", "fresh"),
        ("200 cache-control: max-age=9, must-revalidate", 0, "", "fresh"),
        ("200 cache-control: s-maxage=9", 0, "", "fresh"),
        ("200 last-modified: @-1000", 0, "", "no: authorization"),
    ];
    check(&rfc(), "authorization: me", &rows);
    check(
        &Rules::shared(),
        "cookie: a=b",
        &[
            ("200 cache-control: max-age=9", 0, "", "fresh"),
            ("200 last-modified: @-1000", 0, "", "no: authorization"),
            ("200 last-modified: @-1000 | cache-control: public", 0, "", "fresh"),
        ],
    );
}

#[test]
fn cookies_are_kept_by_policy() {
    let rows = [
        ("200 set-cookie: a=b | cache-control: max-age=9", 0, "", "fresh"),
        ("200 set-cookie: a=b | last-modified: @-1000", 0, "", "no: cookie"),
    ];
    check(&rfc(), "", &rows);
    let rows = [
        ("200 set-cookie: a=b | cache-control: max-age=9", 0, "", "no: cookie"),
        ("200 set-cookie: a=b | cache-control: max-age=9, public", 0, "", "fresh"),
    ];
    check(&Rules::shared(), "", &rows);
}

#[test]
fn targeted_fields_replace_the_others() {
    check(
        &rfc(),
        "",
        &[
            ("200 cdn-cache-control: max-age=9 | cache-control: max-age=1", 8, "", "fresh"),
            ("200 cdn-cache-control: max-age=1 | cache-control: max-age=9", 2, "", "stale"),
            ("200 cdn-cache-control: max-age=9 | cache-control: no-store", 8, "", "fresh"),
            ("200 cdn-cache-control: max-age=9 | expires: @-9", 8, "", "fresh"),
            ("200 cdn-cache-control: max-age=9, foo;bar=1", 8, "", "fresh"),
            ("200 cdn-cache-control: max-age=99999999999", 8, "", "fresh"),
            ("200 cdn-cache-control: foo | cdn-cache-control: max-age=9", 8, "", "fresh"),
            ("200 cdn-cache-control: foo | cache-control: max-age=9", 0, "", "no: no-freshness"),
            (
                "200 cdn-cache-control: max-age=0 | expires: @9 | etag: \"a\"",
                0,
                "",
                "stale+validate",
            ),
            ("200 cdn-cache-control: no-store | cache-control: max-age=9", 0, "", "no: no-store"),
            ("200 cdn-cache-control: private | cache-control: max-age=9", 0, "", "no: private"),
            (
                "200 cdn-cache-control: no-cache | etag: \"a\" | expires: @9",
                0,
                "",
                "stale+validate",
            ),
            ("200 cdn-cache-control: no-store=?0, max-age=9", 8, "", "fresh"),
            (
                "200 cdn-cache-control: max-age=9, && | cache-control: no-store",
                0,
                "",
                "no: no-store",
            ),
            (
                "200 cdn-cache-control: max-age=\"9\" | cache-control: no-store",
                0,
                "",
                "no: no-store",
            ),
            ("200 cdn-cache-control: MaX-aGe=9 | cache-control: no-store", 0, "", "no: no-store"),
            ("200 cdn-cache-control: max-age =9 | cache-control: max-age=1", 2, "", "stale"),
            ("200 cdn-cache-control: | cache-control: max-age=9", 8, "", "fresh"),
        ],
    );
}

#[test]
fn the_wishes_of_a_request_are_obeyed() {
    check(
        &rfc(),
        "",
        &[
            ("200 cache-control: max-age=9", 0, "cache-control: no-cache", "request"),
            (
                "200 etag: \"a\" | cache-control: max-age=9",
                0,
                "cache-control: no-cache",
                "request+validate",
            ),
            ("200 cache-control: max-age=9", 0, "cache-control: no-store", "fresh"),
            ("200 cache-control: max-age=9", 3, "cache-control: max-age=2", "request"),
            ("200 cache-control: max-age=9", 2, "cache-control: max-age=2", "fresh"),
            ("200 cache-control: max-age=9 | age: 5", 0, "cache-control: max-age=4", "request"),
            ("200 cache-control: max-age=9", 4, "cache-control: min-fresh=5", "fresh"),
            ("200 cache-control: max-age=9", 5, "cache-control: min-fresh=5", "request"),
            ("200 cache-control: max-age=9", 12, "cache-control: max-stale=3", "served stale"),
            ("200 cache-control: max-age=9", 13, "cache-control: max-stale=3", "stale"),
            ("200 cache-control: max-age=9", 999, "cache-control: max-stale", "served stale"),
            ("200 cache-control: max-age=9", 0, "cache-control: only-if-cached", "fresh"),
            ("200 cache-control: max-age=9", 9, "cache-control: only-if-cached", "504"),
            (
                "200 cache-control: max-age=9",
                9,
                "cache-control: max-stale, only-if-cached",
                "served stale",
            ),
            ("200 cache-control: max-age=9", 0, "pragma: no-cache", "request"),
        ],
    );
}

#[test]
fn an_immutable_response_is_not_asked_about_while_fresh() {
    check(
        &rfc(),
        "",
        &[
            ("200 cache-control: max-age=9, immutable", 5, "cache-control: max-age=0", "fresh"),
            ("200 cache-control: max-age=9, immutable", 5, "cache-control: no-cache", "request"),
            ("200 cache-control: max-age=9, immutable", 9, "cache-control: max-age=0", "request"),
            ("200 cache-control: max-age=9", 5, "cache-control: max-age=0", "request"),
        ],
    );
}

#[test]
fn what_must_be_validated_is_never_served_stale() {
    for word in ["must-revalidate", "proxy-revalidate", "s-maxage=9", "no-cache"] {
        let response = format!(
            "200 cache-control: max-age=9, stale-while-revalidate=99, {word} | etag: \"a\""
        );
        let got = decided(&rfc(), "", &response, 10, "cache-control: max-stale");
        assert_eq!(got, "stale+validate", "{word}");
    }
}

#[test]
fn stale_is_served_while_it_is_refreshed() {
    check(
        &rfc(),
        "",
        &[
            ("200 cache-control: max-age=9, stale-while-revalidate=5", 13, "", "refreshing"),
            ("200 cache-control: max-age=9, stale-while-revalidate=5", 14, "", "stale"),
            ("200 cache-control: max-age=9, stale-while-revalidate=5", 8, "", "fresh"),
            ("200 cache-control: max-age=9", 9, "", "stale"),
        ],
    );
    let rules = rfc().stale_while_revalidate(std::time::Duration::from_secs(5));
    check(
        &rules,
        "",
        &[
            ("200 cache-control: max-age=9", 13, "", "refreshing"),
            ("200 cache-control: max-age=9, stale-while-revalidate=0", 10, "", "stale"),
        ],
    );
}

#[test]
fn other_methods_go_on() {
    let response = "200 cache-control: max-age=9 | etag: \"a\"";
    for (then, expected) in [
        ("HEAD", "fresh"),
        ("POST", "bypass"),
        ("OPTIONS", "bypass"),
        ("M-SEARCH", "bypass"),
        ("CONNECT", "bypass"),
        ("TRACE", "bypass"),
        ("GET upgrade: websocket", "bypass"),
        ("GET content-length: 5", "bypass"),
        ("if-match: \"a\"", "bypass"),
        ("if-unmodified-since: @0", "bypass"),
        ("if-none-match: \"b\"", "fresh"),
        ("range: bytes=0-1", "fresh"),
        ("cookie: a=b", "fresh"),
        ("authorization: me", "fresh"),
    ] {
        assert_eq!(decided(&rfc(), "", response, 0, then), expected, "{then}");
    }
}

#[test]
fn variants_are_chosen_by_what_vary_names() {
    let fresh = |vary: &str, first: &str, then: &str, more: &str| {
        let response = format!("200 cache-control: max-age=9 | vary: {vary}{more}");
        match decided(&rfc(), first, &response, 0, then).as_str() {
            "fresh" => true,
            "vary-miss" => false,
            other => panic!("{other}"),
        }
    };
    for (vary, first, then) in [
        ("foo", "foo: 1", "foo: 1 | bar: 2"),
        ("Foo, bar", "foo: 1 | bar: x", "bar: x | foo: 1"),
        ("foo, bar", "foo: 1", "foo: 1"),
        ("foo", "foo: 1, 2", "foo: 1 | foo: 2"),
        ("foo", "foo: 1,2", "foo:  1, 2 "),
        ("foo | vary: bar", "foo: 1 | bar: 2", "foo: 1 | bar: 2"),
        ("accept-language", "accept-language: en, de", "accept-language: dE ,  En"),
        ("accept-language", "accept-language: en;q=1", "accept-language: en"),
        ("accept-encoding", "accept-encoding: gzip, br", "accept-encoding: BR,GZIP"),
    ] {
        assert!(fresh(vary, first, then, ""), "{vary}: {first} / {then}");
    }
    for (vary, first, then) in [
        ("foo", "foo: 1", "foo: 2"),
        ("foo", "foo: 1", ""),
        ("foo", "", "foo: 1"),
        ("foo", "", "foo:"),
        ("foo, bar", "foo: 1 | bar: x", "foo: 1"),
        ("foo", "foo: 1, 2", "foo: 2, 1"),
        ("foo", "foo: \"1, 2\"", "foo: \"1,2\""),
        ("foo | vary: bar", "foo: 1 | bar: 2", "foo: 1 | bar: 3"),
        ("cookie", "cookie: a=1, b=2", "cookie: a=1,b=2"),
        ("authorization", "", "authorization: me"),
        ("accept-language", "accept-language: en, de;q=0.5", "accept-language: en, de"),
        ("accept-encoding", "accept-encoding: gzip", "accept-encoding: gzip;q=0"),
    ] {
        assert!(!fresh(vary, first, then, ""), "{vary}: {first} / {then}");
    }
    let german = " | content-language: de";
    let (vary, both) = ("accept-language", "accept-language: en, de");
    assert!(fresh(vary, both, "accept-language: fr;q=0.5, de;q=1.0", german));
    assert!(!fresh(vary, both, "accept-language: fr, de;q=0.5", german));
    assert!(!fresh(vary, both, "accept-language: fr, de", german), "equal weights rank nothing");
}

#[test]
fn stale_stands_in_for_errors_only_where_it_may() {
    let seconds = std::time::Duration::from_secs;
    let may = |rules: &Rules, cache_control: &str, failure, later, then: &str| {
        let headers = fields(&format!("etag: \"a\" | cache-control: {cache_control}"));
        let times = Times { asked: START, came: START };
        let entry = keep(rules, ask(&request("")), (StatusCode::OK, &headers), times).unwrap();
        entry.may_replace(rules, ask(&request(then)), failure, at(later))
    };
    let error = |status| Some(StatusCode::from_u16(status).unwrap());
    let said = "max-age=9, stale-if-error=5";
    for status in [500, 502, 503, 504] {
        assert!(may(&rfc(), said, error(status), 13, ""), "{status}");
        assert!(!may(&rfc(), said, error(status), 14, ""), "{status}");
        assert!(!may(&rfc(), "max-age=9", error(status), 10, ""), "{status}");
    }
    for status in [404, 501, 429] {
        assert!(!may(&rfc(), said, error(status), 10, ""), "{status}");
    }
    assert!(may(&rfc(), said, None, 13, ""));
    assert!(!may(&rfc(), "max-age=9", None, 9, ""));

    let rules = rfc().stale_if_disconnected(seconds(50)).stale_if_error(seconds(7));
    assert!(may(&rules, "max-age=9", None, 58, ""));
    assert!(!may(&rules, "max-age=9", None, 59, ""));
    assert!(may(&rules, "max-age=9", error(503), 15, ""));
    assert!(!may(&rules, "max-age=9", error(503), 16, ""));
    assert!(!may(&rules, "max-age=9, stale-if-error=0", error(503), 9, ""), "its own word counts");
    for word in ["must-revalidate", "proxy-revalidate", "no-cache", "s-maxage=9"] {
        let forbidden = format!("{said}, {word}");
        assert!(!may(&rules, &forbidden, None, 10, ""), "{word}");
    }
    for then in ["cache-control: no-cache", "POST", "if-match: \"a\"", "GET content-length: 1"] {
        assert!(!may(&rules, said, None, 10, then), "{then}");
    }
}
