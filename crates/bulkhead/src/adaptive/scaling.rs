use std::time::Duration;

use tower_ballast_core::{Ratio, clock::Nanos};

/// What an autoscaler should know of one instance: how much of its limit is in use, and how much was
/// asked for. Read from [`AdaptiveHandle::scaling`](super::AdaptiveHandle::scaling).
///
/// It is of the last span that is over: ten seconds, or longer if no call ended for longer.
///
/// - `utilisation` is how many were in flight in the mean over time, by Little's law, as a part of
///   the limit: the time that the calls took that ended in the span, each divided by the limit at its
///   end, and by the length of the span. If none ended, it is what is in flight now.
/// - `demand` is what it would have been had none been refused: utilisation, times the calls that
///   ended and those that the bulkhead refused, by those that ended.
///
/// A limit that finds itself is raised only while three quarters of it are in use, so before it was
/// in use it says nothing of what the service can do: ask for a `target` of 0.8 or more, or begin
/// with the limit that one instance is known to bear.
///
/// Clients that repeat what was refused are counted each time, so bound the step of the
/// autoscaler. Averaged over the instances, [`demand`](Self::demand) is a metric to scale by as it
/// is.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Scaling {
    /// How much of the limit is in use, from 0 to about 1.
    pub utilisation: f64,
    /// How much of the limit was asked for, from 0; above 1 some were refused.
    pub demand: f64,
}

/// The spans behind it.
#[derive(Debug, Default)]
pub(super) struct Load {
    /// When the running span began; zero before the first.
    since: Nanos,
    /// Seconds that calls took, each divided by the limit.
    busy: f64,
    ended: f64,
    /// How many had been refused when it began.
    refused: u64,
    last: Option<Scaling>,
}

const SPAN: Duration = Duration::from_secs(10);

impl Scaling {
    /// How many instances there should be, of so many as there are, for the demand to be this part of
    /// what they can do. At least one.
    ///
    /// That is the rule of Kubernetes' horizontal autoscaler without its tolerance: the number of
    /// instances, times the demand, by the target, rounded up.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "such casts saturate"
    )]
    pub fn desired(&self, instances: u32, target: Ratio) -> u32 {
        let wanted = f64::from(instances) * self.demand / target.get();
        // A whole number that was missed by the last bit is that number.
        ((wanted - 1e-9).ceil() as u32).max(1)
    }
}

impl Load {
    /// Calls have ended that took this long in sum, at this limit.
    pub(super) fn add(
        &mut self,
        now: Nanos,
        (calls, took): (u32, Duration),
        (limit, in_flight): (u32, u32),
        refused: impl FnOnce() -> u64,
    ) {
        self.busy += took.as_secs_f64() / f64::from(limit.max(1));
        self.ended += f64::from(calls);
        self.roll(now, (limit, in_flight), refused);
    }

    /// The last span that is over.
    pub(super) fn read(
        &mut self,
        now: Nanos,
        (limit, in_flight): (u32, u32),
        refused: impl FnOnce() -> u64,
    ) -> Option<Scaling> {
        self.roll(now, (limit, in_flight), refused);
        self.last
    }

    fn roll(&mut self, now: Nanos, (limit, in_flight): (u32, u32), refused: impl FnOnce() -> u64) {
        let age = now.since(self.since);
        if age < SPAN {
            return;
        }
        let refused = refused();
        if self.since != Nanos::ZERO {
            self.last = Some(if self.ended > 0.0 {
                let utilisation = self.busy / age.as_secs_f64();
                let refused = refused.saturating_sub(self.refused);
                #[allow(clippy::cast_precision_loss, reason = "a number of calls")]
                let asked = (self.ended + refused as f64) / self.ended;
                Scaling { utilisation, demand: utilisation * asked }
            } else {
                let utilisation = f64::from(in_flight) / f64::from(limit.max(1));
                Scaling { utilisation, demand: utilisation }
            });
        }
        *self = Self { since: now, busy: 0.0, ended: 0.0, refused, last: self.last };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Nanos = Nanos::from_nanos(1_000_000_000_000);

    /// Ten seconds of one call of 100 ms after the other, at this limit.
    fn busy(limit: u32, refused: u64) -> Scaling {
        let (mut load, took) = (Load::default(), Duration::from_millis(100));
        assert_eq!(load.read(START, (limit, 0), || 7), None);
        for call in 1..=100 {
            load.add(START + took * call, (1, took), (limit, 1), || 7 + refused);
        }
        load.read(START + SPAN, (limit, 0), || 0).unwrap()
    }

    #[track_caller]
    fn assert_near(one: f64, other: f64) {
        assert!((one - other).abs() < 1e-9, "{one} is not {other}");
    }

    #[test]
    fn what_is_in_use_is_a_part_of_the_limit() {
        assert_near(busy(1, 0).utilisation, 1.0);
        assert_near(busy(4, 0).utilisation, 0.25);
        assert_near(busy(4, 0).demand, 0.25);
    }

    #[test]
    fn who_was_refused_was_asked_for_as_well() {
        let half_refused = busy(1, 100);
        assert_near(half_refused.utilisation, 1.0);
        assert_near(half_refused.demand, 2.0);
    }

    #[test]
    fn calls_that_hang_are_in_use_too() {
        let mut load = Load::default();
        assert_eq!(load.read(START, (4, 3), || 0), None);
        let hung = load.read(START + SPAN, (4, 3), || 9).unwrap();
        assert_near(hung.utilisation, 0.75);
        assert_near(hung.demand, 0.75);
    }

    #[test]
    fn the_desired_number_has_the_demand_at_its_target() {
        let of = |demand| Scaling { utilisation: 1.0, demand };
        assert_eq!(of(0.8).desired(5, Ratio::percent::<80>()), 5);
        assert_eq!(of(1.6).desired(5, Ratio::percent::<80>()), 10);
        assert_eq!(of(0.81).desired(5, Ratio::percent::<80>()), 6);
        assert_eq!(of(0.0).desired(5, Ratio::ZERO), 1);
        assert_eq!(of(1.0).desired(u32::MAX, Ratio::ZERO), u32::MAX);
    }
}
