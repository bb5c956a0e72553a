//! How a limit follows what it protects: a multiplier of the rate, moved by signals.
//!
//! A quota is a guess made in calm weather. When the service behind it gets slow or fails, the guess is
//! too high, and what is let through is lost work. An [`Adjustment`] lowers the rate while a signal is
//! above its limit and raises it again step by step, as TCP does with its window: multiplicative
//! decrease, additive increase (Chiu and Jain, 1989).
//!
//! ```
//! use std::time::Duration;
//! use tower_ballast_core::{Ratio, clock::Nanos};
//! use tower_ballast_rate_limit::adjust::{Adjustment, Cause, Limits, Signals};
//!
//! let limits = Limits::new().errors(Ratio::percent::<10>());
//! let mut adjustment = Adjustment::new(limits);
//! let now = Nanos::from_nanos(1_000_000_000);
//!
//! let failing = Signals { errors: Ratio::percent::<50>(), ..Signals::default() };
//! let change = adjustment.observe(now, failing, Duration::from_millis(20)).unwrap();
//! assert_eq!((change.to, change.cause), (0.7, Cause::Errors));
//! // The next answers still belong to what was let through before: once per round trip.
//! assert!(adjustment.observe(now, failing, Duration::from_millis(20)).is_none());
//! ```

mod measure;
mod period;
mod schedule;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tower_ballast_core::{Ratio, clock::Nanos};

pub(crate) use self::period::{KEPT, Periods, Seen, Tally};
pub use self::{
    measure::{Gauge, Load, Measure, Measured, Running},
    schedule::{Schedule, Span},
};

/// What a decrease leaves of the rate.
const DECREASE: f64 = 0.7;
/// What a recovery adds, of the whole rate, in each second.
const INCREASE: f64 = 0.05;
/// A signal lets the rate recover when it is below this share of its limit.
const CALM: f64 = 0.8;
/// Two decreases are at least this far apart, whatever the round trip.
const SHORTEST: Duration = Duration::from_millis(10);

/// What is seen of the service behind a limit. What is not known is left at nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signals {
    /// The share of failures.
    pub errors: Ratio,
    /// How long an answer takes.
    pub latency: Duration,
    /// How many wait.
    pub queue: u32,
    /// A load that the user measures, as a share of what is bearable.
    pub load: Ratio,
}

impl Signals {
    /// Nothing is known.
    pub(crate) const NONE: Self =
        Self { errors: Ratio::ZERO, latency: Duration::ZERO, queue: 0, load: Ratio::ZERO };

    /// Of each signal the worse one.
    pub(crate) fn or_worse(self, other: Self) -> Self {
        let worse = |a: Ratio, b: Ratio| if a < b { b } else { a };
        Self {
            errors: worse(self.errors, other.errors),
            latency: self.latency.max(other.latency),
            queue: self.queue.max(other.queue),
            load: worse(self.load, other.load),
        }
    }
}

impl Default for Signals {
    fn default() -> Self {
        Self::NONE
    }
}

/// From where on each signal lowers the rate, and how far it may go. None is heeded unless it is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    errors: Option<Ratio>,
    latency: Option<Duration>,
    queue: Option<u32>,
    load: Option<Ratio>,
    least: Ratio,
}

impl Limits {
    /// Heeds nothing.
    #[must_use]
    pub const fn new() -> Self {
        let least = Ratio::percent::<10>();
        Self { errors: None, latency: None, queue: None, load: None, least }
    }

    /// The highest share of failures.
    #[must_use]
    pub const fn errors(self, errors: Ratio) -> Self {
        Self { errors: Some(errors), ..self }
    }

    /// The longest time that an answer should take.
    #[must_use]
    pub const fn latency(self, latency: Duration) -> Self {
        Self { latency: Some(latency), ..self }
    }

    /// The most that should wait.
    #[must_use]
    pub const fn queue(self, queue: u32) -> Self {
        Self { queue: Some(queue), ..self }
    }

    /// The highest load.
    #[must_use]
    pub const fn load(self, load: Ratio) -> Self {
        Self { load: Some(load), ..self }
    }

    /// The share of the rate below which it never goes. Default: 10 %.
    #[must_use]
    pub const fn least(self, least: Ratio) -> Self {
        Self { least, ..self }
    }

