//! Stories of several requests to one cache.

use http::{Request, Response};
use tower_ballast_core::clock::Nanos;

use super::{
    super::{Cookies, Entry, Rules, Times, Wall, keep},
    START, ask, at, fields,
    shell::{Cache, Got, Reply},
};

fn get(lines: &str) -> Request<()> {
    request("GET", "/b", lines)
}

fn request(method: &str, path: &str, lines: &str) -> Request<()> {
    let uri = format!("http://a{path}");
    let mut request = Request::builder().method(method).uri(uri).body(()).unwrap();
    *request.headers_mut() = fields(lines);
    request
}

#[allow(clippy::unnecessary_wraps, reason = "what an origin gives: a reply, or nothing")]
fn reply(status: u16, lines: &str, body: &'static str) -> Reply {
    let mut response = Response::builder().status(status).body(body).unwrap();
    *response.headers_mut() = fields(lines);
    Some(response)
}

fn rules() -> Rules {
    Rules::shared().cookies(Cookies::WithExplicitFreshness)
}

fn cache() -> Cache {
    Cache::new(rules())
}

fn kept(cache: &mut Cache, lines: &str, body: &'static str) {
    let got = cache.ask(&get(""), |_| reply(200, lines, body));
    assert_eq!(got.done(), "fwd=uri-miss; stored", "{lines}");
}

fn hit(cache: &mut Cache, lines: &str) -> Got {
    let got = cache.ask(&get(lines), |_| panic!("the origin is asked: {lines}"));
    assert_eq!(got.done(), "hit", "{lines}");
    got
}

#[test]
fn a_hit_bears_its_age_and_keeps_date_and_expires() {
    let mut cache = cache();
    kept(&mut cache, "date: @-2 | expires: @98 | age: 30", "body");
    cache.wait(5);
    let got = hit(&mut cache, "");
    assert_eq!((got.status, got.body, got.field("age")), (200, "body", "35"));
    assert_eq!(got.field("date"), super::date("-2"));
    assert_eq!(got.field("expires"), super::date("98"));
    assert_eq!(got.field("cache-status"), "test; hit");
}

#[test]
fn a_missing_date_is_written() {
    let mut cache = cache();
    kept(&mut cache, "cache-control: max-age=9", "");
    cache.wait(5);
    assert_eq!(hit(&mut cache, "").field("date"), super::date("0"));
}

#[test]
fn fields_of_the_connection_are_not_kept() {
    let mut cache = cache();
    let lines = "cache-control: max-age=9 | connection: a, B | a: 1 | b: 2 | c: 3 | keep-alive: 5 \
                 | proxy-authenticate: x | proxy-connection: x | te: x | upgrade: x";
    kept(&mut cache, lines, "");
    let got = hit(&mut cache, "");
    let mut names: Vec<_> = got.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["age", "c", "cache-control", "cache-status", "date"]);
}

#[test]
fn fields_that_no_cache_and_private_name_are_not_kept() {
    let mut cache = cache();
    let lines =
        "cache-control: max-age=9, no-cache=\"a, b\", private=\"c\" | a: 1 | b: 2 | c: 3 | d: 4";
    kept(&mut cache, lines, "");
    let got = hit(&mut cache, "");
    assert_eq!(["a", "b", "c", "d"].map(|name| got.field(name)), ["", "", "", "4"]);
}

#[test]
fn what_is_not_kept_of_a_response_counts_all_the_same() {
    for lines in [
        "cache-control: max-age=60, no-cache=\"age\" | age: 50",
        "cache-control: max-age=60, private=\"date\" | date: @-50",
        "cache-control: max-age=60 | connection: age, date | age: 40 | date: @-50",
        "connection: expires | expires: @10 | last-modified: @-9000",
    ] {
        let mut cache = cache();
        kept(&mut cache, &format!("{lines} | etag: \"a\""), "body");
        cache.wait(9);
        hit(&mut cache, "");
        cache.wait(1);
        let got = cache.ask(&get(""), |_| reply(200, "", "new"));
        assert_eq!(got.done(), "fwd=stale", "{lines}");
    }
}

