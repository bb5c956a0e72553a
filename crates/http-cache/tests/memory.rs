//! What the layer takes of the heap, held against what it may keep.

use std::{convert::Infallible, future::ready};

use allocation_counter::measure;
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tower::{Layer, Service, service_fn};
use tower_ballast_cache::store::{Capacity, Usage};
use tower_ballast_core::Random;
use tower_ballast_http_cache::{HttpCacheLayer, engine::Rules};

const MEBIBYTE: u64 = 1024 * 1024;

fn get(uri: &str) -> Request<Full<Bytes>> {
    Request::get(uri).body(Full::default()).expect("it is valid")
}

#[tokio::test(start_paused = true)]
async fn it_takes_little_more_than_its_bound_for_ten_times_as_much() {
    for (limit, largest) in [(16 * MEBIBYTE, 100_000), (2 * MEBIBYTE, 2000), (MEBIBYTE, 10)] {
        let random = Random::seeded(largest);
        let (mut usage, mut came) = (Usage::default(), 0);
        let info = measure(|| {
            let layer = HttpCacheLayer::new(Rules::shared())
                .capacity(Capacity::of_bytes(limit))
                .tags(|_, tags| tags.push(tower_ballast_core::Key::of("all")));
            let mut service = layer.layer(service_fn(move |request: Request<Full<Bytes>>| {
                let random = Random::seeded(request.uri().path()[1..].parse().unwrap());
                let size = usize::try_from(random.below(random.below(largest).max(1))).unwrap();
                // In frames of a size that has nothing to do with anything, cut from a larger buffer.
                let frame = usize::try_from(1 + random.below(20_000)).unwrap();
                let body = Bytes::from(vec![b'a'; size + 1000]).slice(..size);
                let frames = (0..size.div_ceil(frame))
                    .map(|at| body.slice(at * frame..size.min((at + 1) * frame)))
                    .map(|data| Ok::<_, Infallible>(Frame::data(data)))
                    .collect::<Vec<_>>();
                let mut response = Response::builder()
                    .header("cache-control", "max-age=600")
                    .header("content-type", "text/plain; charset=utf-8")
                    .header("etag", format!("\"{size}\""));
                if random.below(2) == 0 {
                    response = response.header("content-length", size);
                }
                ready(response.body(StreamBody::new(stream::iter(frames))))
            }));
            while came < 10 * limit {
                let uri = format!("http://example.com/{}", random.below(1_000_000));
                let response = service.call(get(&uri)).now_or_never().unwrap().unwrap();
                let body = response.into_body().collect().now_or_never().unwrap().unwrap();
                came += body.to_bytes().len() as u64 + 600;
            }
            usage = layer.handle().statistics().usage;
        });
        assert!(usage.bytes >= limit / 100 * 93 && usage.evicted > 0, "{usage:?} of {limit}");
        let most = limit + limit / 100 * 15;
        assert!(info.bytes_max <= most, "{} live of {limit}, up to {largest}", info.bytes_max);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_over_the_entry_limit_takes_no_more_memory_than_the_limit() {
    for (frames, size) in [(2000, 10_000), (100, 200_000), (1_500_000, 1)] {
        let (mut read, mut dropped) = (0, 0);
        let info = measure(|| {
            let layer = HttpCacheLayer::new(Rules::shared()).largest(MEBIBYTE);
            let mut service = layer.layer(service_fn(move |_| {
                let frames = stream::iter(0..frames)
                    .map(move |_| Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b'a'; size]))));
                let response = Response::builder().header("cache-control", "max-age=600");
                ready(response.body(StreamBody::new(frames)))
            }));
            let response = service.call(get("http://example.com/")).now_or_never();
            let mut body = response.unwrap().unwrap().into_body();
            while let Some(frame) = body.frame().now_or_never().unwrap() {
                read += frame.unwrap().into_data().unwrap().len();
            }
            dropped = layer.handle().statistics().dropped;
        });
        assert_eq!((read, dropped), (frames * size, 1));
        let most = MEBIBYTE / 100 * 115 + 2 * size as u64;
        assert!(info.bytes_max <= most, "{} live, by {size}", info.bytes_max);
    }
}
