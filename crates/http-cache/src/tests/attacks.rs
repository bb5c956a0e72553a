//! No answer of one identity reaches another.

use http::{HeaderName, Request, Response, header};
use tower::{Layer, Service};

use super::origin::{Cached, Nothing, Origin, fresh, read, send, text};
use crate::{
    HttpCache, HttpCacheLayer, Parts,
    engine::{Cookies, Rules},
};

type Fields = &'static [(&'static str, &'static str)];
/// A request as method, target and fields.
type Asked = (&'static str, &'static str, Fields);
type Pair = (&'static str, Asked, Asked, Fields);

const PAGE: &str = "http://example.com/page";

fn request((method, uri, fields): Asked) -> Request<Nothing> {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Nothing::default()).unwrap()
}

/// Says everything that was asked, as a service does that knows its clients, but for what it is asked to leave out.
fn all_of(request: &Request<Nothing>) -> String {
    let mut fields: Vec<String> = request
        .headers()
        .iter()
        .filter(|(name, _)| !name.as_str().starts_with("if-") && *name != "range")
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    fields.sort();
    let method = if *request.method() == "HEAD" { "GET" } else { request.method().as_str() };
    format!("{method} {} {}", request.uri(), fields.join(", "))
}

async fn ask(service: &Cached, asked: Asked) -> String {
    send(service, request(asked)).await.unwrap().text().to_owned()
}

/// Two requests that a service answers differently, and how it says by what: the second one's answer is its own.
const PAIRS: &[Pair] = &[
    ("host", ("GET", "http://a.example/", &[]), ("GET", "http://b.example/", &[]), &[]),
    (
        "host field",
        ("GET", "/", &[("host", "a.example")]),
        ("GET", "/", &[("host", "b.example")]),
        &[],
    ),
    ("port", ("GET", "http://a.example:81/", &[]), ("GET", "http://a.example:82/", &[]), &[]),
    ("scheme", ("GET", "http://a.example/", &[]), ("GET", "https://a.example/", &[]), &[]),
    ("path", ("GET", "http://a.example/a", &[]), ("GET", "http://a.example/b", &[]), &[]),
    (
        "case of the path",
        ("GET", "http://a.example/a", &[]),
        ("GET", "http://a.example/A", &[]),
        &[],
    ),
    ("final slash", ("GET", "http://a.example/a", &[]), ("GET", "http://a.example/a/", &[]), &[]),
    ("query", ("GET", "http://a.example/a?b", &[]), ("GET", "http://a.example/a?c", &[]), &[]),
    ("empty query", ("GET", "http://a.example/a", &[]), ("GET", "http://a.example/a?", &[]), &[]),
    ("encoding", ("GET", "http://a.example/%61", &[]), ("GET", "http://a.example/a", &[]), &[]),
    ("method", ("POST", PAGE, &[]), ("GET", PAGE, &[]), &[]),
    ("method", ("OPTIONS", PAGE, &[]), ("GET", PAGE, &[]), &[]),
    ("method", ("QUERY", PAGE, &[]), ("GET", PAGE, &[]), &[]),
    (
        "credentials",
        ("GET", PAGE, &[("authorization", "Basic YQ==")]),
        ("GET", PAGE, &[("authorization", "Basic Yg==")]),
        &[],
    ),
    ("credentials", ("GET", PAGE, &[("authorization", "Basic YQ==")]), ("GET", PAGE, &[]), &[]),
    (
        "cookie",
        ("GET", PAGE, &[("cookie", "id=a")]),
        ("GET", PAGE, &[("cookie", "id=b")]),
        &[("vary", "cookie")],
    ),
    ("cookie", ("GET", PAGE, &[("cookie", "id=a")]), ("GET", PAGE, &[]), &[("vary", "Cookie")]),
    (
        "cookie that is set",
        ("GET", PAGE, &[("cookie", "id=a")]),
        ("GET", PAGE, &[]),
        &[("set-cookie", "id=a")],
    ),
    (
        "language",
        ("GET", PAGE, &[("accept-language", "de")]),
        ("GET", PAGE, &[("accept-language", "fr")]),
        &[("vary", "accept-language")],
    ),
    (
        "encoding that is taken",
        ("GET", PAGE, &[("accept-encoding", "gzip")]),
        ("GET", PAGE, &[]),
        &[("vary", "accept-encoding")],
    ),
    ("anything", ("GET", PAGE, &[("a", "b")]), ("GET", PAGE, &[]), &[("vary", "*")]),
    (
        "several lines",
        ("GET", PAGE, &[("a", "b")]),
        ("GET", PAGE, &[("a", "b"), ("a", "c")]),
        &[("vary", "a")],
    ),
    ("private", ("GET", PAGE, &[]), ("GET", PAGE, &[("a", "b")]), &[("cache-control", "private")]),
    (
        "upgrade",
        ("GET", PAGE, &[("upgrade", "websocket"), ("connection", "upgrade")]),
        ("GET", PAGE, &[]),
        &[],
    ),
    (
        "two hosts",
        ("GET", "/", &[("host", "a.example"), ("host", "b.example")]),
        ("GET", "/", &[("host", "a.example")]),
        &[],
    ),
    (
        "host that contradicts",
        ("GET", "http://a.example/", &[("host", "b.example")]),
        ("GET", "http://a.example/", &[]),
        &[],
    ),
    (
        "user information",
        ("GET", "http://a@a.example/", &[]),
        ("GET", "http://a.example/", &[]),
        &[],
    ),
];