#[test]
fn a_304_that_may_not_be_kept_ends_what_is_there() {
    for lines in [
        "cache-control: no-store",
        "cache-control: private",
        "cache-control: no-store | connection: cache-control",
        "vary: *",
    ] {
        let mut cache = cache();
        kept(&mut cache, "cache-control: max-age=9 | etag: \"a\"", "body");
        cache.wait(9);
        let got = cache.ask(&get(""), |_| reply(304, lines, ""));
        assert_eq!((got.status, got.body, got.done()), (200, "body", "fwd=stale"), "{lines}");
        let got = cache.ask(&get(""), |_| reply(200, "", "new"));
        assert_eq!(got.done(), "fwd=uri-miss", "{lines}");
    }
}

#[test]
fn head_is_answered_from_a_stored_get() {
    let mut cache = cache();
    kept(&mut cache, "cache-control: max-age=9 | content-length: 4", "body");
    let got = cache.ask(&request("HEAD", "/b", ""), |_| panic!());
    assert_eq!((got.status, got.body, got.field("content-length")), (200, "", "4"));
}

#[test]
fn a_condition_of_the_client_is_answered_from_what_is_stored() {
    let mut cache = cache();
    let lines = "cache-control: max-age=99 | etag: W/\"a\" | last-modified: @-50 | date: @0 | x: 1";
    kept(&mut cache, lines, "body");
    for condition in [
        "if-none-match: \"a\"",
        "if-none-match: \"b\", W/\"a\"",
        "if-none-match: *",
        "if-none-match: \"a\" | if-modified-since: @-99",
        "if-modified-since: @-50",
        "if-modified-since: @-20",
    ] {
        let got = hit(&mut cache, condition);
        assert_eq!((got.status, got.body), (304, ""), "{condition}");
        assert_eq!((got.field("etag"), got.field("x"), got.field("age")), ("W/\"a\"", "", "0"));
    }
    for condition in [
        "if-none-match: \"b\"",
        "if-none-match: \"b\" | if-modified-since: @-20",
        "if-modified-since: @-51",
        "if-modified-since: soon",
    ] {
        assert_eq!(hit(&mut cache, condition).status, 200, "{condition}");
    }
}

#[test]
fn a_date_stands_in_for_a_missing_last_modified() {
    let mut strict = cache();
    kept(&mut strict, "cache-control: max-age=99 | date: @0", "");
    assert_eq!(hit(&mut strict, "if-modified-since: @0").status, 304);
    assert_eq!(hit(&mut strict, "if-modified-since: @-30").status, 200);

    let mut lenient = Cache::new(rules().lenient(true));
    kept(&mut lenient, "cache-control: max-age=99 | date: @0", "");
    assert_eq!(hit(&mut lenient, "if-modified-since: @-30").status, 304);
}

#[test]
fn the_cache_asks_with_its_own_validators() {
    let mut cache = cache();
    kept(
        &mut cache,
        "cache-control: max-age=2 | etag: \"a\" | last-modified: @-50 | x: 1 | x: 2",
        "body",
    );
    cache.wait(3);
    let got = cache.ask(&get("if-none-match: \"z\" | if-match: | foo: 1"), |_| reply(304, "", ""));
    assert_eq!(
        got.status, 304,
        "an `If-Match` is for the origin, and so are all conditions with it"
    );

    let got = cache.ask(&get("if-none-match: \"z\" | foo: 1"), |_| reply(304, "x: 3 | x: 4", ""));
    assert_eq!((got.status, got.body, got.done()), (200, "body", "fwd=stale; stored"));
    assert_eq!(got.sent.as_ref().unwrap()["if-none-match"], "\"a\"");
    assert_eq!(got.sent.as_ref().unwrap()["if-modified-since"], super::date("-50"));
    assert_eq!(got.sent.as_ref().unwrap()["foo"], "1");
    let lines: Vec<_> = got.headers.get_all("x").iter().collect();
    assert_eq!(lines, ["3", "4"]);
    assert_eq!(hit(&mut cache, "").field("x"), "3");
}

