use std::{
    future::{Pending, pending},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, header::AUTHORIZATION};
use tower::{Layer, Service};
use tower_ballast_cache::store::{Around, Capacity, S3Fifo};
use tower_ballast_core::{BoxError, clock};

use super::origin::{Nothing, Origin, Text, fetch, fresh, get, pieces, read, send, text};
use crate::{HttpCacheLayer, engine::Rules};

const URI: &str = "http://example.com/page";

/// Never ready.
#[derive(Clone)]
struct Down;

impl Service<Request<Nothing>> for Down {
    type Response = Response<Text>;
    type Error = BoxError;
    type Future = Pending<Result<Response<Text>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Pending
    }

    fn call(&mut self, _: Request<Nothing>) -> Self::Future {
        pending()
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_served_while_the_service_is_not_ready() {
    let layer = HttpCacheLayer::new(Rules::shared());
    fetch(&layer.layer(Origin::new(|_, _| Ok(fresh().body(text("page"))?))), URI).await;
    let mut down = layer.layer(Down);
    std::future::poll_fn(|cx| Service::<Request<Nothing>>::poll_ready(&mut down, cx))
        .await
        .unwrap();
    assert_eq!(read(down.call(get(URI)).await.unwrap()).await.text(), "page");
    let other = down.call(get("http://example.com/other"));
    tokio::time::timeout(Duration::from_secs(60), other).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn of_a_target_sixteen_variants_are_kept_the_newest() {
    let origin = Origin::new(|_, request| {
        let language = request.headers()["accept-language"].to_str()?.to_owned();
        Ok(fresh().header("vary", "accept-language").body(text(&language))?)
    });
    let layer = HttpCacheLayer::new(Rules::shared());
    let service = layer.layer(origin.clone());
    let ask = async |language: u32| {
        let language = format!("x-{language}");
        let request = Request::get(URI).header("accept-language", &language);
        let reply = send(&service, request.body(Nothing::default()).unwrap()).await.unwrap();
        assert_eq!(reply.text(), language);
    };
    for language in 0..100 {
        ask(language).await;
    }
    for language in 84..100 {
        ask(language).await;
    }
    assert_eq!(origin.calls(), 100);
    ask(83).await;
    assert_eq!((origin.calls(), layer.handle().statistics().usage.entries), (101, 1));
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_kept_stay_within_their_bound() {
    let origin = Origin::new(|_, _| Ok(fresh().body(text(&"a".repeat(10_000)))?));
    let layer = HttpCacheLayer::new(Rules::shared()).capacity(Capacity::mebibytes(1));
    let service = layer.layer(origin);
    for number in 0..1000 {
        fetch(&service, &format!("http://example.com/{number}")).await;
        assert!(layer.handle().statistics().usage.bytes <= 1024 * 1024);
    }
    let usage = layer.handle().statistics().usage;
    assert!(usage.entries > 80 && usage.evicted > 800, "{usage:?}");
}

#[tokio::test(start_paused = true)]
async fn of_variants_that_are_too_many_for_the_room_the_oldest_go() {
    let origin = Origin::new(|_, request| {
        let language = request.headers()["accept-language"].to_str()?.to_owned();
        let body = language + &"x".repeat(300_000);
        Ok(fresh().header("vary", "accept-language").body(text(&body))?)
    });
    let layer = HttpCacheLayer::new(Rules::shared()).capacity(Capacity::mebibytes(1));
    let service = layer.layer(origin.clone());
    let ask = async |language: u32| {
        let request = Request::get(URI).header("accept-language", format!("x-{language}"));
        let reply = send(&service, request.body(Nothing::default()).unwrap()).await.unwrap();
        assert!(reply.text().starts_with(&format!("x-{language}x")));
        assert!(layer.handle().statistics().usage.bytes <= 1024 * 1024);
    };
    for language in [0, 1, 2, 3, 4, 2, 3, 4] {
        ask(language).await;
    }
    let statistics = layer.handle().statistics();
    assert_eq!((origin.calls(), statistics.stored, statistics.hits), (5, 5, 3));
    assert_eq!((statistics.usage.entries, statistics.usage.refused), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_the_store_could_not_keep_goes_through_and_takes_no_memory() {
    for length in [Some(2_000_000), None] {
        let origin = Origin::new(move |_, _| match length {
            Some(length) => Ok(fresh().body(text(&"a".repeat(length)))?),
            None => Ok(fresh().body(pieces([Box::leak("a".repeat(500_000).into()); 4]))?),
        });
        let layer = HttpCacheLayer::new(Rules::shared()).capacity(Capacity::mebibytes(1));
        let reply = fetch(&layer.layer(origin), URI).await;
        assert_eq!(reply.text().len(), 2_000_000);
        if length.is_some() {
            let told = "http-cache; fwd=uri-miss; detail=too-large";
            assert_eq!(reply.field("cache-status"), told);
        }
        let statistics = layer.handle().statistics();
        assert_eq!((statistics.stored, statistics.dropped, statistics.coming), (0, 1, 0));
        assert_eq!(statistics.usage.refused, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_of_ones_own_is_taken_with_the_capacity_that_is_set_before_or_after_it() {
    let uris: Vec<String> = (0..9).map(|number| format!("http://example.com/{number}")).collect();
    for is_before in [true, false] {
        let (puts, counting) = counter();
        let store =
            Around::new(S3Fifo::new(Capacity::of_entries(100))).before_put(move |_| counting());
        let layer = HttpCacheLayer::new(Rules::shared());
        let few = Capacity::of_entries(5);
        let layer = if is_before {
            layer.capacity(few).store(store)
        } else {
            layer.store(store).capacity(few)
        };
        let service = layer.layer(Origin::new(|_, _| Ok(fresh().body(text("page"))?)));
        for uri in &uris {
            fetch(&service, uri).await;
        }
        assert_eq!((puts.load(SeqCst), layer.handle().statistics().usage.entries), (9, 5));
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_makes_void_what_is_kept_for_all_keys_of_its_target_and_looks_at_nothing_else() {
    let (scans, counting) = counter();
    let store = Around::new(S3Fifo::new(Capacity::mebibytes(1))).before_retain(counting);
    let origin = Origin::new(|number, _| Ok(fresh().body(text(&number.to_string()))?));
    let layer = HttpCacheLayer::new(Rules::private()).keyed([AUTHORIZATION]).store(store);
    let (service, handle) = (layer.layer(origin), layer.handle());
    let ask = async |method: &str, uri: &str, user: &str| {
        let request = Request::builder().method(method).uri(uri).header(AUTHORIZATION, user);
        let reply = send(&service, request.body(Nothing::default()).unwrap()).await.unwrap();
        reply.text().to_owned()
    };
    let other = "http://example.com/other";
    for (method, uri, user, told) in [
        ("GET", URI, "ann", "0"),
        ("GET", URI, "bob", "1"),
        ("GET", other, "ann", "2"),
        ("GET", URI, "ann", "0"),
        ("DELETE", URI, "eve", "3"),
        ("GET", URI, "ann", "4"),
        ("GET", URI, "bob", "5"),
        ("GET", URI, "ann", "4"),
        ("GET", URI, "bob", "5"),
        ("GET", other, "ann", "2"),
    ] {
        assert_eq!(ask(method, uri, user).await, told, "{method} {uri} {user}");
    }
    assert_eq!(scans.load(SeqCst), 0);
    let page = URI.parse().unwrap();
    assert!(handle.invalidate(&page) && !handle.invalidate(&page));
    assert_eq!(ask("GET", URI, "bob").await, "6");
    ask("DELETE", URI, "eve").await;
    assert!(!handle.invalidate(&page), "there is nothing any more that would be served");
    assert_eq!(ask("GET", other, "ann").await, "2");
}

#[tokio::test(start_paused = true)]
async fn a_change_ends_no_sharing_of_calls_for_other_targets() {
    for uri in ["http://example.com/other", URI] {
        let second = Duration::from_secs(1);
        let origin = Origin::new(|_, _| Ok(fresh().body(pieces(["one ", "two"]))?)).takes(second);
        let layer = HttpCacheLayer::new(Rules::shared()).keyed([AUTHORIZATION]);
        let service = layer.layer(origin.clone());
        for seconds in [0, 2] {
            let started = origin.calls();
            let first = tokio::spawn({
                let service = service.clone();
                async move { fetch(&service, uri).await }
            });
            tokio::time::sleep(seconds * second / 2).await;
            tokio::task::yield_now().await;
            let delete = Request::delete(URI).body(Nothing::default()).unwrap();
            drop(service.clone().call(delete).await.unwrap());
            assert_eq!(fetch(&service, uri).await.text(), "one two");
            assert_eq!(first.await.unwrap().text(), "one two");
            let calls = if uri == URI { 3 } else { 2 };
            assert_eq!(origin.calls() - started, calls, "{uri} {seconds}");
            layer.handle().clear();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_memory_for_bodies_is_short_for_a_moment_calls_are_shared_after_it() {
    let origin = Origin::new(|_, _| {
        Ok(fresh().header("content-length", "100").body(pieces(["0123456789"; 10]))?)
    });
    let layer = HttpCacheLayer::new(Rules::shared()).coming(150);
    let service = layer.layer(origin.clone());
    let mut other = service.clone();
    let other = other.call(get("http://example.com/other")).await.unwrap();
    let first = fetch(&service, URI).await;
    assert_eq!(first.field("cache-status"), "http-cache; fwd=uri-miss; detail=no-room");
    drop(other);
    let all = futures_util::future::join_all((0..100).map(|_| fetch(&service, URI))).await;
    assert!(all.iter().all(|reply| reply.text().len() == 100));
    assert_eq!(origin.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn where_a_body_of_unknown_length_finds_no_room_half_way_calls_are_shared_after_it() {
    let origin = Origin::new(|_, request| match request.uri().path() {
        "/page" => Ok(fresh().body(pieces(["0123456789abcdefghij"; 5]))?),
        _ => Ok(fresh().header("content-length", "100").body(pieces(["0123456789"; 10]))?),
    });
    let layer = HttpCacheLayer::new(Rules::shared()).coming(150);
    let (service, handle) = (layer.layer(origin.clone()), layer.handle());
    let other = service.clone().call(get("http://example.com/other")).await.unwrap();
    let ask = async || {
        let all = futures_util::future::join_all((0..10).map(|_| fetch(&service, URI))).await;
        assert!(all.iter().all(|reply| reply.text().len() == 100));
    };
    ask().await;
    let statistics = handle.statistics();
    assert_eq!((statistics.stored, statistics.dropped, statistics.no_room), (0, 10, 10));
    assert_eq!(statistics.coming, 100, "what the other one takes");
    // Nobody has to go alone for a while: there is room again.
    drop(other);
    let calls = origin.calls();
    ask().await;
    assert_eq!((origin.calls(), handle.statistics().stored), (calls + 1, 1));
}

#[tokio::test(start_paused = true)]
async fn where_no_room_is_left_at_all_the_answer_says_so_whatever_its_length() {
    for length in [Some("10"), None] {
        let origin = Origin::new(move |_, request| {
            let answer = fresh();
            let answer = match (request.uri().path(), length) {
                ("/page", None) => answer,
                _ => answer.header("content-length", "10"),
            };
            Ok(answer.body(pieces(["0123456789"]))?)
        });
        let layer = HttpCacheLayer::new(Rules::shared()).coming(10);
        let service = layer.layer(origin.clone());
        let other = service.clone().call(get("http://example.com/other")).await.unwrap();
        let first = fetch(&service, URI).await;
        assert_eq!(first.field("cache-status"), "http-cache; fwd=uri-miss; detail=no-room");
        assert_eq!(layer.handle().statistics().no_room, 1);
        drop(other);
        let second = fetch(&service, URI).await;
        assert_eq!(second.field("cache-status"), "http-cache; fwd=uri-miss; stored");
        assert_eq!((second.text(), layer.handle().statistics().stored), ("0123456789", 1));
    }
}

#[tokio::test(start_paused = true)]
async fn what_would_never_find_room_is_too_large() {
    for length in [Some("20"), None] {
        let origin = Origin::new(move |_, _| {
            let answer = fresh();
            let answer = match length {
                Some(length) => answer.header("content-length", length),
                None => answer,
            };
            Ok(answer.body(pieces(["0123456789"; 2]))?)
        });
        let layer = HttpCacheLayer::new(Rules::shared()).coming(19);
        let service = layer.layer(origin.clone());
        assert_eq!(fetch(&service, URI).await.text().len(), 20);
        let statistics = layer.handle().statistics();
        assert_eq!((statistics.stored, statistics.dropped, statistics.no_room), (0, 1, 0));
        let start = clock::now();
        let all = futures_util::future::join_all((0..10).map(|_| fetch(&service, URI))).await;
        assert!(all.iter().all(|reply| reply.text().len() == 20));
        assert_eq!(origin.calls(), 11);
        assert_eq!(clock::now().since(start), Duration::from_secs(3), "nobody waits");
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_on_their_way_stay_within_theirs_and_go_through() {
    let origin = Origin::new(|_, _| Ok(fresh().body(pieces(["0123456789"; 10]))?));
    let layer = HttpCacheLayer::new(Rules::shared()).coming(250);
    let service = layer.layer(origin);
    let uris: Vec<String> = (0..10).map(|number| format!("http://example.com/{number}")).collect();
    let all = futures_util::future::join_all(uris.iter().map(async |uri| {
        let reply = fetch(&service, uri).await;
        assert!(layer.handle().statistics().coming <= 250);
        assert_eq!(reply.text().len(), 100);
    }));
    all.await;
    let statistics = layer.handle().statistics();
    assert_eq!((statistics.coming, statistics.stored + statistics.dropped), (0, 10));
    assert!(statistics.stored <= 2, "{statistics:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_away_leaves_nothing_behind() {
    let origin = Origin::new(|_, _| Ok(fresh().body(pieces(["one ", "two"]))?));
    let layer = HttpCacheLayer::new(Rules::shared());
    let service = layer.layer(origin.clone().takes(Duration::from_secs(1)));
    for moment in 0..8 {
        let all = futures_util::future::join_all((0..10).map(|_| fetch(&service, URI)));
        let moment = Duration::from_millis(moment * 400);
        let _ = tokio::time::timeout(moment, all).await;
        let statistics = layer.handle().statistics();
        assert_eq!((statistics.coming, statistics.in_flight), (0, 0), "{moment:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_store_refuses_is_not_counted_as_stored() {
    // It does not say beforehand how little there is room for.
    let store = Around::new(S3Fifo::new(Capacity::of_bytes(500))).largest(usize::MAX);
    let layer = HttpCacheLayer::new(Rules::shared()).store(store);
    let service = layer.layer(Origin::new(|_, _| Ok(fresh().body(text("page"))?)));
    for _ in 0..2 {
        assert_eq!(fetch(&service, URI).await.text(), "page");
    }
    let statistics = layer.handle().statistics();
    assert_eq!((statistics.stored, statistics.dropped, statistics.usage.refused), (0, 2, 2));
}

/// A count, and what adds to it.
fn counter() -> (Arc<AtomicUsize>, impl Fn() + Send + Sync + 'static) {
    let count = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&count);
    (count, move || _ = counting.fetch_add(1, SeqCst))
}
