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
    RespondLayer,
    http::{ClientField, HttpFacts, RateLimitFieldsLayer},
    prelude::*,
};

use crate::wire::{self, client, serve};

/// A router with a limit for all its connections.
fn limited(quota: Quota) -> (Router, tower_ballast::rate_limit::PriorityRateLimitHandle) {
    let limit = PriorityRateLimitLayer::new(quota).name("search");
    let handle = limit.handle();
    let app = Router::new().route("/", get(async || "found")).layer(
        ServiceBuilder::new()
            .layer(RateLimitFieldsLayer::new(handle.clone()).every_answer())
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
            .layer(RateLimitFieldsLayer::new(limit.handle()))
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