#[test]
fn after_a_304_the_client_s_own_condition_is_answered() {
    let mut cache = cache();
    kept(&mut cache, "cache-control: max-age=2 | etag: \"a\"", "body");
    cache.wait(3);
    let got = cache.ask(&get("if-none-match: \"a\""), |_| reply(304, "", ""));
    assert_eq!((got.status, got.body), (304, ""));
}

#[test]
fn a_304_changes_nothing_that_describes_the_body() {
    let mut cache = cache();
    let stored = "content-length: 4 | content-encoding: x | content-range: r | content-md5: m";
    kept(
        &mut cache,
        &format!("cache-control: max-age=2 | etag: \"a\" | age: 1 | {stored}"),
        "body",
    );
    cache.wait(3);
    let news = "content-length: 9 | content-encoding: y | content-range: s | content-md5: n \
                | etag: \"b\" | transfer-encoding: z | content-type: t | cache-control: max-age=7";
    cache.ask(&get(""), |_| reply(304, news, ""));
    cache.wait(6);
    let got = hit(&mut cache, "");
    let names = ["content-length", "content-encoding", "content-range", "content-md5", "etag"];
    assert_eq!(names.map(|name| got.field(name)), ["4", "x", "r", "m", "\"a\""]);
    assert_eq!(got.field("transfer-encoding"), "");
    assert_eq!((got.field("content-type"), got.field("age")), ("t", "6"), "its age begins anew");
}

#[test]
fn a_304_that_forbids_keeping_ends_it() {
    let mut cache = cache();
    kept(&mut cache, "cache-control: max-age=2 | etag: \"a\"", "body");
    cache.wait(3);
    let got = cache.ask(&get(""), |_| reply(304, "cache-control: no-store", ""));
    assert_eq!((got.body, got.done()), ("body", "fwd=stale"));
    let got = cache.ask(&get(""), |_| reply(200, "", "new"));
    assert_eq!(got.done(), "fwd=uri-miss");
}

#[test]
fn a_new_response_takes_the_place_of_the_old() {
    let mut cache = cache();
    kept(&mut cache, "cache-control: max-age=2 | etag: \"a\"", "old");
    cache.wait(3);
    cache.ask(&get(""), |_| reply(200, "cache-control: max-age=2 | etag: \"b\"", "new"));
    assert_eq!(hit(&mut cache, "").body, "new");
}

#[test]
fn head_freshens_or_ends_a_stored_get() {
    let stored = "cache-control: max-age=2 | etag: \"a\" | content-length: 4 | x: 1";
    let after = |status, lines: &str| {
        let mut cache = cache();
        kept(&mut cache, stored, "body");
        cache.wait(3);
        cache.ask(&request("HEAD", "/b", ""), |_| reply(status, lines, ""));
        let got = cache.ask(&get(""), |_| reply(304, "", ""));
        (got.status, got.field("x").to_owned(), got.done().to_owned())
    };
    let longer = "cache-control: max-age=9 | x: 2";
    let same = format!("{longer} | etag: \"a\" | content-length: 4");
    assert_eq!(after(200, &same), (200, "2".to_owned(), "hit".to_owned()));
    assert_eq!(after(200, longer), (200, "2".to_owned(), "hit".to_owned()));
    assert_eq!(after(304, longer), (200, "2".to_owned(), "hit".to_owned()));
    let secret = "cache-control: no-store | connection: cache-control";
    for other in ["etag: \"b\"", "content-length: 5", "cache-control: private", secret] {
        assert_eq!(after(200, other), (304, String::new(), "fwd=uri-miss".to_owned()), "{other}");
    }
    assert_eq!(after(500, longer), (200, "1".to_owned(), "fwd=stale; stored".to_owned()));
}

