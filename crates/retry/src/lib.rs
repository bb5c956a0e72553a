//! Sends failed requests again: with growing, jittered waits, within a budget, before the
//! deadline, and only when sending twice does no harm.
//!
//! ```text
//!                 fails        fails        answers
//!   request ──►  attempt 1 ─┬─ attempt 2 ─┬─ attempt 3 ──► answer
//!                     0..100 ms     0..200 ms
//!                           ▲
//!                 may it be repeated? is it worth it? is there budget, and time?
//! ```
//!
//! Most failures are short: a connection reset, a server that restarts, a moment of overload.
//! A second attempt turns them into a slightly slower success. But retries also turn a service's
//! bad minute into a bad hour, when all its clients send three times what it cannot bear once. So
//! this layer retries little, and stops by itself when it does no good.
//!
//! ```
//! use std::{io, sync::atomic::{AtomicU32, Ordering}};
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_ballast_core::idempotent;
//! use tower_ballast_retry::RetryLayer;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! static CALLS: AtomicU32 = AtomicU32::new(0);
//!
//! let mut service = ServiceBuilder::new()
//!     .layer(RetryLayer::new(idempotent()))
//!     .service_fn(|name: &'static str| async move {
//!         match CALLS.fetch_add(1, Ordering::Relaxed) {
//!             0 => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
//!             _ => Ok(format!("hello, {name}")),
//!         }
//!     });
//!
//! let answer = service.ready().await?.call("storm").await?;
//! assert_eq!(answer, "hello, storm");
//! assert_eq!(CALLS.load(Ordering::Relaxed), 2);
//! # Ok::<(), io::Error>(()) }).unwrap();
//! ```
//!
//! # Which requests are sent again
//!
//! Three have a say, and all must agree.
//!
//! | who | says |
//! |---|---|
//! | the [`Verdict`] on the outcome | whether another attempt makes sense, and when |
//! | the [`Facts`] on the request | whether sending it twice does no more than sending it once |
//! | the layer | whether there is an attempt, time and budget left |
//!
//! A request that was certainly never sent ([`Retryable::Unsent`]: no connection, a refusal by one
//! of our own layers that says when to come back) is sent again without asking whether it is
//! repeatable. A refusal that does not say when is not.
//!
//! # Defaults
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | [`retries`](RetryLayer::retries) | 2 | three attempts in all; 0 is never |
//! | [`backoff`](RetryLayer::backoff) | 100 ms, x 2, at most 5 s, full jitter | the wait between attempts |
//! | [`budget`](RetryLayer::budget) | 0.1 per success, 5 at the start, at most 10 | retries beside ordinary traffic |
//! | [`longest_hint`](RetryLayer::longest_hint) | 30 s | the longest `Retry-After` that is waited for |
//! | [`total`](RetryLayer::total) | none | from the call to the start of the last attempt |
//! | [`needs`](RetryLayer::needs) | none | how long an attempt needs at the least |
//! | [`nested`](RetryLayer::nested) | no | whether it retries inside of another retrying layer |
//! | [`classify`](RetryLayer::classify) | every `Err` | what is a failure |
//! | [`replay`](RetryLayer::replay) | a clone | how the request is kept |
//! | [`discard`](RetryLayer::discard) | dropped | how a response is let go of |
//!
//! # How long it waits
//!
//! - Without a hint: the backoff's next delay.
//! - With a hint ([`RetryAfter::hint`], for instance from `Retry-After`): the hint, and behind it
//!   the backoff's next delay, since many callers may have been told the same moment. Never less.
//! - For a reserved moment ([`RetryAfter::reserved`], by a rate limit that keeps a slot): exactly
//!   so long. It costs no budget.
//! - A hint longer than [`longest_hint`](RetryLayer::longest_hint), or a wait after which no
//!   attempt could finish before the deadline: not at all. The outcome is handed on at once.
//!
//! # What it refuses
//!
//! Nothing: it has no error of its own. When no other attempt is made, the caller gets the outcome
//! of the last one, unchanged. Each failure that could have been repeated and was not is told as
//! an event with its own reason, listed in [`Stop`], and counted in [`Statistics`].
//!
//! # What it does, exactly
//!
//! - The first attempt is made by the instance that said it is ready, later ones by a clone, when
//!   that is ready. If its readiness fails, or does not come in time, the last outcome is handed on.
//! - Every success earns budget, whichever attempt it was. A retry is paid for before its wait, and
//!   paid back when the caller goes away before it began. Failures of different kinds can
//!   [cost](tower_ballast_core::Budget::cost) differently.
//! - Each attempt is [marked](tower_ballast_core::Mark::Attempt) with its number, if the facts
//!   know how to write it. The one that no other can follow is marked as the last: a timeout inside
//!   may give it all the time that is left.
//! - A retrying layer that reads such a mark of an outer one only passes.
//! - The last outcome is kept through the wait, so a response holds its connection until then. It is
//!   [let go](RetryLayer::discard) of when the next attempt is certain, and what that leaves to be done
//!   goes on beside the attempt.
//! - An attempt that is given up because its caller went away is never repeated.
//!
//! The request is cloned once per attempt that another may follow, the inner service once per
//! call, the response never. A request that is answered at once reads no clock, sets no timer and
//! allocates nothing; neither does a retry, beside its copy of the request.
//!
//! # The trap of retrying twice
//!
//! Attempts multiply. If the client below retries too, three times three are nine, and this
//! layer's budget and events know only of three. Clients that do so without being asked:
//!
//! - `hyper_util::client::legacy::Client` sends a request again when a pooled connection turns out
//!   to be closed before anything was written. That is safe and not counted; it can be turned off
//!   with `Builder::retry_canceled_requests(false)`.
//! - `reqwest` repeats requests that the protocol proves unsent (HTTP/2 `REFUSED_STREAM`, graceful
//!   `GOAWAY`); `ClientBuilder::retry(reqwest::retry::never())` turns that off.
//! - SDKs of cloud services, database drivers, gRPC service configs and service meshes mostly retry
//!   by themselves. Turn one of the two off. [`WorstCase::over`] says what both together do.
//!
//! Likewise retry at one level of a system only, best at the one next to what fails.
//!
//! [`Facts`]: tower_ballast_core::Facts
//! [`RetryAfter::hint`]: tower_ballast_core::RetryAfter::hint
//! [`RetryAfter::reserved`]: tower_ballast_core::RetryAfter::reserved
//! [`Retryable::Unsent`]: tower_ballast_core::Retryable::Unsent
//! [`Verdict`]: tower_ballast_core::Verdict

mod attempts;
mod future;
mod handle;
mod layer;
mod plan;
mod service;
mod shared;
mod statistics;
mod stop;
mod worst_case;

pub use self::{
    future::ResponseFuture, handle::RetryHandle, layer::RetryLayer, service::Retry,
    statistics::Statistics, stop::Stop, worst_case::WorstCase,
};

#[cfg(test)]
mod tests;
