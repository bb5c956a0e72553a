//! What holds for every response and request.

use std::time::Duration;

use http::{Request, Response};
use proptest::prelude::*;

use super::{
    super::{Cookies, Decision, Entry, Part, Rules, Stale, Times, decide, freshen, keep, outdated},
    START, ask, at, fields,
};

/// A field of a response, sensible or not.
fn response_field() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        (0_u32..40).prop_map(|number| number.to_string()),
        "[0-9]{1,25}",
        "[-a-z0-9.\"]{0,4}"
    ];
    let directive = prop_oneof![
        (
            prop_oneof![
                Just("max-age"),
                Just("s-maxage"),
                Just("stale-if-error"),
                Just("stale-while-revalidate")
            ],
            number
        )
            .prop_map(|(name, number)| format!("{name}={number}")),
        prop_oneof![
            Just("no-cache"),
            Just("no-store"),
            Just("public"),
            Just("private"),
            Just("must-revalidate"),
            Just("proxy-revalidate"),
            Just("must-understand"),
            Just("immutable"),
            Just("no-cache=\"x\""),
            Just("no-cache=\"age\""),
            Just("private=\"date, age\"")
        ]
        .prop_map(str::to_owned),
    ];
    let directives = proptest::collection::vec(directive, 0..4).prop_map(|all| all.join(", "));
    prop_oneof![
        4 => directives.clone().prop_map(|all| format!("cache-control: {all}")),
        1 => directives.prop_map(|all| format!("cdn-cache-control: {all}")),
        2 => (0_u64..60).prop_map(|age| format!("age: {age}")),
        1 => "[0-9a, ]{0,30}".prop_map(|age| format!("age: {age}")),
        2 => (-60_i64..60).prop_map(|date| format!("date: @{date}")),
        2 => (-60_i64..90).prop_map(|date| format!("expires: @{date}")),
        1 => (-9000_i64..10).prop_map(|date| format!("last-modified: @{date}")),
        1 => "[ -?A-{}~]{0,12}".prop_map(|text| format!("expires: {text}")),
        1 => "\"[ab]\"".prop_map(|tag| format!("etag: {tag}")),
        1 => "[a-c*, ]{0,5}".prop_map(|names| format!("vary: {names}")),
        1 => "(age|date|expires|cache-control|etag)".prop_map(|name| format!("connection: {name}")),
        1 => Just("set-cookie: a=b".to_owned()),
    ]
}

fn request_field() -> impl Strategy<Value = String> {
    prop_oneof![
        "(no-cache|no-store|only-if-cached|max-age=[0-9]{1,2}|max-stale(=[0-9]{1,2})?|min-fresh=[0-9]{1,2})"
            .prop_map(|wish| format!("cache-control: {wish}")),
        "\"[ab]\"".prop_map(|tag| format!("if-none-match: {tag}")),
        "bytes=[0-9]?-[0-9]?".prop_map(|range| format!("range: {range}")),
        "[a-c]".prop_map(|name| format!("{name}: 1")),
        Just("authorization: me".to_owned()),
        Just("cookie: a=b".to_owned()),
    ]
}

fn lines(field: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    proptest::collection::vec(field, 0..5).prop_map(|all| all.join(" | "))
}

fn rules() -> impl Strategy<Value = Rules> {
    let preset = prop_oneof![
        Just(Rules::shared()),
        Just(Rules::shared().cookies(Cookies::WithExplicitFreshness)),
        Just(Rules::private())
    ];
    (preset, 0_u64..30, 0_u64..30).prop_map(|(rules, error, refreshing)| {
        rules
            .stale_if_error(Duration::from_secs(error))
            .stale_while_revalidate(Duration::from_secs(refreshing))
    })
}

fn get(lines: &str) -> Request<()> {
    let mut request = Request::get("http://a/b").body(()).unwrap();
    *request.headers_mut() = fields(lines);
    request
}

fn head(status: u16, lines: &str) -> Response<()> {
    let mut response = Response::builder().status(status).body(()).unwrap();
    *response.headers_mut() = fields(lines);
    response
}

/// The greatest number that the first `Age` could mean.
fn stated_age(response: &Response<()>) -> Duration {
    let first = response.headers().get("age").and_then(|age| age.to_str().ok());
    let member = first.and_then(|age| age.split(',').map(str::trim).find(|part| !part.is_empty()));
    let number = member.filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    Duration::from_secs(number.map_or(0, |number| number.parse().unwrap_or(u64::MAX)))
}