#[test]
fn ranges_are_cut_from_what_is_stored() {
    let mut cache = cache();
    kept(&mut cache, "cache-control: max-age=9 | etag: \"a\" | content-length: 11", "0123456789A");
    for (range, part, at) in [
        ("bytes=0-1", "01", "bytes 0-1/11"),
        ("bytes=1-", "123456789A", "bytes 1-10/11"),
        ("bytes=-1", "A", "bytes 10-10/11"),
        ("bytes=9-99", "9A", "bytes 9-10/11"),
    ] {
        let got = hit(&mut cache, &format!("range: {range}"));
        assert_eq!((got.status, got.body), (206, part), "{range}");
        assert_eq!(got.field("content-range"), at);
        assert_eq!(got.field("content-length"), part.len().to_string());
    }
    let got = hit(&mut cache, "range: bytes=11-");
    assert_eq!((got.status, got.field("content-range")), (416, "bytes */11"));
    for whole in [
        "range: bytes=0-1, 3-4",
        "range: lines=0-1",
        "range: bytes=0-1 | if-range: \"b\"",
        "range: bytes=0-1 | if-range: W/\"a\"",
        "range: bytes=0-1 | if-range: @0",
    ] {
        let got = hit(&mut cache, whole);
        assert_eq!((got.status, got.body.len()), (200, 11), "{whole}");
    }
    assert_eq!(hit(&mut cache, "range: bytes=0-1 | if-range: \"a\"").status, 206);
    assert_eq!(hit(&mut cache, "range: bytes=0-1 | if-none-match: \"a\"").status, 304);
    let got = cache.ask(&request("HEAD", "/b", "range: bytes=0-1"), |_| panic!());
    assert_eq!(got.status, 200, "a range has a meaning for GET only");
}

#[test]
fn a_last_modified_of_an_earlier_second_is_good_for_if_range() {
    let mut cache = cache();
    kept(&mut cache, "cache-control: max-age=9 | date: @0 | last-modified: @-1", "0123");
    assert_eq!(hit(&mut cache, "range: bytes=0-1 | if-range: @-1").status, 206);
    assert_eq!(hit(&mut cache, "range: bytes=0-1 | if-range: @0").status, 200);
}

#[test]
fn a_stored_part_answers_what_lies_within_it() {
    let mut cache = cache();
    let part = "cache-control: max-age=9 | content-range: bytes 4-8/10";
    cache.ask(&get("range: bytes=4-8"), |_| reply(206, part, "45678"));
    let got = hit(&mut cache, "range: bytes=5-6");
    assert_eq!((got.status, got.body), (206, "56"));
    assert_eq!(got.field("content-range"), "bytes 5-6/10");
    assert_eq!(hit(&mut cache, "range: bytes=10-").status, 416);
    for beyond in ["range: bytes=3-5", "range: bytes=5-", "range: bytes=-2", ""] {
        let got = cache.ask(&get(beyond), |_| None);
        assert_eq!((got.status, got.done()), (502, "fwd=partial"), "{beyond}");
    }
}

#[test]
fn what_contradicts_its_content_range_is_cut_to_what_came() {
    let short = "cache-control: max-age=9 | content-range: bytes 4-9/10 | content-length: 5";
    let after = |rules: Rules, range: &str| {
        let mut cache = Cache::new(rules);
        cache.ask(&get("range: bytes=-5"), |_| reply(206, short, "01234"));
        let got = cache.ask(&get(range), |_| reply(200, "", "all"));
        (got.status, got.body)
    };
    let strict = || rules();
    let all = (200, "all");
    assert_eq!(after(strict(), "range: bytes=6-8"), (206, "234"));
    for range in ["range: bytes=6-", "range: bytes=-1", "range: bytes=-5"] {
        assert_eq!(after(strict(), range), all, "{range}");
    }
    let lenient = || strict().lenient(true);
    for (range, body) in [("6-8", "234"), ("6-", "234"), ("-1", "4"), ("-5", "01234")] {
        let range = format!("range: bytes={range}");
        assert_eq!(after(lenient(), &range), (206, body), "{range}");
    }
}

#[test]
fn parts_of_unknown_place_or_length_are_not_kept() {
    for place in [
        "content-range: bytes 0-4/*",
        "content-range: bytes 4-0/10",
        "content-range: bytes 0-4/4",
        "content-range: items 0-4/10",
        "content-range: bytes 0-4/10 | content-type: multipart/byteranges; boundary=x",
        "content-range: bytes 0-4/10 | content-range: bytes 0-4/10",
        "content-range: bytes 0-3/10",
        "content-range: bytes 0-4/10 | content-length: 4",
        "",
    ] {
        let lines = format!("cache-control: max-age=9 | {place}");
        let got = cache().ask(&get("range: bytes=0-4"), |_| reply(206, &lines, "01234"));
        assert_eq!(got.done(), "fwd=uri-miss", "{place}");
    }
}

