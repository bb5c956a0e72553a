use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, future::join_all};
use http::StatusCode;
use http_body_util::BodyExt;
use tokio::time::advance;
use tower::{Layer, Service, service_fn};
use tower_ballast_core::{Attempt, BoxError, Deadline, Key, Priority, clock};

use super::origin::{Nothing, Origin, fetch, fresh, get, pieces, read, send, text};
use crate::{HttpCacheLayer, engine::Rules};

const URI: &str = "http://example.com/page";
const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_thousand_at_once_make_one_call() {
    for length in [Some(11), None] {
        let origin = Origin::new(move |_, _| {
            let answer = fresh();
            Ok(match length {
                Some(length) => {
                    answer.header("content-length", length).body(pieces(["hello ", "world"]))?
                }
                None => answer.body(pieces(["hello ", "world"]))?,
            })
        });
        let layer = HttpCacheLayer::new(Rules::shared());
        let service = layer.layer(origin.clone().takes(SECOND));
        let all = join_all((0..1000).map(|_| fetch(&service, URI))).await;
        assert!(all.iter().all(|reply| reply.text() == "hello world"));
        assert_eq!(origin.calls(), 1);
        let statistics = layer.handle().statistics();
        assert_eq!((statistics.collapsed, statistics.misses, statistics.coming), (999, 1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_while_the_body_is_on_its_way_reads_along() {
    let origin = Origin::new(|_, _| Ok(fresh().body(pieces(["one ", "two ", "three"]))?));
    let service = HttpCacheLayer::new(Rules::shared()).layer(origin.clone());
    let mut first = service.clone().call(get(URI)).await.unwrap();
    let one = first.body_mut().frame().await.unwrap().unwrap();
    assert_eq!(one.into_data().unwrap(), Bytes::from("one "));
    // The first one reads no further, and the second has all.
    assert_eq!(fetch(&service, URI).await.text(), "one two three");
    assert_eq!(origin.calls(), 1);
    assert_eq!(first.into_body().collect().await.unwrap().to_bytes(), "two three");
}

#[tokio::test(start_paused = true)]
async fn the_first_one_may_go_away_at_any_moment() {
    for length in [Some(7), None] {
        for moment in 0..8 {
            let origin = Origin::new(move |_, _| {
                let answer = fresh();
                Ok(match length {
                    Some(length) => {
                        answer.header("content-length", length).body(pieces(["one ", "two"]))?
                    }
                    None => answer.body(pieces(["one ", "two"]))?,
                })
            });
            let service =
                HttpCacheLayer::new(Rules::shared()).layer(origin.clone().takes(2 * SECOND));
            let first = tokio::spawn({
                let service = service.clone();
                async move { fetch(&service, URI).await }
            });
            tokio::task::yield_now().await;
            let others: Vec<_> = (0..10)
                .map(|_| {
                    let service = service.clone();
                    tokio::spawn(async move { fetch(&service, URI).await })
                })
                .collect();
            tokio::task::yield_now().await;
            advance(SECOND * moment / 2).await;
            first.abort();
            for other in others {
                assert_eq!(other.await.unwrap().text(), "one two");
            }
            assert_eq!(origin.calls(), 1, "gone after {moment} half seconds, {length:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn all_who_waited_in_vain_share_one_more_call_however_soon_that_fails() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let service = service_fn(move |_: http::Request<Nothing>| {
        let number = counted.fetch_add(1, SeqCst);
        async move {
            // All have come when the first one fails, and the second fails at once.
            if number == 0 {
                tokio::time::sleep(SECOND).await;
            }
            Err::<http::Response<Nothing>, _>(BoxError::from("down"))
        }
    });
    let service = HttpCacheLayer::new(Rules::shared()).layer(service);
    let all = join_all((0..1000).map(|_| service.clone().call(get(URI)))).await;
    assert_eq!(calls.load(SeqCst), 2);
    assert_eq!(all.iter().filter(|answer| answer.is_err()).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn when_the_first_one_fails_one_more_call_is_made_for_all() {
    let origin = Origin::new(|number, _| match number {
        0 => Err("reset".into()),
        _ => Ok(fresh().body(text("page"))?),
    });
    let service = HttpCacheLayer::new(Rules::shared()).layer(origin.clone().takes(SECOND));
    let all = join_all((0..1000).map(|_| send(&service, get(URI)))).await;
    assert_eq!(all.iter().filter(|outcome| outcome.is_err()).count(), 1);
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn when_the_second_fails_as_well_the_others_are_told() {
    let origin = Origin::new(|_, _| Err("reset".into())).takes(SECOND);
    let layer = HttpCacheLayer::new(Rules::shared());
    let service = layer.layer(origin.clone());
    let all = join_all((0..1000).map(|_| send(&service, get(URI)))).await;
    let told = all.iter().flatten().filter(|reply| reply.status == 502).count();
    assert_eq!((told, origin.calls()), (998, 2));
    assert_eq!(layer.handle().statistics().failed, 998);
}

#[tokio::test(start_paused = true)]
async fn an_answer_for_one_alone_releases_all_at_once_and_for_a_while() {
    let origin = Origin::new(|_, _| {
        let answer = http::Response::builder().header("cache-control", "no-store");
        Ok(answer.body(text("page"))?)
    });
    let service = HttpCacheLayer::new(Rules::shared()).layer(origin.clone().takes(SECOND));
    let start = clock::now();
    join_all((0..100).map(|_| fetch(&service, URI))).await;
    assert_eq!((origin.calls(), clock::now().since(start)), (100, 2 * SECOND));
    join_all((0..100).map(|_| fetch(&service, URI))).await;
    assert_eq!((origin.calls(), clock::now().since(start)), (200, 3 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_purge_holds_for_an_answer_that_is_on_its_way() {
    for seconds in [0, 2, 3] {
        let origin = Origin::new(|number, _| {
            Ok(fresh().body(pieces([if number == 0 { "old" } else { "new" }, "!"]))?)
        });
        let layer = HttpCacheLayer::new(Rules::shared());
        let service = layer.layer(origin.clone().takes(SECOND));
        let first = tokio::spawn({
            let service = service.clone();
            async move { fetch(&service, URI).await }
        });
        tokio::task::yield_now().await;
        advance(SECOND * seconds).await;
        tokio::task::yield_now().await;
        layer.handle().invalidate(&URI.parse().unwrap());
        let second = fetch(&service, URI).await;
        assert_eq!((second.text(), first.await.unwrap().text()), ("new!", "old!"));
        assert_eq!(fetch(&service, URI).await.text(), "new!");
        assert_eq!(origin.calls(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn those_of_another_variant_wait_for_their_own() {
    let origin = Origin::new(|_, request| {
        let language = request.headers()["accept-language"].to_str()?.to_owned();
        Ok(fresh().header("vary", "accept-language").body(text(&language))?)
    });
    let service = HttpCacheLayer::new(Rules::shared()).layer(origin.clone().takes(SECOND));
    let languages = ["de", "fr"].into_iter().cycle().take(1000);
    let all = join_all(languages.map(async |language| {
        let request = http::Request::get(URI).header("accept-language", language);
        let reply = send(&service, request.body(Nothing::default()).unwrap()).await.unwrap();
        assert_eq!(reply.text(), language);
    }));
    all.await;
    assert_eq!(origin.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_has_waited_long_enough_for_a_head_asks_anew() {
    for others in [1, 99] {
        let origin = Origin::new(|_, _| Ok(fresh().body(text("page"))?)).takes(25 * SECOND);
        let layer = HttpCacheLayer::new(Rules::shared());
        let service = layer.layer(origin.clone());
        let start = clock::now();
        let all = join_all((0..=others).map(|_| fetch(&service, URI))).await;
        assert!(all.iter().all(|reply| reply.text() == "page"));
        assert_eq!((origin.calls(), clock::now().since(start)), (1 + others, 35 * SECOND));
        assert_eq!(layer.handle().statistics().failed, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_waited_long_enough_for_a_body_of_unknown_length_asks_anew() {
    let origin = Origin::new(|_, _| Ok(fresh().body(pieces(["x"; 30]))?));
    let layer = HttpCacheLayer::new(Rules::shared());
    let service = layer.layer(origin.clone());
    let start = clock::now();
    let all = join_all((0..100).map(|_| fetch(&service, URI))).await;
    assert!(all.iter().all(|reply| (reply.status, reply.text().len()) == (StatusCode::OK, 30)));
    assert_eq!((origin.calls(), clock::now().since(start)), (100, 41 * SECOND));
    assert_eq!(layer.handle().statistics().failed, 0);
}

#[tokio::test(start_paused = true)]
async fn where_nobody_waits_each_asks_and_has_the_answer() {
    let origin = Origin::new(|_, _| Ok(fresh().body(text("page"))?)).takes(SECOND);
    let layer = HttpCacheLayer::new(Rules::shared()).longest_wait(Duration::ZERO);
    let service = layer.layer(origin.clone());
    let all = join_all((0..100).map(|_| fetch(&service, URI))).await;
    assert!(all.iter().all(|reply| reply.text() == "page"));
    assert_eq!(origin.calls(), 100);
    assert_eq!(fetch(&service, URI).await.field("cache-status"), "http-cache; hit; ttl=59");
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_goes_through_and_nobody_waits_for_it() {
    let origin = Origin::new(|_, _| Ok(fresh().body(pieces(["0123456789"; 10]))?));
    let layer = HttpCacheLayer::new(Rules::shared()).largest(35);
    let service = layer.layer(origin.clone());
    let all = join_all((0..10).map(|_| fetch(&service, URI))).await;
    assert!(all.iter().all(|reply| reply.text().len() == 100));
    assert_eq!(origin.calls(), 10);
    let statistics = layer.handle().statistics();
    assert_eq!((statistics.stored, statistics.coming), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_first_one_may_throw_its_answer_away_before_the_others_look_at_theirs() {
    for length in [Some(7), None] {
        let origin = paced(length).takes(SECOND);
        let mut service = HttpCacheLayer::new(Rules::shared()).layer(origin.clone());
        let (mut first, mut second) = (service.call(get(URI)), service.call(get(URI)));
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        drop(first.await.unwrap());
        assert_eq!(read(second.await.unwrap()).await.text(), "one two");
        assert_eq!(origin.calls(), 1);
    }
}

/// Which marks of the one who sent it a request has.
fn marks(request: &http::Request<Nothing>) -> String {
    let marks = request.extensions();
    let all = [
        ("deadline", marks.get::<Deadline>().is_some()),
        ("priority", marks.get::<Priority>().is_some()),
        ("attempt", marks.get::<Attempt>().is_some()),
        ("key", marks.get::<Key>().is_some()),
    ];
    all.iter()
        .filter_map(|(name, is_there)| is_there.then_some(*name))
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test(start_paused = true)]
async fn a_call_for_all_says_nothing_of_the_time_and_the_rank_of_one() {
    let origin = Origin::new(|_, request| {
        let answer = http::Response::builder()
            .header("cache-control", "max-age=60, stale-while-revalidate=60");
        Ok(answer.body(text(&marks(request)))?)
    });
    let service = HttpCacheLayer::new(Rules::shared()).layer(origin.clone());
    let marked = |fields: &[(&'static str, &'static str)]| {
        let mut request = get(URI);
        for (name, value) in fields {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let marks = request.extensions_mut();
        marks.insert(Deadline::after(SECOND));
        marks.insert(Priority::Batch);
        marks.insert(Attempt::number(2));
        marks.insert(Key::of("client"));
        request
    };
    let alone = marked(&[("cache-control", "no-cache")]);
    assert_eq!(send(&service, alone).await.unwrap().text(), "deadline priority attempt key");
    advance(121 * SECOND).await;
    assert_eq!(send(&service, marked(&[])).await.unwrap().text(), "key");
    let alone = marked(&[("cache-control", "no-cache")]);
    assert_eq!(send(&service, alone).await.unwrap().text(), "deadline priority attempt key");
    advance(61 * SECOND).await;
    send(&service, marked(&[("range", "bytes=0-0")])).await.unwrap();
    tokio::task::yield_now().await;
    // What was made anew in the background.
    assert_eq!(send(&service, marked(&[])).await.unwrap().text(), "key");
    assert_eq!(origin.calls(), 4);
}

fn paced(length: Option<u64>) -> Origin {
    Origin::new(move |_, _| {
        let answer = fresh();
        let answer = match length {
            Some(length) => answer.header("content-length", length),
            None => answer,
        };
        Ok(answer.body(pieces(["one ", "two"]))?)
    })
}
