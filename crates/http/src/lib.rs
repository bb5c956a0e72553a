//! HTTP and gRPC meaning for the tower-ballast layers.
//!
//! Layers of tower-ballast treat requests and responses as opaque. This crate is what they need to
//! know of HTTP: which requests may be sent twice, which answers are failures, what a client is
//! told in place of an error, and how a body is kept for another attempt.
//!
//! ```text
//!   client ──► RespondLayer ──► your layers ──► service           on a server:
//!          ◄── 503 + Retry-After ◄── Err(..)                      errors become answers
//!
//!   caller ──► retry ──────────► breaker ──► hyper, tonic, reqwest     on a client:
//!               │ Idempotent      │ HttpClassify                       strategies for
//!               │ HttpReplay      │                                    the layers
//!               │ HttpClassify
//! ```
//!
//! | for | there is |
//! |---|---|
//! | answering in place of errors | [`RespondLayer`] |
//! | what an outcome means | [`HttpClassify`] |
//! | what may be known of a request | [`HttpFacts`], and [`Idempotent`] for retries |
//! | whose request it is | [`ClientIp`], [`ClientToken`], [`ClientField`], or an [`Identity`] of your own |
//! | what it asks for | [`ByMethod`], [`ByAuthority`]; `ByRoute` for axum |
//! | sending a request again, its body included | [`HttpReplay`]; `ReqwestReplay` for reqwest |
//! | telling what is left of limits | [`RateLimitFieldsLayer`] |
//! | holding a permit until a body has ended | [`UntilBodyEnds`] |
//! | reading a discarded response to its end | [`HttpDrain`]; `ReqwestDrain` for reqwest |
//! | `Retry-After` | [`read_retry_after`], [`write_retry_after`] |
//! | request and response types of your own | [`HttpRequest`], [`HttpResponse`] |
//!
//! # On a server
//!
//! Put [`RespondLayer`] outermost. Whatever is inside may refuse or fail; the client gets a proper
//! answer and learns nothing that it should not.
//!
//! ```
//! use axum::{Router, body::Body, http::Request, routing::get};
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_ballast_http::RespondLayer;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let app: Router = Router::new().route("/", get(async || "hello")).layer(
//!     ServiceBuilder::new()
//!         .layer(RespondLayer::new().on_event(|event| eprintln!("{event}")))
//!         .load_shed(), // Or any layer that refuses by an error.
//! );
//!
//! let request = Request::get("/").body(Body::empty()).unwrap();
//! assert_eq!(app.oneshot(request).await.unwrap().status(), 200);
//! # });
//! ```
//!
//! # On a client
//!
//! Give the strategies to the layers: `RetryLayer::new(Idempotent::new())` asks which requests may
//! be repeated, `.replay(HttpReplay::new())` keeps their bodies, `.classify_with(HttpClassify::new())`
//! decides what is a failure, for breakers as well. The presets of `tower-ballast` do it for you.
//!
//! # gRPC
//!
//! A request or response is one of gRPC when its content type says so. Statuses are understood
//! where they are in the head of the response, refusals are answered in gRPC's own words, and
//! `grpc-timeout`, `grpc-retry-pushback-ms` and `grpc-previous-rpc-attempts` are read or written. Nothing
//! here depends on tonic.
//!
//! # Features
//!
//! None is on by default. `hyper-util` and `h2` teach [`HttpClassify`] which errors prove that a
//! request was never sent; `reqwest` does the same for reqwest's and adds its types to the views,
//! `ReqwestReplay` and `ReqwestDrain`. `axum` has `ByRoute`, for figures and limits by route.

mod classify;
mod client;
mod drain;
mod facts;
mod grpc;
mod hold;
mod idempotent;
mod operation;
pub mod rate_limit_fields;
mod replay;
#[cfg(feature = "reqwest")]
mod reqwest_types;
pub mod respond;
mod retry_after;
#[cfg(feature = "axum")]
mod route;
mod view;

#[cfg(feature = "reqwest")]
pub use self::reqwest_types::{ReqwestDrain, ReqwestReplay};
#[cfg(feature = "axum")]
pub use self::route::{ByRoute, EachOnRoute};
pub use self::{
    classify::HttpClassify,
    client::{Cidr, ClientField, ClientIp, ClientToken, Identity, PeerAddr},
    drain::{DrainFuture, HttpDrain},
    facts::HttpFacts,
    hold::{HeldBody, UntilBodyEnds},
    idempotent::Idempotent,
    operation::{ByAuthority, ByMethod},
    rate_limit_fields::{RateLimitFields, RateLimitFieldsLayer},
    replay::{HttpReplay, ReplayBody, SpareRequest},
    respond::{Respond, RespondBody, RespondLayer},
    retry_after::{read_retry_after, write_retry_after},
    view::{HttpRequest, HttpResponse},
};