#[test]
fn a_body_of_another_length_is_not_kept() {
    let lines = "cache-control: max-age=9 | content-length: 5";
    let got = cache().ask(&get(""), |_| reply(200, lines, "body"));
    assert_eq!(got.done(), "fwd=uri-miss");
}

#[test]
fn a_part_that_is_all_is_kept_as_the_whole() {
    let mut cache = cache();
    let lines = "cache-control: max-age=9 | content-range: bytes 0-4/5";
    cache.ask(&get("range: bytes=0-"), |_| reply(206, lines, "01234"));
    let got = hit(&mut cache, "");
    assert_eq!((got.status, got.body, got.field("content-range")), (200, "01234", ""));
}

#[test]
fn stale_stands_in_for_a_failure() {
    let mut cache = cache();
    kept(&mut cache, "cache-control: max-age=2, stale-if-error=60", "body");
    cache.wait(3);
    assert_eq!(cache.ask(&get(""), |_| reply(503, "", "sorry")).body, "body");
    assert_eq!(cache.ask(&get(""), |_| None).body, "body");
    assert_eq!(cache.ask(&get(""), |_| reply(404, "", "gone")).body, "gone");
    assert_eq!(cache.ask(&get("range: bytes=1-2"), |_| None).body, "od");
    cache.wait(60);
    assert_eq!(cache.ask(&get(""), |_| None).status, 502);
}

#[test]
fn only_if_cached_never_asks() {
    let got = cache().ask(&get("cache-control: only-if-cached"), |_| panic!());
    assert_eq!(got.status, 504);
}

#[test]
fn unsafe_methods_make_stored_responses_void() {
    let fresh = "cache-control: max-age=99";
    let after = |method: &str, status, lines: &str, path: &str| {
        let mut cache = cache();
        cache.ask(&request("GET", path, ""), |_| reply(200, fresh, "old"));
        cache.ask(&request(method, "/b", ""), |_| reply(status, lines, ""));
        cache.ask(&request("GET", path, ""), |_| reply(200, fresh, "new")).body
    };
    for method in ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"] {
        assert_eq!(after(method, 200, "", "/b"), "new", "{method}");
        assert_eq!(after(method, 303, "", "/b"), "new", "{method}");
        assert_eq!(after(method, 500, "", "/b"), "old", "{method}");
        assert_eq!(after(method, 404, "", "/b"), "old", "{method}");
        for name in ["location", "content-location"] {
            for to in ["/c?d", "c?d", "http://a/c?d", "//A:80/c?d", "/x/../c?d"] {
                assert_eq!(after(method, 201, &format!("{name}: {to}"), "/c?d"), "new", "{to}");
            }
            for to in ["http://b/c?d", "https://a/c?d", "http://a:81/c?d", "//b/c?d", "/c"] {
                assert_eq!(after(method, 201, &format!("{name}: {to}"), "/c?d"), "old", "{to}");
            }
        }
    }
    for method in ["HEAD", "OPTIONS", "TRACE"] {
        assert_eq!(after(method, 200, "", "/b"), "old", "{method}");
    }
}

#[test]
fn variants_stay_side_by_side() {
    let mut cache = cache();
    let lines = "cache-control: max-age=9 | vary: foo";
    cache.ask(&get("foo: 1"), |_| reply(200, lines, "one"));
    let got = cache.ask(&get("foo: 2"), |_| reply(200, lines, "two"));
    assert_eq!(got.done(), "fwd=vary-miss; stored");
    assert_eq!(hit(&mut cache, "foo: 1").body, "one");
    assert_eq!(hit(&mut cache, "foo: 2").body, "two");
}

#[test]
fn of_several_that_fit_the_latest_is_served() {
    let mut cache = cache();
    let lines = "cache-control: max-age=99 | date: @0 | vary: foo";
    cache.ask(&get("foo: 1"), |_| reply(200, lines, "old"));
    let lines = "cache-control: max-age=99 | date: @5";
    cache.ask(&get("foo: 2"), |_| reply(200, lines, "new"));
    assert_eq!(hit(&mut cache, "foo: 1").body, "new");
}