#[tokio::test(start_paused = true)]
async fn no_answer_of_one_identity_reaches_another() {
    for (what, one, other, says) in PAIRS {
        for (one, other) in [(one, other), (other, one)] {
            let origin = Origin::new(move |_, request| {
                let mut answer = fresh();
                for (name, value) in *says {
                    answer = answer.header(*name, *value);
                }
                Ok(answer.body(text(&all_of(request)))?)
            });
            let service = HttpCacheLayer::new(Rules::shared()).layer(origin);
            ask(&service, *one).await;
            let own = all_of(&request(*other));
            // Without credentials an answer is for everybody, also for those who have some.
            let is_open = *what == "credentials" && one.2.is_empty();
            assert!(is_open || ask(&service, *other).await == own, "{what}: {one:?}, {other:?}");

            let both = futures_util::future::join(ask(&service, *one), ask(&service, *other));
            assert!(is_open || both.await.1 == own, "{what}, at once: {one:?}, {other:?}");
        }
    }
}

/// Says whom it answers, also to a HEAD, and with a part where one is wanted.
fn teller(fields: Fields) -> Origin {
    Origin::new(move |_, request| {
        let whom = all_of(request);
        let mut answer = Response::builder().header("whom", &whom);
        for (name, value) in fields {
            answer = answer.header(*name, *value);
        }
        answer = answer.header("cache-control", "max-age=60, stale-while-revalidate=600");
        answer = answer.header("etag", format!("\"{whom}\""));
        Ok(match (request.method().as_str(), request.headers().get("range")) {
            ("HEAD", _) => answer.header("content-length", whom.len()).body(text(""))?,
            (_, Some(range)) => {
                let from = if range == "bytes=0-3" { 0 } else { 4 };
                let to = if from == 0 { 4 } else { whom.len() };
                let field = format!("bytes {from}-{}/{}", to - 1, whom.len());
                let answer = answer.status(206).header("content-range", field);
                answer.body(text(&whom[from..to]))?
            }
            _ => answer.body(text(&whom))?,
        })
    })
}

/// Whom the answer to that request is for.
async fn whom<P: Parts<Nothing>>(
    service: &HttpCache<Origin, P>,
    request: Request<Nothing>,
) -> String {
    let reply = read(service.clone().call(request).await.unwrap()).await;
    let whom = reply.field("whom").to_owned();
    assert!(whom.contains(reply.text()), "{whom}: {reply:?}");
    whom
}

#[tokio::test(start_paused = true)]
async fn no_head_part_or_renewal_of_one_identity_is_the_answer_of_another() {
    no_answer_of_one_becomes_another_s(HttpCacheLayer::new).await;
    no_answer_of_one_becomes_another_s(|rules| HttpCacheLayer::new(rules).complete_parts()).await;
}

