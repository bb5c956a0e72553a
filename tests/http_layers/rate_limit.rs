use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Body, routing::get};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_ballast::{
    HttpClassify, RespondLayer,
    core::Key,
    http::{ClientField, HttpFacts, RateLimitFieldsLayer},
    prelude::*,
    rate_limit::{KeyLimit, adjust::Limits},
};

use crate::wire::{self, client, serve};

/// A router with a limit for all its connections.
fn limited(quota: Quota) -> (Router, tower_ballast::rate_limit::PriorityRateLimitHandle) {
    let limit = PriorityRateLimitLayer::new(quota).name("search");
    let handle = limit.handle();
    let app = Router::new().route("/", get(async || "found")).layer(
        ServiceBuilder::new()
            .layer(RateLimitFieldsLayer::new(limit.standings()).every_answer())
            .layer(RespondLayer::new())
            .layer(limit),
    );
    (app, handle)
}

#[tokio::test]
async fn a_limit_holds_across_connections_and_tells_what_is_left() {
    let (app, _) = limited(Quota::per_hour(count::<2>()).burst(count::<2>()));
    let address = serve(app).await;
    for left in [1, 0] {
        // A client of its own has a connection of its own.
        let answer = client().oneshot(wire::get(address)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["ratelimit-policy"], "\"search\";q=2;w=3600");
        assert_eq!(answer.headers()["ratelimit"], format!("\"search\";r={left};t=1800"));
    }
    let refused = client().oneshot(wire::get(address)).await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["ratelimit"], "\"search\";r=0;t=1800");
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    // Half an hour is beyond the horizon, and so told as it is, in whole seconds rounded up.
    let after: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1795..=1800).contains(&after), "{after} s");
    let problem = refused.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&problem).contains("rate_limited"));
}

