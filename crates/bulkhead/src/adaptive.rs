//! Limits that find themselves.
//!
//! A bulkhead's limit is a guess, and the right one changes with the service behind it. An
//! [`AdaptiveLayer`] inside of a bulkhead sees how calls end, and has a [`Limiter`] set the limit by it.
//!
//! ```
//! use std::time::Duration;
//! use tower::ServiceBuilder;
//! use tower_ballast_bulkhead::{
//!     BulkheadLayer,
//!     adaptive::{AdaptiveLayer, ClientWindow},
//! };
//! use tower_ballast_core::BoxError;
//!
//! let bulkhead = BulkheadLayer::new(0); // the window says how many
//! let window = AdaptiveLayer::new(&bulkhead, ClientWindow::new(Duration::from_secs(10)));
//! let handle = bulkhead.handle();
//!
//! let service = ServiceBuilder::new()
//!     .layer(bulkhead)
//!     .layer(window)
//!     .service_fn(|number: u32| async move { Ok::<_, BoxError>(number) });
//! assert_eq!(handle.limit(), 100);
//! # let _ = service;
//! ```
//!
//! | limiter | for | goes by |
//! |---|---|---|
//! | [`ClientWindow`] | a client of any server | timeouts and refusals, not latency |
//! | [`BandwidthDelay`] | a service whose good latency nobody knows, or that changes | its throughput, and its latency without a queue |
//! | [`Aimd`] | a service whose good latency is known | a threshold of latency, and refusals |
//! | [`Vegas`], [`Gradient2`] | those who know them | the latency now beside the least, or beside the usual |
//!
//! The window and `Aimd` go by the rule of additive increase and multiplicative decrease (Chiu and Jain, "Analysis of the
//! Increase and Decrease Algorithms for Congestion Avoidance", 1989). A limiter of one's own implements
//! [`Limiter`]. None grows while less than half of the limit is in use.
//!
//! What says nothing of the load is no sample: a call that its caller gave up before the deadline that
//! [`facts`](AdaptiveLayer::facts) know of, and what the classifier
//! [ignores](tower_ballast_core::Verdict::Ignore). One that is given up later is a timeout.
//!
//! Each change is told to the bulkhead's observer as
//! [`LimitChanged`](tower_ballast_core::EventKind::LimitChanged), with the limits and why. The
//! [handle](AdaptiveHandle) reads what the limiter believes, changes its bounds, and has figures for an autoscaler.
//!
//! # Cost
//!
//! Two readings of the clock for each call, a share of the state, and a lock that is not waited for:
//! answers that come while it is held are counted and told with the next. Nothing is allocated.

mod aimd;
mod bandwidth_delay;
mod bounds;
mod epoch;
mod future;
mod gradient2;
mod handle;
#[cfg(test)]
mod hang;
mod layer;
mod missed;
mod sampled;
mod scaling;
#[cfg(test)]
mod scenario;
mod service;
#[cfg(test)]
mod simulation;
mod stage;
mod tally;
#[cfg(test)]
mod tests;
mod vegas;
mod window;

use std::{fmt, ops::RangeInclusive, time::Duration};

use tower_ballast_core::clock::Nanos;

pub use self::{
    aimd::Aimd, bandwidth_delay::BandwidthDelay, future::ResponseFuture, gradient2::Gradient2,
    handle::AdaptiveHandle, layer::AdaptiveLayer, scaling::Scaling, service::Adaptive,
    vegas::Vegas, window::ClientWindow,
};

/// What a limiter learns from calls that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// When they ended.
    pub now: Nanos,
    /// How long they were in flight, in the mean.
    pub latency: Duration,
    /// How they ended.
    pub outcome: Outcome,
    /// How many were in flight just before, themselves included.
    pub in_flight: u32,
    /// How many they are: those that ended while the limiter was told of others are told together.
    pub calls: u32,
}

/// How a call ended, as far as a limiter cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// With an answer.
    Answered,
    /// With an error that says nothing of the load.
    Failed,
    /// With a timeout, or with the word that there is too much to do.
    Overloaded,
}

/// A new limit, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// How many may be in flight from now on.
    pub limit: u32,
    /// A word with a bounded set of values: good for a metric's label.
    pub reason: &'static str,
}

/// What a limiter believes of the service.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct Model {
    /// What a call takes without a queue.
    pub base_latency: Option<Duration>,
    /// How many calls it ends in a second.
    pub bandwidth: Option<f64>,
}

/// Sets how many calls may be in flight, from how calls end.
///
/// A machine without a clock: all time is in the samples.
///
/// ```
/// use tower_ballast_bulkhead::adaptive::{Change, Limiter, Outcome, Sample};
///
/// /// One less for each refusal, and never more.
/// #[derive(Debug)]
/// struct Humble(u32);
///
/// impl Limiter for Humble {
///     fn initial(&self) -> u32 {
///         self.0
///     }
///
///     fn sample(&mut self, sample: Sample) -> Option<Change> {
///         if sample.outcome != Outcome::Overloaded || self.0 == 1 {
///             return None;
///         }
///         self.0 -= 1;
///         Some(Change::new(self.0, "refused"))
///     }
/// }
/// ```
pub trait Limiter: fmt::Debug + Send {
    /// The limit at the beginning.
    fn initial(&self) -> u32;

    /// Learns from calls that ended, and says when the limit is to change.
    fn sample(&mut self, sample: Sample) -> Option<Change>;

    /// Between which numbers it keeps the limit. Default: any.
    fn range(&self) -> RangeInclusive<u32> {
        0..=u32::MAX
    }

    /// Keeps the limit between these numbers from now on, given in either order, and says what it is
    /// then. Default: it has no bounds that can be changed.
    fn set_range(&mut self, range: RangeInclusive<u32>) -> Option<u32> {
        let _ = range;
        None
    }

    /// Goes on from this limit, which was set by hand. It may lie beyond the bounds, and then holds
    /// until the next change. Default: the next change goes by what was before.
    fn restart(&mut self, limit: u32) {
        let _ = limit;
    }

    /// What it believes of the service. Default: nothing.
    fn model(&self) -> Model {
        Model::default()
    }
}

impl Sample {
    /// One call that ended at this moment, as one of so many in flight.
    #[must_use]
    pub const fn new(now: Nanos, latency: Duration, outcome: Outcome, in_flight: u32) -> Self {
        Self { now, latency, outcome, in_flight, calls: 1 }
    }

    /// The same for so many calls, of which the latency is the mean.
    #[must_use]
    pub const fn calls(self, calls: u32) -> Self {
        Self { calls, ..self }
    }
}

impl Model {
    /// A service whose calls take so long without a queue, and that ends so many in a second.
    #[must_use]
    pub const fn new(base_latency: Option<Duration>, bandwidth: Option<f64>) -> Self {
        Self { base_latency, bandwidth }
    }
}

impl Change {
    /// This limit, for this reason.
    #[must_use]
    pub const fn new(limit: u32, reason: &'static str) -> Self {
        Self { limit, reason }
    }

    /// The change from one limit to the other, if it is one.
    fn between(from: u32, to: u32, reason: &'static str) -> Option<Self> {
        (from != to).then_some(Self { limit: to, reason })
    }
}
