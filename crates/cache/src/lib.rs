//! Keeps the answers of a service by key, bounded in bytes, and makes one call for a stampede.
//!
//! ```text
//!   request ──► key ──► kept and fresh ──────────────────────────────► answer
//!                 │
//!                 ├──► kept, a little too old ────► answer, and one call beside it renews it
//!                 │
//!                 └──► not kept ──► one call for all who ask ──► answer, kept for its lifetime
//! ```
//!
//! For answers of your own types: a user by id, a page by path, an embedding by text. Responses of HTTP have rules of their own
//! about who may keep what and how long; for these take `HttpCacheLayer` of `tower-ballast-http-cache`.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_ballast_cache::CacheLayer;
//! use tower_ballast_core::BoxError;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let users = CacheLayer::new(Duration::from_secs(60), |id: &u64| Some(*id));
//! let handle = users.handle();
//! let mut service = ServiceBuilder::new()
//!     .layer(users)
//!     .service_fn(|id: u64| async move { Ok::<_, BoxError>(Arc::new(format!("user {id}"))) });
//!
//! let first = service.ready().await.unwrap().call(7).await.unwrap();
//! let again = service.ready().await.unwrap().call(7).await.unwrap();
//! assert!(Arc::ptr_eq(&first, &again));
//! assert_eq!((handle.statistics().hits, handle.statistics().misses), (1, 1));
//!
//! handle.invalidate(&7);
//! # });
//! ```
//!
//! # The key
//!
//! The closure gives the key of a request; requests with equal keys get the same answer. Whatever an answer depends on belongs in it: the
//! tenant, the language, the rights of who asks. `None` lets a request through; give it for whatever changes something. Keys are compared
//! whole, and their hashes are seeded.
//!
//! # What is kept, and how long
//!
//! Good answers, which the [classifier](CacheLayer::classify) calls a success. There is no lifetime unless you say one: for all in the
//! constructor, or for each by [`lifetime_of`](CacheLayer::lifetime_of). Lifetimes are [shortened](CacheLayer::spread) by up to 10 % at
//! random, so that a thousand answers which came together do not go together. An answer that is for one alone (`None` from `lifetime_of`) is
//! not kept and given to nobody else; for a minute, requests with its key do not wait for one another.
//!
//! When an answer has become too old it can still be good for something:
//! [`stale_while_revalidate`](CacheLayer::stale_while_revalidate) serves it at once while one call in the background renews it, and
//! [`stale_if_error`](CacheLayer::stale_if_error) serves it when the call for a new one fails. [`early`](CacheLayer::early) renews what is
//! asked for often before it is too old. [`negative`](CacheLayer::negative) remembers errors, but never what one of our layers refused.
//!
//! # One call
//!
//! Those who ask for the same key at the same time share one call. It belongs to the key: when the one who began it goes away, another
//! one of those who wait goes on with it, and with the last of them it is dropped. When it fails, one of them makes it again; when that fails
//! too, they are told. Whoever has waited for [`longest_wait`](CacheLayer::longest_wait) makes the call anew, one for all who are tired of waiting.
//!
//! The cache looks before it asks whether the service is ready: hits are served while it is down, full, or behind an open circuit.
//!
//! # A second tier
//!
//! Behind the store there may be another one, larger and slower and shared by several processes: a [`Tier`]. It is asked
//! before the service is, at most for [`tier_limit`](CacheLayer::tier_limit), and does no harm when it is slow or down. When it
//! panics, nothing is there and nothing is kept.
//!
//! # Purges
//!
//! [`CacheHandle`] lets go of answers by key, prefix, [tag](CacheLayer::tags), condition, or all at once. A purge holds also for an answer
//! that is on its way: those who wait for it get it, who comes after the purge does not, and it is not kept.
//! In the second tier a key is removed; what is let go by prefix, tag, condition or all at once is void there for this process alone.
//!
//! # Defaults
//!
//! | setting | default |
//! |---|---|
//! | capacity | 10 000 entries, see [`Capacity`](store::Capacity) |
//! | size of an answer | the size of both types, without what they point to; say more by [`size`](CacheLayer::size) |
//! | store | [`S3Fifo`](store::S3Fifo), see [`store`] for the others |
//! | spread of lifetimes | 10 % |
//! | stale while revalidating, stale if error, negative, idle, early | off |
//! | longest wait for another one's call | 10 seconds |
//! | second tier | none; asked for at most 100 ms, at most 64 writes to it at a time; what would be more is left out |
//!
//! # Events and cost
//!
//! [`FellBack`](EventKind::FellBack) with the reason `stale` tells of stale answers in the place of failures, [`SettingsChanged`](EventKind::SettingsChanged) of
//! changes by hand, [`ErrorHidden`](EventKind::ErrorHidden) with the reason `tier_get`, `tier_put` or `tier_remove` of panics of the second tier. What is counted is in [`Statistics`].
//!
//! A hit costs a hash, a lock shared with other readers, one reading of the clock and a clone of the answer: let it be an `Arc`, or cheap to
//! clone. This layer allocates nothing for it. A call costs the allocations of a shared call, three, and those of the entry.

mod entry;
mod fill;
mod found;
mod future;
mod handle;
mod layer;
mod service;
mod settings;
mod shared;
mod statistics;
pub mod store;
#[cfg(test)]
mod tests;
mod tier;

#[allow(unused_imports, reason = "the page above links to it")]
use tower_ballast_core::EventKind;

pub use self::{
    entry::Stored,
    future::ResponseFuture,
    handle::CacheHandle,
    layer::CacheLayer,
    service::Cache,
    statistics::Statistics,
    tier::{Tier, TierFuture, Tiered},
};