#[tokio::test(start_paused = true)]
async fn every_limit_is_told_by_its_own_key_on_refusals_and_by_choice_on_answers() {
    let by = |name: &'static str| {
        move |request: &Request<Body>| request.headers().get(name).map(Key::of)
    };
    let each = |number, name| {
        KeyLimit::new(100, Quota::try_new("q", number, Duration::from_secs(60)).unwrap()).name(name)
    };
    let limit = PriorityRateLimitLayer::new(Quota::per_second(count::<10>()))
        .name("all")
        .per_key(each(2, "tenant"), by("x-tenant"))
        .per_key(each(1, "token"), by("x-token"));
    for every_answer in [false, true] {
        let limit = limit.clone().separate().name("all");
        let fields = RateLimitFieldsLayer::new(limit.standings());
        let app = ServiceBuilder::new()
            .layer(if every_answer { fields.every_answer() } else { fields })
            .layer(RespondLayer::new())
            .layer(limit)
            .service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty())));
        let get = async |tenant: &str, token: Option<&str>| {
            let request = Request::get("/").header("x-tenant", tenant);
            let request =
                token.iter().fold(request, |request, token| request.header("x-token", *token));
            let answer = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            let text = |name: &str| {
                answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
            };
            (answer.status().as_u16(), text("ratelimit-policy"), text("ratelimit"))
        };
        let policy = r#""tenant";q=2;w=60, "token";q=1;w=60, "all";q=10;w=1"#;
        let told = |left: &str, is_told: bool| {
            (is_told.then(|| policy.to_owned()), is_told.then(|| left.to_owned()))
        };
        // One of a tenant's two passes at once, and the next after half a minute; a token's after a whole one.
        for (tenant, token, status, left) in [
            ("ann", "a", 200, r#""tenant";r=0;t=30, "token";r=0;t=60, "all";r=9;t=1"#),
            ("bob", "a", 429, r#""tenant";r=1;t=0, "token";r=0;t=60, "all";r=9;t=1"#),
            ("ann", "b", 429, r#""tenant";r=0;t=30, "token";r=1;t=0, "all";r=9;t=1"#),
            ("bob", "b", 200, r#""tenant";r=0;t=30, "token";r=0;t=60, "all";r=8;t=1"#),
        ] {
            let (is, policy, fields) = get(tenant, Some(token)).await;
            assert_eq!(is, status, "{tenant} {token}");
            assert_eq!((policy, fields), told(left, every_answer || status == 429));
            assert!(!left.contains(tenant), "whose limit it is, is not told");
        }
        // Without a token there is no limit of one.
        let (status, policy, fields) = get("ann", None).await;
        assert_eq!(
            (status, policy.unwrap()),
            (429, r#""tenant";q=2;w=60, "all";q=10;w=1"#.to_owned())
        );
        assert_eq!(fields.unwrap(), r#""tenant";r=0;t=30, "all";r=8;t=1"#);
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_follows_what_the_status_says_of_the_service() {
    for (status, expected) in [(200, 100), (404, 100), (503, 70), (500, 70)] {
        let limit = PriorityRateLimitLayer::new(Quota::per_second(count::<100>()))
            .adjust(Limits::new().errors(Ratio::percent::<10>()))
            .classify_with(HttpClassify::new());
        let handle = limit.handle();
        let service = ServiceBuilder::new().layer(limit).service_fn(move |_: Request<Body>| {
            let answer = Response::builder().status(status).body(Body::empty()).unwrap();
            std::future::ready(Ok::<_, Infallible>(answer))
        });
        for _ in 0..60 {
            service.clone().oneshot(Request::new(Body::empty())).await.unwrap();
            tokio::time::advance(Duration::from_millis(20)).await;
        }
        assert_eq!(handle.present_quota().count(), expected, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_finds_its_queue_full_or_waits_in_vain_is_told_what_is_left_too() {
    // One after an hour cannot come in time, and one after a second can.
    for (quota, reason) in [
        (Quota::per_hour(count::<1>()), "queue_timeout"),
        (Quota::per_second(count::<1>()), "queue_full"),
    ] {
        let limit = PriorityRateLimitLayer::new(quota)
            .queue(1)
            .longest_wait(Duration::from_secs(2))
            .name("search");
        let app = ServiceBuilder::new()
            .layer(RateLimitFieldsLayer::new(limit.standings()))
            .layer(RespondLayer::new())
            .layer(limit)
            .service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::empty())));
        let get = || app.clone().oneshot(Request::new(Body::empty()));
        assert_eq!(get().await.unwrap().status(), StatusCode::OK);
        let (_, refused) = tokio::join!(get(), get());
        let refused = refused.unwrap();
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS, "{reason}");
        assert!(refused.headers().contains_key("retry-after"), "{reason}");
        let policy = refused.headers()["ratelimit-policy"].to_str().unwrap();
        assert!(policy.starts_with("\"search\";q=1;"), "{policy}");
        let problem = refused.into_body().collect().await.unwrap().to_bytes();
        let problem: serde_json::Value = serde_json::from_slice(&problem).unwrap();
        assert_eq!(problem["reason"], reason);
    }
}

#[tokio::test]
async fn a_client_that_was_refused_comes_back_at_its_moment_and_passes() {
    // The next one is free after 50 ms.
    let (app, handle) = limited(Quota::per_second(count::<20>()).burst(count::<1>()));
    let address = serve(app).await;
    let mut client = ServiceBuilder::new().layer(tower_ballast::http_client()).service(client());
    for _ in 0..3 {
        let answer = client.ready().await.unwrap().call(wire::get(address)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
    assert!(handle.statistics().of(Priority::Medium).limited >= 1, "nobody was refused");
}

/// In which order these are served that wait, each told by its `priority` and its tenant.
async fn order(
    facts: HttpFacts<ClientField>,
    waiting: &[(&'static str, &'static str)],
) -> Vec<String> {
    let served = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&served);
    let limit = PriorityRateLimitLayer::new(Quota::per_second(count::<10>()).burst(count::<1>()))
        .facts(facts)
        .queue(256)
        .longest_wait(Duration::from_secs(60));
    let app = ServiceBuilder::new().layer(RespondLayer::new()).layer(limit).service_fn(
        move |request: Request<Body>| {
            let field = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
            log.lock().unwrap().push(format!("{} {}", field("priority"), field("x-tenant")));
            std::future::ready(Ok::<_, Infallible>(Response::new(Body::empty())))
        },
    );
    let mut calls = tokio::task::JoinSet::new();
    // The first one passes, and is not looked at.
    for (priority, tenant) in [&("u=3", "first")].into_iter().chain(waiting) {
        let request = Request::get("/").header("priority", *priority).header("x-tenant", *tenant);
        calls.spawn(app.clone().oneshot(request.body(Body::empty()).unwrap()));
        tokio::task::yield_now().await;
    }
    for answer in calls.join_all().await {
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
    }
    let mut served = served.lock().unwrap();
    served.split_off(1)
}

#[tokio::test(start_paused = true)]
async fn priorities_and_clients_are_read_from_the_requests_of_trusted_senders() {
    let facts =
        HttpFacts::new().client(ClientField::new(http::HeaderName::from_static("x-tenant")));
    let waiting = [
        ("u=7", "bulk"),
        ("u=3", "greedy"),
        ("u=3", "greedy"),
        ("u=3", "greedy"),
        ("u=3", "modest"),
        ("u=0", "urgent"),
    ];
    let trusted = order(facts.clone().trusted_sender(), &waiting).await;
    let expected =
        ["u=0 urgent", "u=3 greedy", "u=3 modest", "u=3 greedy", "u=3 greedy", "u=7 bulk"];
    assert_eq!(trusted, expected);
    // Of others only the client is believed, as which the operator knows them: each has its turn.
    let claimed = order(facts, &waiting).await;
    assert_eq!(claimed[..4], ["u=7 bulk", "u=3 greedy", "u=3 modest", "u=0 urgent"]);
}
