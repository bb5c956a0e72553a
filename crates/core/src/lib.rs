//! The vocabulary that all tower-ballast layers share, and the mechanisms they are made of.
//!
//! Layers cooperate because they speak of the same things: one [`Verdict`] on an attempt, one
//! [`Rejected`] error, one [`Deadline`], one [`Priority`], one [`Event`], one [`clock`]. You need
//! this crate by itself when you write a layer of your own, a classifier in a type of its own, or
//! a library that should not depend on any pattern.
//!
//! | of | what |
//! |---|---|
//! | time | [`clock`], [`Deadline`] |
//! | requests | [`Facts`], [`facts()`], [`idempotent()`], [`Priority`], [`Key`], [`Attempt`], [`Operation`], [`Replay`], [`Discard`], [`Hold`] |
//! | outcomes | [`Verdict`], [`Classify`], [`judge`], [`Rejected`], [`Reason`] |
//! | watching and steering | [`Event`], [`Observer`], [`Reporter`], [`Enforcement`], [`Standing`] |
//! | values | [`Ratio`], [`Multiplier`], [`count`], [`Invalid`] |
//! | mechanisms | [`Backoff`], [`Budget`], [`window`], [`Permits`](permit::Permits), [`Gate`](gate::Gate), [`Histogram`], [`queue`], [`flights`], [`epochs`], [`keys`], [`Readiness`], [`Oneshot`], [`Random`] |
//!
//! # A verdict of one's own
//!
//! ```
//! use tower_ballast_core::{judge, Verdict};
//!
//! // A reply that says "busy" is a failure, though the call returned `Ok`.
//! let classify = |outcome: Result<&&str, &std::io::Error>| match outcome {
//!     Ok(&"busy") => Verdict::throttled(),
//!     Ok(_) => Verdict::Success,
//!     Err(_) => Verdict::transient(),
//! };
//!
//! assert!(judge::<(), _, _, _>(&classify, &(), Ok(&"busy")).is_failure());
//! ```

pub mod backoff;
pub mod budget;
pub mod clock;
mod deadline;
mod deferred;
mod discard;
mod enforcement;
pub mod epochs;
mod event;
mod facts;
pub mod flights;
pub mod gate;
pub mod histogram;
mod hold;
pub mod keys;
mod name;
mod observer;
mod oneshot;
mod operation;
pub mod permit;
mod priority;
pub mod queue;
mod random;
pub mod ranks;
mod readiness;
mod rejected;
mod replay;
mod reporter;
mod spread;
mod standing;
mod sync;
mod value;
mod verdict;
pub mod window;

pub use self::{
    backoff::{Backoff, Jitter},
    budget::Budget,
    deadline::Deadline,
    deferred::Deferred,
    discard::Discard,
    enforcement::{Enforcement, EnforcementCell},
    event::{Event, EventKind},
    facts::{
        Attempt, AttemptFrom, CostFrom, DeadlineFrom, Facts, Idempotent, Key, KeyFrom, Known, Mark,
        MarkWith, PriorityFrom, RepeatableIf, facts, idempotent,
    },
    histogram::Histogram,
    hold::{Held, Hold, UntilResponse},
    name::Name,
    observer::{Both, Observer, SharedObserver},
    oneshot::Oneshot,
    operation::Operation,
    priority::Priority,
    random::Random,
    readiness::Readiness,
    rejected::{BoxError, Reason, Rejected},
    replay::{ByClone, Replay},
    reporter::Reporter,
    spread::{Lease, Spread},
    standing::{Standing, Standings, StandingsByKey},
    value::{Invalid, Multiplier, Ratio, count},
    verdict::{ByResult, Classify, FailureKind, RetryAfter, Retryable, Verdict, judge},
};