#[test]
fn only_plain_requests_wait_for_each_other() {
    assert!(ask(&get("accept: text/html | cookie: a=b")).may_share());
    for alone in [
        "authorization: me",
        "range: bytes=0-1",
        "if-none-match: \"a\"",
        "if-modified-since: @0",
        "if-match: \"a\"",
        "if-unmodified-since: @0",
        "cache-control: no-cache",
        "pragma: no-cache",
        "upgrade: x",
        "content-length: 5",
    ] {
        assert!(!ask(&get(alone)).may_share(), "{alone}");
    }
    assert!(!ask(&request("HEAD", "/b", "")).may_share());
    assert!(!ask(&request("POST", "/b", "")).may_share());
}

#[test]
fn a_clock_that_is_set_makes_nothing_younger() {
    let page = "cache-control: max-age=60 | date: @0";
    for (wall, steady, age) in
        [(-3600, 0, 0), (-3600, 59, 59), (-3600, 60, 60), (0, 60, 60), (30, 1, 30), (3600, 1, 3600)]
    {
        let mut cache = cache();
        cache.now = START.steady(Nanos::ZERO);
        kept(&mut cache, page, "body");
        let set = Wall::from_secs(START.as_secs().saturating_add_signed(wall));
        cache.now = set.steady(Nanos::ZERO + std::time::Duration::from_secs(steady));
        if age < 60 {
            assert_eq!(hit(&mut cache, "").field("age"), age.to_string());
        } else {
            let got = cache.ask(&get(""), |_| reply(200, page, "new"));
            assert!(got.done().starts_with("fwd=stale"), "{wall} {steady}");
        }
    }
}

fn entry(rules: &Rules, asked: &str, lines: &str) -> Entry {
    let response = reply(200, lines, "").unwrap();
    let times = Times { asked: START, came: START };
    keep(rules, ask(&get(asked)), (response.status(), response.headers()), times).unwrap()
}

#[test]
fn an_entry_is_useless_when_no_rule_lets_it_be_served() {
    let rules = rules().stale_if_error(std::time::Duration::from_secs(5));
    let until = |lines: &str| entry(&rules, "", lines).useless_from(&rules);
    assert_eq!(until("cache-control: max-age=9"), at(14));
    assert_eq!(until("cache-control: max-age=9 | age: 4"), at(10));
    assert_eq!(until("cache-control: max-age=9, stale-if-error=0"), at(9));
    assert_eq!(until("cache-control: max-age=9, stale-while-revalidate=20"), at(29));
    assert_eq!(until("cache-control: max-age=9, must-revalidate"), at(9));
    let forever = "cache-control: max-age=99999999999999999999";
    assert!(until(forever) > at(u64::from(u32::MAX)));
}

#[test]
fn an_entry_s_size_grows_with_all_that_it_keeps() {
    let rules = rules();
    let size = |asked: &str, lines: &str| {
        entry(&rules, asked, &format!("cache-control: max-age=9 | {lines}")).bytes()
    };
    let plain = size("", "vary: foo");
    assert!(size("", "vary: foo | x: 1234567890") > plain + 10);
    assert!(size("foo: 1234567890", "vary: foo") >= plain + 10);
}

#[test]
fn a_target_without_authority_is_that_of_its_host() {
    use super::super::outdated;
    let headers = fields("host: a:8080");
    let (uri, method) = ("/b".parse().unwrap(), http::Method::POST);
    let ask = super::super::Ask { method: &method, uri: &uri, headers: &headers };
    let of = |location: &str| {
        outdated(ask, http::StatusCode::CREATED, &fields(&format!("location: {location}")))
    };
    assert_eq!(of("http://A:8080/c"), ["/b", "/c"]);
    assert_eq!(of("https://a:8080/c"), ["/b", "/c"]);
    assert_eq!(of("http://a/c"), ["/b"]);
}

