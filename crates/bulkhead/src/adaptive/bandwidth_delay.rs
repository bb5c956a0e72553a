mod hung;
mod moves;

use std::ops::RangeInclusive;

use tower_ballast_core::clock::Nanos;

use self::hung::Hung;
use super::{
    Change, Limiter, Model, Outcome, Sample,
    bounds::{Bounds, seconds, setters, whole},
    epoch::{Epoch, Seen},
    stage::{ABOVE, BASE_EVERY, BASE_FIRST, DRAIN, DRAINED, PAYS, PROBE, PROBE_EVERY, Stage},
};

/// Keeps as many in flight as the service can use: what it ends in a second times what a call takes
/// without a queue, and a little more.
///
/// It needs no idea of a good latency, and jitter does not mislead it, because it compares means
/// over epochs of as many calls as a mean needs. The limit stays a little above the product of the
/// two, so that the service has always something to do. Now and then it is lowered by a quarter for
/// an epoch, so that the queue drains and the latency without it shows; and once a second raised
/// by a quarter, to see whether the service ends more. When it ends much less than it did, the
/// model is wrong: the measured rate is taken for what it can do, the queue drained, and the latency
/// measured anew. That tells fewer workers, where the limit must fall, from slower ones, where
/// it must not.
///
/// - It never grows while fewer are in flight than may be.
/// - Errors and refusals that come faster than an answer does are not looked at: they say nothing of
///   the load.
/// - Slower ones, and calls that time out, took a place and gave nothing for it.
/// - When next to nothing is answered any more, the service hangs. That says nothing of what it can do: what is
///   known is kept, a quarter of the calls is sent, and again a quarter, and with the first answers
///   it doubles from round to round until it is where it was.
///
/// It wants tens of places: with few, each mean needs many round trips. With four workers that
/// halved and doubled, simulated, it took five seconds in the median and the latency was twice the
/// one without a queue. Fix the limit of such a service by hand, or give narrow bounds.
///
/// The idea is that of BBR: Cardwell, Cheng, Gunn, Yeganeh and Jacobson, "BBR: Congestion-Based
/// Congestion Control", 2016.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_bulkhead::adaptive::{BandwidthDelay, Limiter, Outcome, Sample};
/// use tower_ballast_core::clock::Nanos;
///
/// let mut limiter = BandwidthDelay::new().initial(10);
/// let latency = Duration::from_millis(10);
/// // One call ends each millisecond, with ten in flight: all that may be.
/// let change = (1..1000).map(Duration::from_millis).find_map(|time| {
///     let now = Nanos::from_nanos(1) + time;
///     limiter.sample(Sample::new(now, latency, Outcome::Answered, 10))
/// });
/// assert_eq!(change.unwrap().limit, 16, "it looks whether more can be done");
/// ```
#[derive(Debug, Clone)]
pub struct BandwidthDelay {
    bounds: Bounds,
    limit: f64,
    stage: Stage,
    epoch: Epoch,
    hung: Hung,
    /// Answers in a second while the limit was in use; zero until it is known.
    bandwidth: f64,
    /// Seconds without a queue; zero until it is known.
    base: f64,
    /// Seconds from one look at the base to the next: soon again after it has changed.
    base_every: f64,
    base_due: Nanos,
    probe_due: Nanos,
}