    /// The signal that is furthest off, as a share of its limit; above 1 is too much.
    fn worst(&self, signals: Signals) -> Option<(Cause, f64)> {
        let (latency, queue) = (signals.latency.as_secs_f64(), f64::from(signals.queue));
        let limit = |latency: Duration| latency.as_secs_f64();
        let shares = [
            (Cause::Errors, share(signals.errors.get(), self.errors.map(Ratio::get))),
            (Cause::Latency, share(latency, self.latency.map(limit))),
            (Cause::Queue, share(queue, self.queue.map(f64::from))),
            (Cause::Load, share(signals.load.get(), self.load.map(Ratio::get))),
        ];
        shares.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

/// Why the rate changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// More failures than the limit.
    Errors,
    /// Slower than the limit.
    Latency,
    /// More wait than the limit.
    Queue,
    /// A higher load than the limit.
    Load,
    /// All signals were well below their limits.
    Recovery,
}

impl Cause {
    /// The word used in events and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Errors => "errors",
            Self::Latency => "latency",
            Self::Queue => "queue_depth",
            Self::Load => "load",
            Self::Recovery => "recovery",
        }
    }
}

/// A change of the multiplier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// What it was.
    pub from: f64,
    /// What it is.
    pub to: f64,
    /// Why.
    pub cause: Cause,
}

/// A multiplier of a rate, from the [least](Limits::least) to 1, which follows signals.
///
/// Lowered to 0.7 of what it was by the signal that is furthest above its limit, at most once in a
/// round trip. Raised by 0.05 a second when all are below 0.8 of their limits. In between it stays, so
/// that it does not swing about a limit.
#[derive(Debug, Clone)]
pub struct Adjustment {
    limits: Limits,
    multiplier: f64,
    /// Until then what is seen is the result of an earlier rate.
    settled: Nanos,
    /// Up to when recovery has been paid.
    raised: Nanos,
}

impl Adjustment {
    /// The whole rate, until signals say otherwise.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Self { limits, multiplier: 1.0, settled: Nanos::ZERO, raised: Nanos::ZERO }
    }

    /// What the rate is to be multiplied with.
    #[must_use]
    pub const fn multiplier(&self) -> f64 {
        self.multiplier
    }

    /// Other limits from now on. The multiplier stays, as far as they let it.
    pub const fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.multiplier = self.multiplier.max(limits.least.get());
    }

    /// Takes in what is seen, and says how the multiplier changed. `round_trip` is how long it takes
    /// until a changed rate can be seen in the signals.
    pub fn observe(
        &mut self,
        now: Nanos,
        signals: Signals,
        round_trip: Duration,
    ) -> Option<Change> {
        self.observe_beside(now, signals, Signals::NONE, round_trip)
    }

    /// The same, with `others` that cannot lower it, but keep it from recovering while they are not calm.
    pub(crate) fn observe_beside(
        &mut self,
        now: Nanos,
        signals: Signals,
        others: Signals,
        round_trip: Duration,
    ) -> Option<Change> {
        let passed = now.since(self.raised).as_secs_f64().min(1.0);
        self.raised = self.raised.max(now);
        let (cause, share) = self.limits.worst(signals)?;
        if share > 1.0 {
            if now < self.settled {
                return None;
            }
            self.settled = now + round_trip.max(SHORTEST);
            return self.change(self.multiplier * DECREASE, cause);
        }
        let is_calm = |(_, share)| share < CALM;
        if share >= CALM || !self.limits.worst(others).is_none_or(is_calm) {
            return None;
        }
        self.change(self.multiplier + passed * INCREASE, Cause::Recovery)
    }

    fn change(&mut self, to: f64, cause: Cause) -> Option<Change> {
        let from = self.multiplier;
        self.multiplier = to.clamp(self.limits.least.get(), 1.0);
        let changed = self.multiplier.total_cmp(&from).is_ne();
        changed.then_some(Change { from, to: self.multiplier, cause })
    }
}

/// A signal as a share of its limit. A limit of nothing is passed by anything.
fn share(signal: f64, limit: Option<f64>) -> f64 {
    match limit {
        Some(limit) if limit > 0.0 => signal / limit,
        Some(_) if signal > 0.0 => f64::INFINITY,
        _ => 0.0,
    }
}
