//! An HTTP cache as a Tower layer: for a proxy, for a server's own answers, or for a client.
//!
//! ```text
//!   request ──► target ──► kept and fresh ───────────────────────────► answer, 304, a range of it
//!                 │
//!                 ├──► kept and stale ──► asked about: 304 ──────────► the same answer, fresh again
//!                 │
//!                 └──► not kept ──► one call for all who ask ──┬─────► answer, while it streams
//!                                                              └─────► kept when its body is whole
//! ```
//!
//! What may be kept, for how long, and what it may be served for is said by the responses and requests themselves, by the rules
//! of RFC 9111. [`Rules`](engine::Rules) adds what the RFC leaves to whoever runs the cache. The rules are plain functions in [`engine`]; the layer
//! around them holds what is kept, shares calls, and streams.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Empty, Full};
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_ballast_core::BoxError;
//! use tower_ballast_http_cache::{HttpCacheLayer, engine::Rules};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let cache = HttpCacheLayer::new(Rules::shared());
//! let handle = cache.handle();
//! let mut service = ServiceBuilder::new().layer(cache).service_fn(|_: Request<Empty<Bytes>>| async {
//!     let answer = Response::builder().header("cache-control", "max-age=60");
//!     Ok::<_, BoxError>(answer.body(Full::new(Bytes::from("hello")))?)
//! });
//!
//! for expected in ["http-cache; fwd=uri-miss; stored", "http-cache; hit; ttl=60"] {
//!     let request = Request::get("http://example.com/").body(Empty::new())?;
//!     let response = service.ready().await?.call(request).await?;
//!     assert_eq!(response.headers()["cache-status"], expected);
//!     assert_eq!(response.into_body().collect().await?.to_bytes(), "hello");
//! }
//! assert!(handle.invalidate(&"http://example.com/".parse()?));
//! # Ok::<_, BoxError>(())
//! # }).unwrap();
//! ```
//!
//! # Who gets what
//!
//! An answer is found by the scheme, authority, path and query of the request, and by the fields that its `Vary` names. A request whose
//! target is not clear (several `Host` fields, one that contradicts the target, user information) has nothing to do with the cache, nor has a GET with
//! a body. Fields by which services are known to choose what they say, and which are in no key, are taken out of what is sent on
//! ([`unkeyed`](HttpCacheLayer::unkeyed)); whatever a trusted proxy writes there, make it part of the [key](HttpCacheLayer::keyed).
//!
//! [`Rules::shared`](engine::Rules::shared) is for a cache that many use. [`Rules::private`](engine::Rules::private) is for one user; where several use
//! such a cache, what tells them apart has to be keyed.
//!
//! # One call
//!
//! Those who ask for the same at the same time share one call, if there is nothing in their requests that is meant for them alone: credentials,
//! a range, conditions, directives. The call is no one's: when the one who began it goes away, another one goes on with it. When it fails, one of
//! those who wait makes it again; when that fails too, that one has the error and the others a 502. A [`Deadline`](tower_ballast_core::Deadline), a
//! [`Priority`](tower_ballast_core::Priority) and an [`Attempt`](tower_ballast_core::Attempt) that were written on the request that began it are
//! not sent on, for they hold for one and not for all; what nobody may share keeps them. Whoever comes while the body is still on its way reads along
//! if its length is known, or waits for its end. An answer that turns out to be for one alone releases all who wait, and for a minute nobody waits
//! for an answer to the same target. Whoever has waited for [`longest_wait`](HttpCacheLayer::longest_wait) asks for itself
//! alone: that it takes long is no failure.
//!
//! The cache looks before it asks whether the service is ready: what is there is served while the service is down, full, or behind an open
//! circuit. A stale answer stands in for an error, and is served while one call beside it renews it, as far as the response or the rules
//! allow it. That call is the cache's own and says nothing that was meant for one client; that of a private cache still bears the `Cookie`
//! and `Authorization` of its user.
//!
//! # Bodies
//!
//! A body goes to its client as it comes, and is kept when it has ended as it should: whole, and as long as it said. It is kept up to
//! [`largest`](HttpCacheLayer::largest), and to what the store could keep, and all bodies that are on their way have their bound as well ([`coming`](HttpCacheLayer::coming)); what is too large goes
//! through, and `Cache-Status` says `too-large`, or `no-room` where another moment may have room. A body of unknown length may
//! turn out too large, or find no room half-way, when its head is gone: then it goes on to the one who asked first, those who wait for it ask anew,
//! and only [`Statistics`] tell. Of variants that are too many for the store the oldest go.
//! A slow client holds up nobody else, and makes nobody wait for memory. Trailers are handed on and not kept.
//!
//! A part that was asked for with a range is kept as such, and serves ranges that it holds. Parts without a gap between them that have the same
//! strong validator are kept as one, and with all bytes as the whole; else the latest takes the place of the one before. Where it is the beginning
//! and all is wanted, [`complete_parts`](HttpCacheLayer::complete_parts) asks only for the rest.
//!
//! # Purges
//!
//! [`HttpCacheHandle`] lets go of answers by URI, prefix, [tag](HttpCacheLayer::tags), or all at once. A purge holds also for what is on its way: those
//! who wait for it get it, who comes after the purge does not, and it is not kept. A method that changes something makes void what is kept for its
//! target, under whatever key, at once and without a search; where fields are part of the key, the memory of that is free when its turn comes.
//!
//! # Defaults
//!
//! | setting | default |
//! |---|---|
//! | capacity | 64 MiB, see [`Capacity`](tower_ballast_cache::store::Capacity) |
//! | largest body that is kept | 8 MiB |
//! | all bodies on their way | 64 MiB |
//! | longest wait for another one's call | 10 seconds |
//! | longest renewal beside a stale answer | 30 seconds |
//! | stale answers, heuristics, cookies, targeted fields | see [`Rules`](engine::Rules) |
//!
//! Zero is legal for each of the sizes and keeps nothing, and the largest numbers bound nothing. What comes from a file or a person goes through
//! [`checked`](HttpCacheLayer::checked), which names what makes no sense.
//!
//! # Events and cost
//!
//! [`FellBack`](tower_ballast_core::EventKind::FellBack) with the reason `stale` tells of stale answers in the place of failures,
//! [`SettingsChanged`](tower_ballast_core::EventKind::SettingsChanged) of changes by hand. Each answer tells of itself in `Cache-Status`: one that came of
//! another's call says `collapsed`, and one whose request waited for that in vain `collapsed=?0`. What is counted is in
//! [`Statistics`].
//!
//! A hit allocates for its key and for the map of its fields, and nothing for its body, which is shared. A miss costs besides a copy of the request's fields, and the body, which is copied
//! into memory of its own unless nobody else has it; for a moment at its end a body in pieces takes twice its size.
//!
//! # Declined
//!
//! Of the public conformance tests for HTTP caches (`http-tests/cache-tests`) four are declined, each for a reason;
//! [`Rules::lenient`](engine::Rules::lenient) takes for true what such an origin seems to mean, and passes them.
//!
//! | test | declined, since |
//! |---|---|
//! | `partial-store-partial-reuse-partial` | five bytes came that claim to be six: the last of ten that is asked for may not be among them |
//! | `partial-store-partial-reuse-partial-absent` | the same, asked for to the end |
//! | `partial-store-partial-reuse-partial-suffix` | the same, of which the very last is asked for |
//! | `conditional-lm-fresh-no-lm` | without `Last-Modified` the `Date` is compared, and it is later than the client's (RFC 9111 section 4.3.2) |
//!
//! # Features
//!
//! `reqwest` adds `ReqwestCacheLayer`, for clients of reqwest.

mod answer;
mod body;
pub mod engine;
mod exchange;
mod fetch;
mod fill;
mod future;
mod handle;
mod identity;
mod layer;
#[cfg(ballast_loom)]
#[doc(hidden)]
pub mod model;
mod parts;
mod pass;
mod progress;
mod quest;
mod refresh;
#[cfg(feature = "reqwest")]
mod reqwest_types;
mod resource;
mod service;
mod settings;
mod shared;
mod sizes;
mod statistics;
mod sync;
mod targets;

#[cfg(feature = "reqwest")]
pub use self::reqwest_types::{ReqwestCache, ReqwestCacheLayer, ReqwestFuture};
pub use self::{
    body::CacheBody,
    future::ResponseFuture,
    handle::HttpCacheHandle,
    identity::Identity,
    layer::HttpCacheLayer,
    parts::{CompleteParts, Parts, WholeOnly},
    resource::Stored,
    service::HttpCache,
    statistics::Statistics,
};

#[cfg(test)]
mod tests;