#[test]
fn a_part_is_completed() {
    let lines = "cache-control: max-age=9 | etag: \"a\" | x: 1";
    let mut cache = cache();
    let first = format!("{lines} | content-range: bytes 0-4/10 | content-length: 5");
    cache.ask(&get("range: bytes=0-4"), |_| reply(206, &first, "01234"));
    let rest = "cache-control: max-age=9 | etag: \"a\" | x: 2 | content-range: bytes 4-9/10 | content-length: 6";
    let got = cache.ask(&get("foo: 1"), |sent| {
        assert_eq!(*sent, fields("foo: 1 | range: bytes=5- | if-range: \"a\""));
        reply(206, rest, "456789")
    });
    assert_eq!((got.status, got.body, got.field("x")), (200, "0123456789", "2"));
    let got = hit(&mut cache, "");
    assert_eq!((got.status, got.body), (200, "0123456789"));
    assert_eq!((got.field("content-length"), got.field("content-range")), ("10", ""));
}

#[test]
fn parts_of_different_responses_are_never_put_together() {
    for (first, second) in [
        ("etag: \"a\"", "etag: \"b\""),
        ("etag: W/\"a\"", "etag: W/\"a\""),
        ("last-modified: @0", "last-modified: @0"),
        ("last-modified: @-9", "last-modified: @-9 | etag: \"a\""),
        ("", ""),
    ] {
        let mut cache = cache();
        let of = |range: &str, more: &str| {
            format!(
                "date: @0 | cache-control: max-age=9 | content-range: bytes {range}/10 | {more}"
            )
        };
        cache.ask(&get("range: bytes=0-4"), |_| reply(206, &of("0-4", first), "01234"));
        let mut asked = 0;
        let got = cache.ask(&get(""), |sent| {
            asked += 1;
            let is_part = sent.contains_key("range");
            if is_part { reply(206, &of("5-9", second), "56789") } else { reply(200, "", "all") }
        });
        assert_eq!((got.status, got.body, asked), (200, "all", 2), "{first}");
    }
}

#[test]
fn a_rest_that_does_not_adjoin_is_asked_for_again() {
    for range in ["0-9/10", "6-9/10", "5-8/10", "5-10/11"] {
        let mut cache = cache();
        let lines = "cache-control: max-age=9 | etag: \"a\" | content-range: bytes";
        cache.ask(&get("range: bytes=0-4"), |_| reply(206, &format!("{lines} 0-4/10"), "01234"));
        let got = cache.ask(&get(""), |sent| {
            let is_part = sent.contains_key("range");
            if is_part {
                reply(206, &format!("{lines} {range}"), "56789")
            } else {
                reply(200, "", "all")
            }
        });
        assert_eq!(got.body, "all", "{range}");
    }
}

#[test]
fn the_answer_to_a_post_serves_later_gets_of_its_content_location() {
    let after = |status, lines: &str| {
        let mut cache = cache();
        cache.ask(&request("POST", "/b", "content-length: 5"), |_| reply(status, lines, "made"));
        cache.ask(&get(""), |_| reply(200, "", "asked")).body
    };
    assert_eq!(after(200, "expires: @99 | content-location: /b"), "made");
    for lines in [
        "expires: @99",
        "expires: @99 | content-location: /c",
        "expires: @99 | content-location: http://b/b",
        "last-modified: @-1000 | content-location: /b",
    ] {
        assert_eq!(after(200, lines), "asked", "{lines}");
    }
    assert_eq!(after(201, "expires: @99 | content-location: /b"), "asked");
}

#[test]
fn after_a_304_that_varies_by_other_fields_it_is_for_nobody() {
    let mut cache = cache();
    kept(&mut cache, "cache-control: max-age=2 | etag: \"a\" | vary: foo", "body");
    cache.wait(3);
    let got = cache.ask(&get(""), |_| reply(304, "cache-control: max-age=9 | vary: cookie", ""));
    assert_eq!(got.body, "body");
    let got = cache.ask(&get("cookie: me"), |_| reply(200, "", "mine"));
    assert_eq!((got.body, got.done()), ("mine", "fwd=vary-miss"));
    let got = cache.ask(&get(""), |_| reply(200, "", "anew"));
    assert_eq!(got.body, "anew");
}
