//! What a service that hangs says of what it can do: nothing.

use tower_ballast_core::clock::Nanos;

use super::{BandwidthDelay, Outcome, Sample, Seen, Stage, seconds};

/// So many times as long as a call takes, nothing ends in a silence, where so many should have.
const SILENCE: f64 = 8.0;
const MISSED: f64 = 30.0;
/// A failure that takes so many times as long as an answer has hung.
const FAILED_LATE: f64 = 10.0;
/// Of the limit, this is left when all that ended has hung.
const LEFT: f64 = 0.25;
/// More than so many times as long as before is no longer the service that was known.
const SLOWER: f64 = 2.0;
/// So many calls tell that.
const TELL: f64 = 20.0;

/// Which calls have hung.
#[derive(Debug, Clone, Default)]
pub(super) struct Hung {
    /// When a call ended last.
    last: Nanos,
    /// Who began before this hung, or may have.
    before: Nanos,
    /// Only one silence is overlooked: the next may be what calls take now.
    pub(super) overlooked: bool,
}

impl Hung {
    /// Whether with this call a silence ends, in which all have hung that were there.
    fn ends_with(&mut self, sample: &Sample, bandwidth: f64, base: f64) -> bool {
        let last = self.last;
        self.last = last.max(sample.now);
        let silence = sample.now.since(last);
        let seconds = silence.as_secs_f64();
        let is_long = base > 0.0 && seconds > SILENCE * base && seconds * bandwidth >= MISSED;
        if !is_long || self.overlooked || last == Nanos::ZERO || sample.latency < silence {
            return false;
        }
        (self.overlooked, self.before) = (true, sample.now);
        true
    }

    fn is_one(&self, sample: &Sample) -> bool {
        self.before != Nanos::ZERO && sample.now.since(self.before) < sample.latency
    }
}

impl BandwidthDelay {
    /// Whether this call says something, since it did not hang together with all others.
    pub(super) fn counts(&mut self, sample: &Sample) -> bool {
        if self.hung.ends_with(sample, self.bandwidth, self.base) {
            self.epoch.begin(sample.now + seconds(self.base));
        }
        !self.hung.is_one(sample)
    }

    /// What hung until it failed gave as little as what hung until it timed out.
    pub(super) fn outcome(&self, sample: &Sample) -> Outcome {
        let late = FAILED_LATE * self.base;
        let failed = sample.outcome == Outcome::Failed && self.base > 0.0;
        if failed && sample.latency.as_secs_f64() > late {
            return Outcome::Overloaded;
        }
        sample.outcome
    }

    /// Whether enough have ended to go on from a hang, or into one.
    pub(super) fn has_seen_hang(&self) -> bool {
        match self.stage {
            Stage::Hung { .. } => self.epoch.calls() >= self.limit,
            _ => self.epoch.is_barren() && self.epoch.calls() >= self.limit.max(8.0),
        }
    }

    /// Next to nothing is answered: what is known stays, and fewer are sent.
    pub(super) fn hang(&mut self, now: Nanos) -> &'static str {
        self.hung.before = now;
        let back = match self.stage {
            Stage::Hung { back } => back,
            _ if self.bandwidth > 0.0 && self.base > 0.0 => self.cruising(),
            _ => self.limit,
        };
        self.go(now, Stage::Hung { back }, LEFT * self.limit);
        "hung"
    }

    /// Answers come again: twice as many with each round, up to what was.
    pub(super) fn recovered(
        &mut self,
        now: Nanos,
        at: Nanos,
        seen: Seen,
        back: f64,
    ) -> &'static str {
        let is_known = self.bandwidth > 0.0 && self.base > 0.0;
        if is_known && seen.latency > SLOWER * self.base {
            if self.epoch.calls() >= TELL {
                (self.bandwidth, self.base) = (0.0, 0.0);
                self.go(at, Stage::Start, self.limit);
            }
            return "stale";
        }
        let limit = 2.0 * self.limit;
        match is_known {
            true if limit < back => self.go(now, Stage::Hung { back }, limit),
            true => self.go(at, Stage::Cruise, back),
            false => self.go(at, Stage::Start, back),
        }
        "back"
    }
}
