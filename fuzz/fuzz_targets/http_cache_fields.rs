//! Every parser of the cache, reached through its rules: a request, a response, a second request, and a second response, as
//! text.
//!
//! Whatever the fields say, nothing panics, an answer lies within its body, and what is done twice is done once.

#![no_main]

use std::time::Duration;

use http::{HeaderMap, Request, StatusCode, Uri};
use libfuzzer_sys::fuzz_target;
use tower_ballast_fuzz::head::{Head, heads};
use tower_ballast_http_cache::engine::{
    Answer, Ask, Completed, Decision, Entry, Key, Outcome, Part, Rules, Status, Times, Ttl, Wall,
    decide, freshen, is_same, keep, outdated,
};

const ASKED: Wall = Wall::from_secs(1_771_934_400);
const DELAY: Duration = Duration::from_millis(1500);

fuzz_target!(|text: &[u8]| {
    let mut heads = heads(text).into_iter();
    let (first, response) = (heads.next().unwrap_or_default(), heads.next().unwrap_or_default());
    let (then, news) = (heads.next().unwrap_or_default(), heads.next().unwrap_or_default());
    let Some(first) = first.request() else { return };
    let then = then.request().unwrap_or_else(|| first.clone());
    let length = news.number().unwrap_or(9);
    a_key_is_its_own_key(&first);
    what_is_void_is_of_the_same_origin(&first, &response);
    let _ = Ask::from(&first).may_share();
    for rules in [Rules::shared(), Rules::private().lenient(true)] {
        let times = Times { asked: ASKED, came: ASKED + DELAY };
        let head = (response.status(), &response.fields);
        let Ok(entry) = keep(&rules, Ask::from(&first), head, times) else { continue };
        assert!(entry.is_for(first.headers()), "it is for the one who asked");
        an_entry_is_what_it_says(&entry, &rules);
        assert!(entry.age(times.came) >= stated_age(&response).saturating_add(DELAY));
        for later in [Duration::ZERO, Duration::from_secs(5), Duration::MAX] {
            an_answer_is_right(&rules, &entry, &then, length, times.came + later);
        }
        what_is_freshened_twice_is_freshened_once(&rules, &entry, &news, times);
        a_part_is_completed(&rules, &entry, &then, &news, times);
    }
});

fn a_key_is_its_own_key(request: &Request<()>) {
    let Some(key) = Key::of(request.uri(), request.headers()) else { return };
    // The asterisk form has no path, and a key of it is no URI.
    if let Ok(uri) = key.as_str().parse::<Uri>()
        && request.uri().path().starts_with('/')
    {
        assert_eq!(Key::of(&uri, &HeaderMap::new()), Some(key));
    }
}

fn what_is_void_is_of_the_same_origin(request: &Request<()>, response: &Head<'_>) {
    let origin = |uri: &Uri| {
        let key = Key::of(uri, request.headers())?;
        let parts: Vec<_> = key.as_str().splitn(4, '/').map(str::to_owned).collect();
        Some((parts.first()?.clone(), parts.get(2)?.clone()))
    };
    let own = origin(request.uri());
    for uri in outdated(Ask::from(request), response.status(), &response.fields) {
        assert!(own.is_none() || request.uri().path() == "*" || origin(&uri) == own, "{uri}");
    }
}

fn an_entry_is_what_it_says(entry: &Entry, rules: &Rules) {
    let fields: usize =
        entry.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    assert!(entry.bytes() > fields);
    for name in ["connection", "transfer-encoding", "keep-alive", "upgrade"] {
        assert!(!entry.headers().contains_key(name), "{name} is of the connection");
    }
    if let Some((held, total)) = entry.part() {
        assert!(held.start < held.end && held.end <= total && held != (0..total));
        assert_eq!(entry.body_length(), Some(held.end - held.start));
    }
    let _ = entry.useless_from(rules);
}

/// What the first member of `Age` says, if it is a number.
fn stated_age(response: &Head<'_>) -> Duration {
    let line = response.fields.get("age").and_then(|line| line.to_str().ok()).unwrap_or("");
    let first = line.split(',').map(str::trim).find(|member| !member.is_empty()).unwrap_or("");
    let digits = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
    Duration::from_secs(if digits { first.parse().unwrap_or(u64::MAX) } else { 0 })
}

fn an_answer_is_right(rules: &Rules, entry: &Entry, then: &Request<()>, length: u64, now: Wall) {
    let ask = Ask::from(then);
    assert_eq!(entry.is_fresh(now), entry.stale_for(now).is_none());
    assert_eq!(entry.is_fresh(now), !entry.fresh_for(now).is_zero());
    let decision = decide(rules, ask, std::iter::once(entry), now);
    if let Decision::Serve { stale, .. } = decision {
        assert_eq!(stale.is_none(), entry.is_fresh(now));
        assert!(entry.is_for(then.headers()));
    }
    let spare = entry.may_replace(rules, ask, Some(StatusCode::BAD_GATEWAY), now);
    assert!(!spare || entry.may_replace(rules, ask, None, now), "an outage is no less a failure");
    let length = entry.body_length().unwrap_or(length);
    let Answer { status, headers, part } = entry.answer(ask, length, now);
    assert!(headers.contains_key("age"));
    match part {
        Part::Some(slice) => {
            assert!(slice.start <= slice.end && slice.end <= length);
            assert_eq!(status, StatusCode::PARTIAL_CONTENT);
            if matches!(decision, Decision::Serve { .. }) {
                assert_eq!(headers["content-length"], (slice.end - slice.start).to_string());
            }
        }
        Part::All => assert_eq!(status, entry.status()),
        Part::Nothing => {}
    }
    tell_of_it(then, entry, now);
}

/// What a cache says of itself is one member of a list, whatever its name is.
fn tell_of_it(then: &Request<()>, entry: &Entry, now: Wall) {
    let name = then.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or("");
    let ttl = entry.stale_for(now).map_or(Ttl::Fresh(entry.fresh_for(now)), Ttl::Stale);
    let mut fields = HeaderMap::new();
    Status { ttl: Some(ttl), stored: true, ..Status::new(Outcome::Hit) }.write(name, &mut fields);
    assert_eq!(fields.len(), 1);
}

fn what_is_freshened_twice_is_freshened_once(
    rules: &Rules,
    entry: &Entry,
    news: &Head<'_>,
    times: Times,
) {
    let _ = is_same(entry, &news.fields);
    let once = freshen(rules, entry, &news.fields, times);
    let twice = freshen(rules, &once, &news.fields, times);
    assert_eq!(once.headers(), twice.headers());
    assert_eq!((once.status(), once.part()), (entry.status(), entry.part()));
    assert!(once.age(times.came) >= DELAY);
    let mut question = HeaderMap::new();
    once.validate(&mut question);
    assert_eq!(question.contains_key("if-none-match"), once.headers().contains_key("etag"));
}

fn a_part_is_completed(
    rules: &Rules,
    entry: &Entry,
    then: &Request<()>,
    news: &Head<'_>,
    times: Times,
) {
    let from = entry.lacks_from(rules, Ask::from(then), times.came);
    let mut question = then.headers().clone();
    entry.ask_rest(from.unwrap_or(1), &mut question);
    assert!(question.contains_key("range"));
    let answer = (news.status(), &news.fields);
    if let Completed::Whole { entry: whole, skip } = entry.complete(rules, answer, times) {
        let (held, total) = entry.part().expect("only a part is completed");
        assert!(skip < held.end && whole.part().is_none());
        assert_eq!((whole.status(), whole.body_length()), (StatusCode::OK, Some(total)));
    }
}