fn says(entry: &Entry, word: &str) -> bool {
    let lines = entry.headers().get_all("cache-control");
    lines.iter().any(|line| line.to_str().unwrap().split(", ").any(|one| one == word))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn an_answer_is_never_younger_than_its_age(
        rules in rules(),
        lines in lines(response_field()),
        (delay, later) in (0_u64..50, 0_u64..200),
    ) {
        let (request, response) = (get(""), head(200, &lines));
        let times = Times { asked: START, came: at(delay) };
        if let Ok(entry) = keep(&rules, ask(&request), (response.status(), response.headers()), times) {
            let now = at(delay + later);
            let least = stated_age(&response).saturating_add(Duration::from_secs(delay + later));
            prop_assert!(entry.age(now) >= least);
            let answer = entry.answer(ask(&request), 4, now);
            let shown: u64 = answer.headers["age"].to_str().unwrap().parse().unwrap();
            prop_assert!(shown >= least.as_secs());
        }
    }

    #[test]
    fn nothing_is_served_past_what_the_rules_allow(
        rules in rules(),
        lines in lines(response_field()),
        first in lines(request_field()),
        then in lines(request_field()),
        later in 0_u64..120,
    ) {
        let (asked, response) = (get(&first), head(200, &lines));
        let times = Times { asked: START, came: START };
        let Ok(entry) = keep(&rules, ask(&asked), (response.status(), response.headers()), times) else {
            return Ok(());
        };
        prop_assert!(!rules.is_shared() || !says(&entry, "private") || says(&entry, "no-store")
            || entry.headers().contains_key("cdn-cache-control"));
        let (now, request) = (at(later), get(&then));
        let Decision::Serve { stale, .. } = decide(&rules, ask(&request), std::iter::once(&entry), now) else {
            return Ok(());
        };
        let over = entry.stale_for(now);
        match stale {
            None => prop_assert!(entry.is_fresh(now)),
            _ if entry.headers().contains_key("cdn-cache-control") => {}
            _ => {
                prop_assert!(!says(&entry, "must-revalidate") && !says(&entry, "no-cache"));
                prop_assert!(!rules.is_shared() || !says(&entry, "proxy-revalidate"));
                let wished = then.contains("max-stale");
                prop_assert!(stale != Some(Stale::Wished) || wished);
                prop_assert!(now < entry.useless_from(&rules) || wished, "{over:?}");
            }
        }
        prop_assert!(!then.contains("no-cache"));
    }

    #[test]
    fn a_freshened_response_is_as_old_as_its_304(
        rules in rules(),
        lines in lines(response_field()),
        news in lines(response_field()),
        (later, delay) in (0_u64..100, 0_u64..20),
    ) {
        let (request, response) = (get(""), head(200, &lines));
        let times = Times { asked: START, came: START };
        let Ok(entry) = keep(&rules, ask(&request), (response.status(), response.headers()), times) else {
            return Ok(());
        };
        let news = head(304, &news);
        let times = Times { asked: at(later), came: at(later + delay) };
        let kept = freshen(&rules, &entry, news.headers(), times);
        let least = stated_age(&news).saturating_add(Duration::from_secs(delay));
        prop_assert!(kept.age(at(later + delay)) >= least);
        prop_assert_eq!(kept.status(), entry.status());
    }

    #[test]
    fn an_answer_lies_within_the_body(
        lines in lines(response_field()),
        then in lines(request_field()),
        length in 0_u64..12,
    ) {
        let (request, response) = (get(""), head(200, &lines));
        let times = Times { asked: START, came: START };
        let rules = Rules::private();
        if let Ok(entry) = keep(&rules, ask(&request), (response.status(), response.headers()), times) {
            let answer = entry.answer(ask(&get(&then)), length, START);
            if let Part::Some(part) = answer.part {
                prop_assert!(part.start <= part.end && part.end <= length);
            }
        }
    }

    #[test]
    fn hostile_bytes_never_panic(
        value in proptest::collection::vec(0x20_u8..=0xff, 0..40),
        name in 0_usize..NAMES.len(),
    ) {
        let Ok(value) = http::HeaderValue::from_bytes(&value) else { return Ok(()) };
        let (mut request, mut response) = (get("range: bytes=0-9"), head(206, "cache-control: max-age=9 | content-range: bytes 0-9/20"));
        request.headers_mut().append(NAMES[name], value.clone());
        response.headers_mut().append(NAMES[name], value);
        let times = Times { asked: START, came: START };
        let rules = Rules::shared();
        let _ = outdated(ask(&request), response.status(), response.headers());
        if let Ok(entry) = keep(&rules, ask(&request), (response.status(), response.headers()), times) {
            let _ = decide(&rules, ask(&request), std::iter::once(&entry), START);
            let _ = entry.answer(ask(&request), 10, START);
            let _ = freshen(&rules, &entry, response.headers(), times);
        }
    }
}

const NAMES: [&str; 18] = [
    "cache-control",
    "cdn-cache-control",
    "age",
    "date",
    "expires",
    "last-modified",
    "etag",
    "vary",
    "connection",
    "content-range",
    "content-length",
    "content-language",
    "accept-language",
    "location",
    "if-none-match",
    "if-modified-since",
    "if-range",
    "range",
];
