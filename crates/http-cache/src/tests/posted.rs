//! What a POST answers for a later GET.

use http::{Method, Request};
use tower::Layer;

use super::origin::{Nothing, Origin, fetch, fresh, get, send, text};
use crate::{HttpCacheLayer, engine::Rules};

const URI: &str = "http://example.com/page";

fn post() -> Request<Nothing> {
    Request::post(URI).header("content-length", 4).body(Nothing::default()).unwrap()
}

/// Answers a POST with these fields, and a GET with others.
fn origin(fields: &'static [(&'static str, &'static str)]) -> Origin {
    Origin::new(move |_, request| {
        if request.method() == Method::GET {
            return Ok(fresh().body(text("got"))?);
        }
        let response = http::Response::builder();
        let add = |response: http::response::Builder, (name, value)| response.header(name, value);
        Ok(fields.iter().copied().fold(response, add).body(text("posted"))?)
    })
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_post_that_says_it_is_the_page_is_served_to_a_get() {
    for reference in ["/page", "http://example.com/page", "page", ""] {
        let fields = [("cache-control", "max-age=60"), ("content-location", reference)];
        let origin = origin(Vec::leak(fields.to_vec()));
        let service = HttpCacheLayer::new(Rules::shared()).layer(origin.clone());
        fetch(&service, URI).await;
        assert_eq!(send(&service, post()).await.unwrap().text(), "posted");
        assert_eq!(fetch(&service, URI).await.text(), "posted", "{reference}");
        assert_eq!(origin.calls(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn any_other_answer_to_a_post_is_not_kept() {
    const FRESH: (&str, &str) = ("cache-control", "max-age=60");
    const OWN: (&str, &str) = ("content-location", "/page");
    for fields in [
        &[FRESH][..],
        &[FRESH, ("content-location", "/other")],
        &[FRESH, ("content-location", "http://example.org/page")],
        &[FRESH, OWN, OWN],
        &[OWN, ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT")],
        &[OWN, ("cache-control", "max-age=0"), ("etag", "\"a\"")],
        &[OWN, ("cache-control", "private, max-age=60")],
    ] {
        let service = HttpCacheLayer::new(Rules::shared()).layer(origin(fields));
        assert_eq!(send(&service, post()).await.unwrap().text(), "posted");
        assert_eq!(fetch(&service, URI).await.text(), "got", "{fields:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_a_post_with_fields_that_are_no_part_of_the_key_is_not_kept() {
    let service = HttpCacheLayer::new(Rules::shared())
        .layer(origin(&[("cache-control", "max-age=60"), ("content-location", "/page")]));
    let mut request = post();
    request.headers_mut().insert("x-http-method-override", "DELETE".parse().unwrap());
    assert_eq!(send(&service, request).await.unwrap().text(), "posted");
    assert_eq!(fetch(&service, URI).await.text(), "got");
}

#[tokio::test(start_paused = true)]
async fn a_purge_while_a_post_is_on_its_way_voids_its_answer() {
    let origin = origin(&[("cache-control", "max-age=60"), ("content-location", "/page")]);
    let layer = HttpCacheLayer::new(Rules::shared());
    let service = layer.layer(origin.takes(std::time::Duration::from_secs(1)));
    let (sent, ()) = tokio::join!(send(&service, post()), async {
        tokio::task::yield_now().await;
        layer.handle().clear();
    });
    assert_eq!(sent.unwrap().text(), "posted");
    assert_eq!(send(&service, get(URI)).await.unwrap().text(), "got");
}