impl BandwidthDelay {
    /// Starts with 20, from 1 to 1000.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bounds: Bounds::DEFAULT,
            limit: 20.0,
            stage: Stage::Start,
            epoch: Epoch::default(),
            hung: Hung::default(),
            bandwidth: 0.0,
            base: 0.0,
            base_every: BASE_FIRST,
            base_due: Nanos::ZERO,
            probe_due: Nanos::ZERO,
        }
    }

    fn cruising(&self) -> f64 {
        let product = self.bandwidth * self.base;
        product + ABOVE * product.sqrt()
    }

    fn close(&mut self, now: Nanos) -> &'static str {
        let seen = self.seen(now);
        if self.epoch.is_barren() {
            return self.hang(now);
        }
        self.hung.overlooked = false;
        let at = now + seconds(seen.settle);
        match self.stage {
            Stage::Hung { back } => self.recovered(now, at, seen, back),
            Stage::Start => self.started(at, seen),
            Stage::Cruise => self.cruised(now, at, seen),
            Stage::Probe => self.probed(now, at, seen),
            Stage::Grow { rate, limit } => self.grown(at, seen, rate, limit),
            Stage::Drain { rate, left } => self.drained(now, at, seen, rate, left),
        }
    }

    fn started(&mut self, at: Nanos, seen: Seen) -> &'static str {
        if seen.limited {
            return self.grow(at, seen.rate);
        }
        (self.bandwidth, self.base) = (seen.rate, seen.latency);
        self.go(at, Stage::Cruise, self.limit);
        "idle"
    }

    fn cruised(&mut self, now: Nanos, at: Nanos, seen: Seen) -> &'static str {
        if !seen.limited {
            // So few are in flight that there is no queue.
            if self.epoch.in_flight(now) < 0.7 * self.bandwidth * self.base {
                self.base += 0.3 * (seen.latency - self.base);
            }
            self.cruise_on(self.limit);
            return "idle";
        }
        if seen.latency < 0.85 * self.base {
            self.base = seen.latency;
        }
        if seen.is_less_than(self.bandwidth) {
            return self.mistrust(at, seen.rate);
        }
        if seen.rate > 1.1 * self.bandwidth {
            self.bandwidth = seen.rate;
            self.probe_due = now;
        } else {
            self.bandwidth += seen.weight() * (seen.rate - self.bandwidth);
        }
        let limit = self.cruising();
        if now >= self.base_due {
            return self.drain(at, self.bandwidth * self.base, 3);
        }
        if now >= self.probe_due {
            self.go(at, Stage::Probe, (limit * PROBE).max(limit + 1.0));
            return "probe";
        }
        if (limit / self.limit - 1.0).abs() > 0.1 {
            self.go(at, Stage::Cruise, limit);
        } else {
            self.cruise_on(limit);
        }
        "cruise"
    }

    fn probed(&mut self, now: Nanos, at: Nanos, seen: Seen) -> &'static str {
        self.probe_due = now + PROBE_EVERY;
        if seen.limited && seen.is_less_than(self.bandwidth) {
            return self.mistrust(at, seen.rate);
        }
        if seen.limited && seen.rate > self.bandwidth * (1.0 + PAYS * (PROBE - 1.0)) {
            return self.grow(at, seen.rate);
        }
        self.go(at, Stage::Cruise, self.cruising());
        "cruise"
    }

    fn grown(&mut self, at: Nanos, seen: Seen, before: f64, limit: f64) -> &'static str {
        if !seen.limited {
            self.bandwidth = self.bandwidth.max(seen.rate);
            self.base = if self.base > 0.0 { self.base } else { seen.latency };
            self.go(at, Stage::Cruise, limit);
            return "idle";
        }
        let pays = seen.rate > before * (1.0 + PAYS * (self.limit / limit - 1.0));
        if pays && self.limit < f64::from(self.bounds.most) {
            return self.grow(at, seen.rate);
        }
        self.bandwidth = seen.rate.max(before);
        let product = self.bandwidth * self.base;
        // So high a queue leaves long calls behind.
        let at = at + seconds(0.5 * seen.settle);
        self.drain(at, if product > 0.0 { product.min(self.limit) } else { self.limit }, 4)
    }

    fn drained(&mut self, now: Nanos, at: Nanos, seen: Seen, rate: f64, left: u8) -> &'static str {
        let lower = left > 0 && self.limit > f64::from(self.bounds.least);
        if lower && seen.limited && seen.rate > DRAINED * rate {
            self.base = seen.latency;
            self.go(at, Stage::Drain { rate, left: left - 1 }, DRAIN * self.limit);
            return "drain";
        }
        let change = (seen.latency / self.base - 1.0).abs();
        if self.base > 0.0 && change <= (3.0 * seen.error).max(0.15) {
            self.base += 0.3 * (seen.latency - self.base);
            self.base_every = (2.0 * self.base_every).min(BASE_EVERY);
        } else {
            self.base = seen.latency;
            self.base_every = BASE_FIRST;
        }
        self.base_due = now + seconds(self.base_every);
        self.probe_due = now + PROBE_EVERY;
        self.go(at, Stage::Cruise, self.cruising());
        "base"
    }

    fn is_over(&self, now: Nanos) -> bool {
        self.epoch.is_over(now, self.limit, self.base)
            || self.has_seen_hang()
            || self.stage == Stage::Cruise
                && self.epoch.calls() >= 30.0
                && self.seen(now).is_plainly_less_than(self.bandwidth)
    }

    fn seen(&self, now: Nanos) -> Seen {
        self.epoch.seen(now, self.limit, self.bandwidth, self.base)
    }
}

impl Default for BandwidthDelay {
    fn default() -> Self {
        Self::new()
    }
}

setters!(BandwidthDelay);

impl Limiter for BandwidthDelay {
    fn initial(&self) -> u32 {
        whole(self.limit)
    }

    fn range(&self) -> RangeInclusive<u32> {
        self.bounds.range()
    }

    fn set_range(&mut self, range: RangeInclusive<u32>) -> Option<u32> {
        self.bounds = Bounds::of(&range);
        let limit = self.bounds.clamp(self.limit);
        if whole(limit) != whole(self.limit) {
            let known = self.bandwidth > 0.0 && self.base > 0.0;
            // From the next call on, and then for as long as it takes to show.
            self.go(Nanos::ZERO, if known { Stage::Cruise } else { Stage::Start }, limit);
        }
        Some(whole(self.limit))
    }

    /// What was known was found at other limits, and would lead back to them.
    fn restart(&mut self, limit: u32) {
        *self = Self { bounds: self.bounds, ..Self::new() }.initial(limit);
    }

    fn model(&self) -> Model {
        let known = |figure: f64| (figure > 0.0).then_some(figure);
        Model { base_latency: known(self.base).map(seconds), bandwidth: known(self.bandwidth) }
    }

    fn sample(&mut self, sample: Sample) -> Option<Change> {
        let latency = sample.latency.as_secs_f64();
        if sample.outcome != Outcome::Answered && latency < self.base || !self.counts(&sample) {
            return None;
        }
        let sample = Sample { outcome: self.outcome(&sample), ..sample };
        // While drained, the mean is the base, and the old one may be far off.
        let scale = if matches!(self.stage, Stage::Drain { .. }) { 0.0 } else { self.base };
        if !self.epoch.add(&sample, scale) || !self.is_over(sample.now) {
            return None;
        }
        let before = whole(self.limit);
        let reason = self.close(sample.now);
        Change::between(before, whole(self.limit), reason)
    }
}
