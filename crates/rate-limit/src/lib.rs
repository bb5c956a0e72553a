//! Limits how many requests pass in a time: by priority, fair between clients, and with a moment to
//! come back for whoever is refused.
//!
//! ```text
//!                 a queue, by choice               the gate
//!   callers ──►  high    ▪                      ┌───────────┐
//!      │         medium  ▪ ▪ ▪ ▪          ──►   │ 100 per s │ ──►  the service
//!      │         low     ▪ ▪ ▪                  └───────────┘
//!      ▼         batch   ▪ ▪ ▪ ▪ ▪
//!   refused at once, with a moment of its own to come back
//! ```
//!
//! A service that gets more than it can do serves nobody well. A limit keeps it at what it can do;
//! which requests are the ones that it does then is what this layer is about.
//!
//! ```
//! use std::time::Duration;
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_ballast_core::{BoxError, Priority, Reason, Rejected, count, facts};
//! use tower_ballast_rate_limit::{PriorityRateLimitLayer, Quota};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! let known = facts().priority_from(|order: &u32| (*order > 900).then_some(Priority::High));
//! let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<2>()))
//!     .facts(known)
//!     .queue(100);
//! let mut orders = ServiceBuilder::new()
//!     .layer(layer)
//!     .service_fn(|order: u32| async move { Ok::<_, BoxError>(order) });
//!
//! // Two pass at once, the third when the limit allows it.
//! for order in 1..=3 {
//!     assert_eq!(orders.ready().await.unwrap().call(order).await.unwrap(), order);
//! }
//! # });
//! ```
//!
//! # The limit
//!
//! A [`Quota`] is so many in a time, with a burst after a rest. How it is kept is an
//! [`Algorithm`](gate::Algorithm): by default the generic cell rate algorithm, one atomic operation. A
//! request [costs](tower_ballast_core::Facts::cost) one unless its facts say otherwise, and what it has
//! cost after all can be [settled](PriorityRateLimitLayer::settle) by its outcome.
//!
//! # Limits and shares of their own
//!
//! A [`KeyLimit`] holds for each of very many clients by itself, with [tiers](KeyLimit#tiers) and exceptions. As a ceiling
//! it keeps each of them small, whatever the others do; [guaranteed](KeyLimit#guaranteed-shares), it gives each its share
//! of the common limit whatever the others do, and lets it borrow what is spare.
//!
//! # Refusing or queueing
//!
//! | | [`PriorityRateLimitLayer::new`] | [`.queue(n)`](PriorityRateLimitLayer::queue) |
//! |---|---|---|
//! | when nothing may pass | refuses at once | waits for its turn, if that comes soon enough |
//! | readiness | passes through; the inner service need not be `Clone` | asks the inner service, always answers ready, and waits in the response |
//! | refuses for | [`RateLimited`](Reason::RateLimited) | also [`QueueFull`](Reason::QueueFull), [`QueueTimeout`](Reason::QueueTimeout), [`DeadlinePassed`](Reason::DeadlinePassed) |
//!
//! # Whose turn it is
//!
//! 1. A class that has earned a turn by its [floor](tower_ballast_core::ranks::Floors): 10 % for medium, 4 %
//!    for low, 1 % for batch. While somebody of a class waits, others have at most 12, 27 and 102 turns
//!    before its own if all cost the same, however great the flood of more important ones; with different costs it is
//!    the cost of the turns that is [bounded](tower_ballast_core::ranks::Floors#how-long-a-class-waits), and what
//!    costs more waits for longer.
//! 2. Else the highest class of which somebody waits.
//! 3. Within it the clients take turns (deficit round robin), told apart by the
//!    [key](tower_ballast_core::Facts::key) of their requests, and no client fills more of the queue than
//!    is free. Where all places of the highest class are taken, a newcomer of it has that of the newest of the lowest. To be fair between tenants and not between their keys, let the key be the tenant.
//!
//! # Who may wait
//!
//! A wait is foreseen from the time between turns that the class has lately had. Who would wait for
//! longer than half of what is left until its deadline, or than the
//! [longest wait](PriorityRateLimitLayer::longest_wait) of its class, is refused at once rather than at the end.
//! Who can no longer be served in time ([`needs`](PriorityRateLimitLayer::needs)) leaves the queue without
//! taking a turn. Of a class of which nobody waits one may wait however long that has taken lately: by that one it is
//! found out how long it takes now.
//!
//! # A limit that follows the load
//!
//! A quota is a guess made in calm weather. With [`adjust`](PriorityRateLimitLayer::adjust) the rate is lowered while a
//! signal is above its limit, and raised again when all are well below:
//!
//! | signal | measured | limit |
//! |---|---|---|
//! | errors | by the layer: failures among its answers, by a [classifier](PriorityRateLimitLayer::classify) | [`errors`](adjust::Limits::errors) |
//! | latency | by the layer: how long its answers take, in the mean, without the wait in its queue | [`latency`](adjust::Limits::latency) |
//! | queue depth | by the layer: how many wait | [`queue`](adjust::Limits::queue) |
//! | load | by you: a closure, asked [once in a period](PriorityRateLimitLayer::load) | [`load`](adjust::Limits::load) |
//!
//! ```
//! use std::time::Duration;
//! use tower_ballast_core::{Ratio, count};
//! use tower_ballast_rate_limit::{PriorityRateLimitLayer, Quota, adjust::Limits};
//!
//! let limits = Limits::new()
//!     .errors(Ratio::percent::<5>())
//!     .latency(Duration::from_millis(250))
//!     .queue(100)
//!     .least(Ratio::percent::<20>());
//! let layer = PriorityRateLimitLayer::new(Quota::per_second(count::<1000>()))
//!     .queue(256)
//!     .adjust(limits)
//!     .on_event(|event| println!("{event}")); // rate_limit limit_changed reason=latency ..
//! # let _ = layer;
//! ```
//!
//! Answers are counted over periods of a second, and at the end of one whoever comes by, with a call or an answer, sees
//! to the rate: no task, no timer. It is lowered to 0.7 of what it was, at most once in the time that an answer takes and
//! half a period, so that a second decrease is a word on what the first has left; and it recovers by a twentieth
//! of the quota in each second. From 0.8 of a limit on it stays, so that it does not swing. Fewer than 20 answers lower nothing:
//! they are counted together for up to ten periods, and until then keep the rate from recovering if they are
//! not well below the limits.
//!
//! What others see of the service they can tell the [handle](PriorityRateLimitHandle::observe). A
//! [`schedule`](PriorityRateLimitLayer::schedule) raises the rate at times of the day, by itself. Each move of the
//! limit is an event, [`LimitChanged`](tower_ballast_core::EventKind::LimitChanged), with its cause.
//!
//! # When to come back
//!
//! Each refusal by the common limit carries a [`RetryAfter`](tower_ballast_core::RetryAfter), and no two reserve the
//! same moment: they are handed out at the rate of the limit, up to 30 seconds ahead. `RetryLayer` waits for exactly that
//! moment, without jitter and without spending its budget; over HTTP, `Retry-After` and `retry-after-ms` tell it. A
//! crowd that was refused in one moment so comes back in the order and at the pace in which it can be served.
//! Whose key the facts know passes at its moment, or up to 10 seconds late, also when newcomers were quicker: it is
//! charged to the limit, for a tenth of the rate at the most and, after a rest, a burst; but nobody passes so before a
//! higher class that waits, and nothing is held back for those who do not come. A key has up to four moments ahead of
//! it. Its further refusals are told the next of these again, as a hint, so that one client that is refused a thousand times
//! pushes nobody else's moment away. When the rate changes, moments that are handed out from then on come nearer or go
//! further away with it.
//! Beyond the horizon the hint is no promise, and jitter is added to it. So it is with the moment at which a limit
//! [by key](PriorityRateLimitLayer::per_key) is there again. What costs more than ever passes, came too late for its
//! deadline, or is refused by a closed limit, is told no moment.
//!
//! # Defaults
//!
//! | setting | default |
//! |---|---|
//! | quota | yours; a closed one admits nobody |
//! | burst | a second's worth, at least 1 |
//! | queue | none; `.queue(256)` is a good beginning |
//! | longest wait | 1 second, batch 10 seconds |
//! | floors | 10 %, 4 %, 1 % |
//! | limits by key | none; a ceiling, unless it is guaranteed |
//! | cost | 1 |
//! | enforcement | on |
//! | limits of signals | none, and the rate stays as it is |
//! | what counts as a failure | every `Err` but our own rejections |
//! | least share of the rate | 10 % |
//! | period of measuring | 1 second |
//! | schedule | none |
//!
//! The quota, the queue, the longest waits, the floors, the limits of signals, their period, the schedule, the quotas of keys and tiers and the enforcement change
//! live through the [handle](PriorityRateLimitHandle), with what is left of the limit and who waits for it kept.
//!
//! # Cost
//!
//! For a request that passes at once: a reading of the clock, a load and one atomic exchange, and nothing is
//! allocated. With [`adjust`](PriorityRateLimitLayer::adjust) it is a second reading when the answer is there, a reference count and two
//! additions to counters that its thread mostly has for itself, and once in a period two locks. A refusal is one box of at most 64 bytes, and for a client that the facts know a place in a table that
//! grows to 4096 at the most; while promises are out, so is a look at that table for each request that passes. One that waits takes a lock twice or more and has a place in memory for as long.

pub mod adjust;
mod adjusting;
mod ahead;
mod claim;
mod door;
mod exceptions;
mod following;
mod future;
pub mod gate;
mod handle;
mod key_limit;
mod layer;
mod levels;
mod meter;
#[cfg(ballast_loom)]
#[doc(hidden)]
pub mod model;
mod modes;
mod promises;
mod quota;
mod reservation;
mod service;
mod settle;
mod shared;
mod slots;
mod standing;
mod standings;
mod statistics;
mod sync;
#[cfg(test)]
mod tests;
mod tier;
mod wait;
mod waiting;

#[allow(unused_imports, reason = "the page above links to it")]
use tower_ballast_core::Reason;

pub use self::{
    future::ResponseFuture,
    handle::PriorityRateLimitHandle,
    key_limit::KeyLimit,
    layer::PriorityRateLimitLayer,
    levels::{Keys, PerKey},
    modes::{Queue, Refuse},
    quota::Quota,
    reservation::Reservation,
    service::PriorityRateLimit,
    settle::{Settle, Settlement},
    standings::RateLimitStandings,
    statistics::{ClassStatistics, Statistics},
    tier::{Tier, Whose},
    waiting::WaitingFuture,
};
