//! What a `BandwidthDelay` is about, and by how much.

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stage {
    /// At the limit it was given, knowing nothing.
    Start,
    /// At what the model says.
    Cruise,
    /// A little above it, to see whether there is more.
    Probe,
    /// Well above it, after this rate at this limit.
    Grow { rate: f64, limit: f64 },
    /// Below it, after this rate, so that the queue drains and the base shows; how often it may
    /// still be lowered further.
    Drain { rate: f64, left: u8 },
    /// Well below it, since next to nothing is answered; where it was before.
    Hung { back: f64 },
}

/// What is above the product keeps the service busy between two arrivals.
pub(super) const ABOVE: f64 = 0.7;
pub(super) const PROBE: f64 = 1.25;
pub(super) const PROBE_EVERY: Duration = Duration::from_secs(1);
pub(super) const GROW: f64 = 1.6;
/// Of what more is let in, this part must come out for it to pay.
pub(super) const PAYS: f64 = 0.4;
pub(super) const DRAIN: f64 = 0.75;
/// Below this part of the rate before, a lowered limit has left the service idle, and the queue is
/// gone.
pub(super) const DRAINED: f64 = 0.9;
/// Seconds from one look at the base to the next, after it has changed and at the most.
pub(super) const BASE_FIRST: f64 = 0.5;
pub(super) const BASE_EVERY: f64 = 4.0;
