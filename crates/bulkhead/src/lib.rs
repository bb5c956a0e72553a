//! Bounds how many requests run at once, and how many may wait for their turn.
//!
//! ```text
//!               a queue, by choice         the bulkhead
//!   callers ──►  ▪ ▪ ▪ ▪ ▪ ▪     ──►  ┌─────────────────┐ ──►  the service
//!      │          full, too long       │ ■ ■ ■ ■ ■ ■ □ □ │
//!      ▼                ▼              └─────────────────┘
//!   refused at once, in the time of an allocation
//! ```
//!
//! A service that is asked for more than it can do gets slower for everybody, and what is slow holds
//! memory, connections and the patience of callers. A ship has bulkheads so that one leak floods one
//! room; this layer keeps one service, or one kind of request, from taking everything.
//!
//! ```
//! use tower::{Service, ServiceBuilder, ServiceExt};
//! use tower_ballast_bulkhead::BulkheadLayer;
//! use tower_ballast_core::{BoxError, Reason, Rejected};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let layer = BulkheadLayer::new(1).name("reports");
//! let mut service = ServiceBuilder::new().layer(layer).service_fn(|report: u32| async move {
//!     std::future::pending::<()>().await;
//!     Ok::<_, BoxError>(report)
//! });
//!
//! let _running = service.ready().await.unwrap().call(1);
//! let refused = service.ready().await.unwrap().call(2).await.unwrap_err();
//! assert_eq!(Rejected::find(&*refused).unwrap().reason(), Reason::BulkheadFull);
//! # });
//! ```
//!
//! # How large
//!
//! By Little's law the requests in flight are their rate times the time that each takes: 200 a second
//! of 50 ms are 10. Twice or three times that leaves room for a bad moment. What a queue adds is
//! waiting time, so its length is what the limit serves within the longest wait: with a limit of 10
//! and 50 ms each, a second's worth is 200.
//!
//! What is right today need not be so tomorrow: with an [`AdaptiveLayer`](adaptive::AdaptiveLayer) inside, the limit
//! follows how calls end.
//!
//! # Refusing or queueing
//!
//! | | [`BulkheadLayer::new`] | [`.queue(n)`](BulkheadLayer::queue) |
//! |---|---|---|
//! | when all are taken | refuses at once | waits, by class, and first come, first served |
//! | readiness | passes through; the inner service need not be `Clone` | asks the inner service, always answers ready, and waits in the response |
//! | refuses for | [`BulkheadFull`](Reason::BulkheadFull) | [`QueueFull`](Reason::QueueFull), [`WaitTooLong`](Reason::WaitTooLong), [`QueueTimeout`](Reason::QueueTimeout), [`DeadlinePassed`](Reason::DeadlinePassed), [`NotReady`](Reason::NotReady) |
//!
//! Nobody overtakes within a class: a newcomer joins the queue while anybody stands there. A request whose
//! caller goes away leaves the queue at once and its turn goes to the next. The deadline that
//! [`facts`](BulkheadLayer::facts) know of ends a wait as well.
//!
//! A wait is foreseen from the time between turns that the class has lately had. Who would wait for longer
//! than the [longest wait](BulkheadLayer::longest_wait), or than half of what is left until its deadline, is
//! refused at once: it would hold a place in the queue in vain.
//!
//! # Who goes first
//!
//! All are equal until the [`facts`](BulkheadLayer::facts) know more. Of what they know, the
//! [`Priority`](tower_ballast_core::Priority) decides first, but each lower class gets a small share of
//! the turns in any case, its [floor](BulkheadLayer::floors), so that nobody starves. Within a
//! class the clients take turns, told apart by their [`Key`](tower_ballast_core::Key), so that one with a
//! thousand requests in the queue gets no more than one with a few.
//!
//! A class has its floor of the places too, or where that is less than half a place, one when it has earned a turn, which it does
//! though nobody of it waits; the rest is for the highest. So however few places there are, each class has its
//! [turns](tower_ballast_core::ranks::Floors#how-long-a-class-waits). In a full queue the newest
//! request of the lowest class that has more than its floor gives up its place to one of a higher class, or
//! of one that has less, and is refused as [`QueueFull`](Reason::QueueFull). A client may take as many places as are
//! free or can be had so: a greedy one has half of them at the most.
//!
//! ```
//! use tower_ballast_bulkhead::BulkheadLayer;
//! use tower_ballast_core::{Key, Priority, facts};
//!
//! struct Job {
//!     urgent: bool,
//!     team: u32,
//! }
//!
//! let known = facts()
//!     .priority_from(|job: &Job| job.urgent.then_some(Priority::High))
//!     .key_from(|job: &Job| Some(Key::of(&job.team)));
//! let layer = BulkheadLayer::new(20).queue(200).facts(known);
//! # let _ = layer;
//! ```
//!
//! # A share for each kind
//!
//! One limit for all is taken by whoever comes first. [`Partitions`] give each kind of request a
//! share that it has whenever it wants it, and lend to the others what it does not use.
//!
//! # When the queue stands
//!
//! A queue that always has somebody in it absorbs no bursts any more; it only makes all wait. A
//! [`ControlledDelay`] sees that, and lets nobody wait for longer than a few milliseconds until it drains.
//! Whether then, or [always](BulkheadLayer::newest_first), the newest goes first is a choice too.
//!
//! # Defaults
//!
//! | setting | default |
//! |---|---|
//! | limit | yours; 0 admits nobody |
//! | queue | none |
//! | longest wait | 1 second |
//! | controlled delay | none; 5 ms in 100 ms |
//! | floors | 10 %, 4 %, 1 % |
//! | order within a class and client | oldest first |
//! | not ready for | any time |
//! | enforcement | on |
//!
//! The permit is held until the response is there, that is, over HTTP, its head, or for longer by
//! [choice](BulkheadLayer::hold); it goes back also when the response future is dropped or panics. All settings change live through the
//! [handle](BulkheadHandle), with those in flight and in the queue kept.
//!
//! # A service that is not ready
//!
//! With a queue, a permit is held while the inner service gets ready. Should that never happen, all
//! permits would be held for nothing. After [`not_ready_for`](BulkheadLayer::not_ready_for) the callers
//! are refused; each newcomer still asks once, and the first that finds the service ready ends it. When
//! nobody has asked for as long, the next caller waits as the first one did.
//!
//! # Cost
//!
//! Two atomic operations and a count of owners for a request that is admitted at once; no clock is
//! read, no lock taken, nothing allocated. A refusal is one box of at most 64 bytes. One that waits
//! takes the lock twice or more, reads the clock, and has a slot of the queue, 56 bytes. With partitions
//! whoever leaves takes a lock too while somebody wants more than it has.
//!
//! A clone of tower's `concurrency_limit` below that has become ready holds a place there until it is
//! called or dropped; this layer drops what it does not call.
//!
//! [`Reason::BulkheadFull`]: tower_ballast_core::Reason::BulkheadFull
//! [Reason]: tower_ballast_core::Reason

pub mod adaptive;
mod balance;
mod controlled_delay;
mod division;
mod future;
mod handle;
mod layer;
#[cfg(ballast_loom)]
#[doc(hidden)]
pub mod model;
mod modes;
mod partitions;
mod permit;
mod service;
mod shared;
pub mod shed;
mod standing;
mod statistics;
mod sync;
pub mod system;
#[cfg(test)]
mod tests;
pub mod throttle;
mod wait;
mod waiting;

#[allow(unused_imports, reason = "the page above links to it")]
use tower_ballast_core::Reason;

pub use self::{
    controlled_delay::ControlledDelay,
    future::ResponseFuture,
    handle::BulkheadHandle,
    layer::BulkheadLayer,
    modes::{Queue, Refuse},
    partitions::{Divide, Partitions, Undivided},
    permit::Permit,
    service::Bulkhead,
    statistics::Statistics,
    waiting::WaitingFuture,
};
