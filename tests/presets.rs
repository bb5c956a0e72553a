//! What the presets keep apart, and what they share.

use std::{
    convert::Infallible,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::sync::Semaphore;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_ballast::{
    BulkheadLayer, Deadline, Endpoint, HttpCacheLayer, HttpFacts, HttpReplay, Priority, Reason,
    Rejected, circuit_breaker::Phase, core::clock, http_cache::engine::Rules, http_client,
    http_server,
};

/// A client under the preset, with which everything at `down` fails.
fn client(
    preset: &tower_ballast::HttpClient,
) -> impl Service<Request<String>, Response = StatusCode, Error = BoxError> {
    let inner = service_fn(|request: Request<_>| async move {
        let mut response = Response::new(String::new());
        if request.uri().host() == Some("down") {
            *response.status_mut() = StatusCode::BAD_GATEWAY;
        }
        Ok::<_, BoxError>(response)
    });
    preset.layer(inner).map_response(|response: Response<String>| response.status())
}

fn post(url: &str) -> Request<String> {
    Request::post(url).body(String::new()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_authority_has_a_circuit_of_its_own() {
    // A retry would wait until the circuit lets it try.
    let preset = http_client().retry(|layer| layer.retries(0));
    let mut client = client(&preset);
    for _ in 0..20 {
        let status = client.ready().await.unwrap().call(post("http://down:8080/")).await.unwrap();
        assert_eq!(status, StatusCode::BAD_GATEWAY);
    }
    let refused = client.ready().await.unwrap().call(post("http://DOWN:8080/")).await.unwrap_err();
    assert_eq!(Rejected::find(&*refused).unwrap().reason(), Reason::CircuitOpen);
    client.ready().await.unwrap().call(post("http://up/")).await.unwrap();

    let endpoints = preset.endpoints();
    let phase = |authority| endpoints.of(Endpoint::key(authority)).unwrap().circuit().phase();
    assert_eq!((phase("down:8080"), phase("up")), (Phase::Open, Phase::Closed));
    assert!(endpoints.of(Endpoint::key("down")).is_none());
    assert_eq!(endpoints.statistics().keys, 2);

    let figures = preset.metrics_handle();
    assert_eq!(figures.of("down:8080").unwrap().whole.errors, 20);
    assert_eq!(figures.of("up").unwrap().whole.errors, 0);
}

#[tokio::test(start_paused = true)]
async fn an_open_circuit_survives_a_flood_of_made_up_hosts() {
    let preset = http_client().retry(|layer| layer.retries(0));
    let mut client = client(&preset);
    for _ in 0..20 {
        client.ready().await.unwrap().call(post("http://down/")).await.unwrap();
    }
    for number in 0..5_000 {
        client.ready().await.unwrap().call(post(&format!("http://h{number}/"))).await.unwrap();
    }
    assert!(client.ready().await.unwrap().call(post("http://down/")).await.is_err());
    assert_eq!(preset.endpoints().statistics().keys, 256);
}

#[tokio::test(start_paused = true)]
async fn what_is_tuned_holds_for_every_authority_and_everyone_is_told() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let preset = http_client()
        .retry(|layer| layer.replay(HttpReplay::new()))
        .bulkhead(|layer| layer.limit(0).name("none"))
        .on_event(move |event| log.lock().unwrap().push(event.to_string()));
    let mut client = client(&preset);
    for host in ["http://a/", "http://b/"] {
        let refused = client.ready().await.unwrap().call(post(host)).await.unwrap_err();
        assert_eq!(Rejected::find(&*refused).unwrap().reason(), Reason::BulkheadFull);
    }
    assert_eq!(*told.lock().unwrap(), ["none refused reason=bulkhead_full"; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_server_refuses_what_it_cannot_work_on_and_counts_by_operation() {
    let preset = http_server()
        .limit(1)
        .bulkhead(|layer| layer.queue(0))
        .operation(|request: &Request<Body>| request.uri().path());
    let (figures, bulkhead) = (preset.metrics_handle(), preset.bulkhead_handle());
    let app = preset.layer(service_fn(|request: Request<Body>| async move {
        match request.uri().path() {
            "/hang" => pending().await,
            _ => Ok::<_, Infallible>(Response::new(Body::empty())),
        }
    }));
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let running = tokio::spawn(app.clone().oneshot(get("/hang")));
    tokio::task::yield_now().await;
    let refused = app.clone().oneshot(get("/")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(bulkhead.statistics().queue_full, 1);
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    assert_eq!(app.oneshot(get("/")).await.unwrap().status(), StatusCode::OK);
    assert_eq!(figures.of("/hang").unwrap().whole.cancelled, 1);
    let root = figures.of("/").unwrap().whole;
    assert_eq!((root.count, root.ignored, root.errors), (2, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_server_finds_how_much_it_can_do_at_once() {
    const WORKERS: usize = 40;
    let workers = Arc::new(Semaphore::new(WORKERS));
    let preset = http_server();
    let (bulkhead, figures) = (preset.bulkhead_handle(), preset.metrics_handle());
    let app = preset.layer(service_fn(move |_: Request<Body>| {
        let workers = Arc::clone(&workers);
        async move {
            let _worker = workers.acquire().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }
    }));
    let served =
        || figures.of("GET").map_or(0, |figures| figures.whole.count - figures.whole.ignored);
    let mut at_half = 0;
    // Half as much again as the 2000 a second that it can do, for ten seconds.
    for millis in 0..10_000_u64 {
        for _ in 0..3 {
            let request = Request::get("/").body(Body::empty()).unwrap();
            tokio::spawn(app.clone().oneshot(request));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        if millis == 5000 {
            at_half = served();
        }
    }
    let (rate, limit) = ((served() - at_half) / 5, bulkhead.limit());
    // Timers that end by the millisecond take one in twenty of it.
    assert!(rate > 1800, "{rate} a second of 2000");
    assert!((30..=80).contains(&limit), "{limit} at once, where 40 are worked on");
}

/// It can do 2000 a second, and of each class a thousand come.
#[tokio::test(start_paused = true)]
async fn a_server_with_too_much_to_do_serves_by_priority_and_starves_nobody() {
    const WORKERS: usize = 40;
    let workers = Arc::new(Semaphore::new(WORKERS));
    let app = http_server().layer(service_fn(move |_: Request<Body>| {
        let workers = Arc::clone(&workers);
        async move {
            let _worker = workers.acquire().await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }
    }));
    let served = Arc::new(Mutex::new([0_u32; 4]));
    // What it can do is found in the first second.
    for millis in 0..6000 {
        for class in Priority::ALL {
            let (app, served) = (app.clone(), Arc::clone(&served));
            let mut request = Request::get("/").body(Body::empty()).unwrap();
            request.extensions_mut().insert(class);
            tokio::spawn(async move {
                let answer = app.oneshot(request).await.unwrap();
                if answer.status() == StatusCode::OK {
                    served.lock().unwrap()[class.index()] += u32::from(millis >= 1000);
                } else {
                    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
                    assert!(!answer.headers().contains_key("retry-after"), "of nobody's own");
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let [high, medium, low, batch] = *served.lock().unwrap();
    assert!(high >= 4995, "{high} of the 5000 most important");
    assert!((3500..4600).contains(&medium), "{medium} of 5000 in what those leave");
    // Their floors are 4 % and 1 % of nearly 10 000 turns.
    assert!((300..420).contains(&low), "{low} low ones");
    assert!((80..110).contains(&batch), "{batch} of a batch");
}

/// From the 10th second to the 50th each request hangs until its deadline of 30 s ends it, so the last of them do so in the 80th
/// at the latest.
#[tokio::test(start_paused = true)]
async fn a_server_that_has_hung_is_used_in_full_again_as_soon_as_nobody_hangs_any_more() {
    let start = clock::now();
    let elapsed = move || clock::now().since(start);
    let hung = Arc::new(Mutex::new(Duration::ZERO));
    let last = Arc::clone(&hung);
    let app = http_server().layer(service_fn(move |_: Request<Body>| {
        let last = Arc::clone(&last);
        async move {
            if (10..50).contains(&elapsed().as_secs()) {
                let _end = OnDrop(|| *last.lock().unwrap() = elapsed());
                return pending().await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }
    }));
    let answered = Arc::new(Mutex::new(vec![0; 100]));
    for number in 0..90 * 500 {
        let (app, answered) = (app.clone(), Arc::clone(&answered));
        tokio::spawn(async move {
            let request = Request::get("/").body(Body::empty()).unwrap();
            if app.oneshot(request).await.unwrap().status() == StatusCode::OK {
                answered.lock().unwrap()[usize::try_from(elapsed().as_secs()).unwrap()] += 1;
            }
        });
        let moment = start + Duration::from_millis(2) * number;
        tokio::time::sleep(moment.since(clock::now())).await;
    }
    let well = usize::try_from(hung.lock().unwrap().as_secs()).unwrap();
    assert!((50..=80).contains(&well), "{well}");
    let answered = answered.lock().unwrap();
    assert!(answered[well + 2..90].iter().all(|answered| *answered >= 490), "{answered:?}");
}

#[tokio::test]
async fn whatever_bulkhead_a_server_is_given_its_limit_is_found_or_said() {
    let own = || BulkheadLayer::new(7).queue(5).facts(HttpFacts::new());
    let found = http_server().bulkhead(|_| own());
    assert_eq!(found.bulkhead_handle().limit(), found.adaptive_handle().limit());
    found.adaptive_handle().set_bounds(3..=4);
    assert_eq!(found.bulkhead_handle().limit(), 4);
    let said = http_server().limit(9).bulkhead(|_| own());
    assert_eq!(said.bulkhead_handle().limit(), 9);
}

#[test]
fn a_preset_tells_what_it_is_made_of() {
    let words = |text: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.split("  ").next().map(str::to_owned)).collect()
    };
    assert_eq!(words(&http_server().explain()), ["respond", "metrics", "deadline", "bulkhead"]);
    let client = http_client().explain();
    let layers = words(&client);
    assert_eq!(layers[..3], ["metrics", "deadline", "retry"]);
    assert_eq!(layers[4..], ["bulkhead", "circuit", "attempt"]);
}

#[tokio::test(start_paused = true)]
async fn a_cached_client_serves_what_is_there_while_the_circuit_is_open_and_the_stale_when_all_fails()
 {
    let hour = Duration::from_secs(3600);
    let rules = Rules::private().stale_if_error(hour).stale_if_disconnected(hour);
    let preset = http_client().retry(|layer| layer.retries(0)).cache(HttpCacheLayer::new(rules));
    let (endpoints, cache) = (preset.client().endpoints(), preset.cache_handle());
    let mut client = preset.layer(service_fn(|_: Request<_>| async {
        let body = Full::<Bytes>::from("kept");
        let response = Response::builder().header("cache-control", "max-age=60").body(body);
        Ok::<_, BoxError>(response.unwrap())
    }));
    let get = |path: &str| Request::get(format!("http://up/{path}")).body(String::new()).unwrap();
    let response = client.ready().await.unwrap().call(get("a")).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "kept");
    endpoints.of(Endpoint::key("up")).unwrap().circuit().force_open();
    for (passed, is_hit) in [(0, true), (61, false)] {
        tokio::time::sleep(Duration::from_secs(passed)).await;
        let response = client.ready().await.unwrap().call(get("a")).await.unwrap();
        let told = response.headers()["cache-status"].to_str().unwrap().to_owned();
        assert_eq!(told.contains("; hit"), is_hit, "{told}");
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "kept");
    }
    assert!(client.ready().await.unwrap().call(get("b")).await.is_err());
    assert_eq!(cache.statistics().spared, 1);
}

#[tokio::test(start_paused = true)]
async fn a_cached_client_gives_all_the_one_answer_though_the_first_has_no_time_for_it() {
    let calls = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&calls);
    let preset = http_client().cache(HttpCacheLayer::new(Rules::private()));
    let client = preset.layer(service_fn(move |_: Request<_>| {
        *counted.lock().unwrap() += 1;
        async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let body = Full::<Bytes>::from("kept");
            let response = Response::builder().header("cache-control", "max-age=60").body(body);
            Ok::<_, BoxError>(response.unwrap())
        }
    }));
    let get = || Request::get("http://up/").body(String::new()).unwrap();
    let mut hurried = get();
    hurried.extensions_mut().insert(Deadline::after(Duration::from_secs(1)));
    let first = tokio::spawn(client.clone().oneshot(hurried));
    tokio::task::yield_now().await;
    let others: Vec<_> = (0..10).map(|_| tokio::spawn(client.clone().oneshot(get()))).collect();
    let refused = first.await.unwrap().unwrap_err();
    assert_eq!(Rejected::find(&*refused).unwrap().reason(), Reason::DeadlinePassed);
    for other in others {
        let response = other.await.unwrap().unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "kept");
    }
    assert_eq!(*calls.lock().unwrap(), 1);
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
