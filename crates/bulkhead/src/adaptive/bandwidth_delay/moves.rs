//! How the limit is changed, and from when on what is seen is seen at the new one.

use tower_ballast_core::clock::Nanos;

use super::{
    super::stage::{DRAIN, GROW},
    BandwidthDelay, Stage,
};

impl BandwidthDelay {
    /// Goes on at this limit, and measures once the change shows.
    pub(super) fn go(&mut self, at: Nanos, stage: Stage, limit: f64) {
        self.stage = stage;
        self.limit = self.bounds.clamp(limit).round();
        self.epoch.begin(at);
    }

    /// At a limit so near that there is nothing to wait for.
    pub(super) fn cruise_on(&mut self, limit: f64) {
        self.limit = self.bounds.clamp(limit).round();
        self.epoch.go_on();
    }

    /// The service ends much less than it did: with fewer workers, or slower ones.
    pub(super) fn mistrust(&mut self, at: Nanos, rate: f64) -> &'static str {
        self.bandwidth = rate;
        self.drain(at, rate * self.base, 3);
        "stale"
    }

    pub(super) fn drain(&mut self, at: Nanos, from: f64, left: u8) -> &'static str {
        self.go(at, Stage::Drain { rate: self.bandwidth, left }, DRAIN * from);
        "drain"
    }

    pub(super) fn grow(&mut self, at: Nanos, rate: f64) -> &'static str {
        self.bandwidth = rate;
        let limit = self.limit;
        self.go(at, Stage::Grow { rate, limit }, (limit * GROW).max(limit + 1.0));
        "grow"
    }
}