async fn no_answer_of_one_becomes_another_s<P: Parts<Nothing>>(
    layer: fn(Rules) -> HttpCacheLayer<P>,
) {
    let kinds = [("GET", None), ("HEAD", None), ("GET", Some("bytes=0-3"))];
    let of_kind = |asked: Asked, (method, range): (&str, Option<&str>)| {
        let mut request = request(asked);
        *request.method_mut() = method.parse().unwrap();
        if let Some(range) = range {
            request.headers_mut().insert(header::RANGE, range.parse().unwrap());
        }
        request
    };
    for (what, one, other, says) in PAIRS.iter().filter(|(_, one, ..)| one.0 == "GET") {
        for (one, other) in [(*one, *other), (*other, *one)] {
            // Without credentials an answer is for everybody, also for those who have some.
            if *what == "credentials" && one.2.is_empty() {
                continue;
            }
            for (first, second) in kinds.iter().flat_map(|one| kinds.map(|other| (*one, other))) {
                let service = layer(Rules::shared()).layer(teller(says));
                // The second time it is stale, and renewed beside that.
                for seconds in [0, 61] {
                    tokio::time::advance(std::time::Duration::from_secs(seconds)).await;
                    whom(&service, of_kind(one, first)).await;
                    tokio::task::yield_now().await;
                    let own = of_kind(other, second);
                    let (told, own) = (whom(&service, own).await, all_of(&of_kind(other, second)));
                    assert_eq!(told, own, "{what}: {first:?} {one:?}, {second:?} {other:?}");
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_in_no_key_does_not_reach_the_service() {
    let origin = Origin::new(|_, request| Ok(fresh().body(text(&all_of(request)))?));
    for name in [
        "forwarded",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-original-url",
        "x-rewrite-url",
        "x-http-method-override",
    ] {
        let service = HttpCacheLayer::new(Rules::shared()).layer(origin.clone());
        let poison =
            Request::get(PAGE).header(name, "evil.example").body(Nothing::default()).unwrap();
        let reply = send(&service, poison).await.unwrap();
        assert_eq!(reply.text(), "GET http://example.com/page ", "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_body_of_a_get_is_in_no_key_and_its_answer_not_kept() {
    let origin = Origin::new(|number, _| Ok(fresh().body(text(&number.to_string()))?));
    let service = HttpCacheLayer::new(Rules::shared()).layer(origin);
    for fields in [("content-length", "4"), ("transfer-encoding", "chunked")] {
        let fat = Request::get(PAGE).header(fields.0, fields.1).body(Nothing::default()).unwrap();
        let fat = send(&service, fat).await.unwrap();
        assert_eq!(fat.field("cache-status"), "http-cache; fwd=bypass");
    }
    // As HTTP/2 may send it.
    let fat = Request::get(PAGE).body(Nothing::from("body")).unwrap();
    send(&service, fat).await.unwrap();
    assert_eq!(ask(&service, ("GET", PAGE, &[])).await, "3");
}

#[tokio::test(start_paused = true)]
async fn a_cookie_that_comes_with_a_304_is_kept_by_the_rule_for_cookies() {
    let rules = |cookies| Rules::shared().cookies(cookies);
    for (cookies, kept) in [(Cookies::IfPublic, ""), (Cookies::WithExplicitFreshness, "id=a")] {
        let origin = Origin::new(|number, _| {
            let answer = fresh().header("etag", "\"a\"");
            Ok(match number {
                0 => answer.body(text("page"))?,
                _ => answer.status(304).header("set-cookie", "id=a").body(text(""))?,
            })
        });
        let service = HttpCacheLayer::new(rules(cookies)).layer(origin);
        ask(&service, ("GET", PAGE, &[])).await;
        tokio::time::advance(std::time::Duration::from_secs(61)).await;
        let first = send(&service, request(("GET", PAGE, &[("cookie", "id=a")]))).await.unwrap();
        assert_eq!((first.text(), first.field("set-cookie")), ("page", "id=a"));
        let other = send(&service, request(("GET", PAGE, &[]))).await.unwrap();
        assert_eq!((other.field("set-cookie"), other.field("age")), (kept, "0"), "{cookies:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_304_that_closes_an_answer_to_others_is_obeyed() {
    let origin = Origin::new(|number, _| {
        let answer = Response::builder().header("etag", "\"a\"");
        Ok(match number {
            0 => answer.header("cache-control", "max-age=60").body(text("page"))?,
            1 => {
                answer.status(304).header("cache-control", "private, max-age=60").body(text(""))?
            }
            _ => answer.body(text("new"))?,
        })
    });
    let service = HttpCacheLayer::new(Rules::shared()).layer(origin);
    ask(&service, ("GET", PAGE, &[])).await;
    tokio::time::advance(std::time::Duration::from_secs(61)).await;
    let last = send(&service, request(("GET", PAGE, &[]))).await.unwrap();
    assert_eq!(
        (last.text(), last.field("cache-status")),
        ("page", "http-cache; fwd=stale; fwd-status=304; ttl=60")
    );
    assert_eq!(ask(&service, ("GET", PAGE, &[])).await, "new");
}

#[tokio::test(start_paused = true)]
async fn a_304_for_what_was_let_go_of_meanwhile_keeps_nothing_and_says_so() {
    let origin = Origin::new(|number, _| {
        let answer = fresh().header("etag", "\"a\"");
        let status = if number == 1 { 304 } else { 200 };
        Ok(answer.status(status).body(text("page"))?)
    });
    let layer = HttpCacheLayer::new(Rules::shared());
    let service = layer.layer(origin.takes(std::time::Duration::from_secs(1)));
    ask(&service, ("GET", PAGE, &[])).await;
    tokio::time::advance(std::time::Duration::from_secs(61)).await;
    let (reply, ()) = tokio::join!(send(&service, request(("GET", PAGE, &[]))), async {
        tokio::task::yield_now().await;
        layer.handle().clear();
    });
    let told = "http-cache; fwd=stale; fwd-status=304; ttl=59";
    assert_eq!(reply.unwrap().field("cache-status"), told);
    assert_eq!(layer.handle().statistics().usage.entries, 0);
}

#[tokio::test(start_paused = true)]
async fn a_private_cache_for_several_keeps_them_apart_by_what_is_keyed() {
    let origin = Origin::new(|_, request| {
        let answer = Response::builder().header("cache-control", "private, max-age=60");
        Ok(answer.body(text(&all_of(request)))?)
    });
    let layer = HttpCacheLayer::new(Rules::private()).keyed([header::AUTHORIZATION]);
    let service = layer.layer(origin.clone());
    for _ in 0..2 {
        for fields in [
            &[("authorization", "Basic YQ==")][..],
            &[("authorization", "Basic Yg==")],
            &[("authorization", "")],
            &[],
        ] {
            let own = all_of(&request(("GET", PAGE, fields)));
            assert_eq!(ask(&service, ("GET", PAGE, fields)).await, own);
        }
    }
    assert_eq!(origin.calls(), 4);
    assert!(layer.handle().invalidate(&PAGE.parse().unwrap()));
    assert_eq!(layer.handle().statistics().usage.entries, 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_private_cache_renews_beside_a_stale_answer_is_still_its_users() {
    for (name, value) in [("cookie", "user=ann"), ("authorization", "Basic YQ==")] {
        let origin = Origin::new(move |number, request| {
            let who = request.headers().get(name).map_or("nobody", |who| who.to_str().unwrap());
            let answer = Response::builder()
                .header("cache-control", "private, max-age=10, stale-while-revalidate=60");
            Ok(answer.body(text(&format!("{who} {number}")))?)
        });
        let service = HttpCacheLayer::new(Rules::private()).layer(origin.clone());
        for (seconds, number) in [(0, 0), (15, 0), (1, 1)] {
            tokio::time::advance(std::time::Duration::from_secs(seconds)).await;
            let reply = send(&service, request_of(&[(name, value)])).await.unwrap();
            assert_eq!(reply.text(), format!("{value} {number}"));
            tokio::task::yield_now().await;
        }
        assert_eq!(origin.calls(), 2);
    }
}

#[test]
fn identities_do_not_run_into_one_another() {
    use crate::Identity;
    let of = |fields: &[(&str, &str)]| {
        let request = request_of(fields);
        let keyed = [HeaderName::from_static("a"), HeaderName::from_static("b")];
        Identity::of(request.uri(), request.headers(), &keyed).unwrap()
    };
    let all = [
        of(&[]),
        of(&[("a", "")]),
        of(&[("a", "1")]),
        of(&[("b", "1")]),
        of(&[("a", "1"), ("a", "1")]),
        of(&[("a", "1 b=1:1")]),
        of(&[("a", "1"), ("b", "1")]),
    ];
    for (at, one) in all.iter().enumerate() {
        assert!(all[at + 1..].iter().all(|other| one != other), "{one:?} {at}");
    }
}

fn request_of(fields: &[(&str, &str)]) -> Request<Nothing> {
    let mut request = Request::get(PAGE);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Nothing::default()).unwrap()
}
