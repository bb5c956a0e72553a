use std::{num::NonZeroU32, sync::Arc, time::Duration};

use tower_ballast_core::{Random, Ratio, count, window::Tally};

use crate::phase::Tripped;

/// Over which calls a circuit judges.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_circuit_breaker::{CircuitBreakerLayer, WindowOf};
/// use tower_ballast_core::count;
///
/// let last_hundred = CircuitBreakerLayer::new().window(WindowOf::Calls(count::<100>()));
/// let last_minute = CircuitBreakerLayer::new().window(WindowOf::Time(Duration::from_secs(60)));
/// # let _ = (last_hundred, last_minute);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowOf {
    /// The last calls, however long ago they were. It slides with every outcome.
    Calls(NonZeroU32),
    /// The calls of this last while, exact to a tenth of it.
    Time(Duration),
}

/// Which calls are slow, and how many of them are too many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Slow {
    pub(crate) above: Duration,
    pub(crate) rate: Ratio,
}

/// All settings of a circuit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) window: WindowOf,
    pub(crate) failure_rate: Ratio,
    pub(crate) minimum_calls: NonZeroU32,
    pub(crate) failures: Option<NonZeroU32>,
    pub(crate) consecutive: Option<NonZeroU32>,
    pub(crate) slow: Option<Slow>,
    pub(crate) rest: Rest,
    pub(crate) trials: NonZeroU32,
    pub(crate) successes: Option<NonZeroU32>,
    pub(crate) longest_trial: Duration,
    pub(crate) recovery: bool,
    pub(crate) abandoned_after: Duration,
    pub(crate) longest_wait: Duration,
    pub(crate) most_waiting: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window: WindowOf::Time(Duration::from_secs(30)),
            failure_rate: Ratio::percent::<50>(),
            minimum_calls: count::<20>(),
            failures: None,
            consecutive: None,
            slow: None,
            rest: Rest::default(),
            trials: count::<3>(),
            successes: None,
            longest_trial: Duration::from_secs(10),
            recovery: true,
            abandoned_after: Duration::from_secs(10),
            longest_wait: Duration::ZERO,
            most_waiting: 0,
        }
    }
}

impl Settings {
    /// How many trials must succeed.
    pub(crate) fn wanted(&self) -> u32 {
        self.successes.unwrap_or(self.trials).get()
    }

    /// How many calls a rate needs; never more than the window holds.
    fn minimum(&self) -> u32 {
        match self.window {
            WindowOf::Calls(calls) => self.minimum_calls.min(calls).get(),
            WindowOf::Time(_) => self.minimum_calls.get(),
        }
    }

    /// Why a closed circuit with these outcomes opens, if it does.
    pub(crate) fn trips(&self, tally: Tally, streak: u32) -> Option<Tripped> {
        if self.consecutive.is_some_and(|most| streak >= most.get()) {
            return Some(Tripped::Consecutive);
        }
        if self.failures.is_some_and(|most| tally.failures >= u64::from(most.get())) {
            return Some(Tripped::Failures);
        }
        self.rate_trips(tally, self.minimum())
    }

    /// Whether one of the rates is too high over at least `minimum` calls.
    pub(crate) fn rate_trips(&self, tally: Tally, minimum: u32) -> Option<Tripped> {
        if tally.calls < u64::from(minimum) {
            return None;
        }
        if tally.failures > 0 && tally.failure_rate() >= self.failure_rate.get() {
            return Some(Tripped::FailureRate);
        }
        let slow = self.slow?;
        (tally.slow > 0 && tally.slow_rate() >= slow.rate.get()).then_some(Tripped::SlowRate)
    }

    /// Whether even a success may open the circuit, or changes more than the number of calls.
    ///
    /// A rate can only be reached with its share of the minimum, so below that no success needs
    /// to be weighed.
    pub(crate) fn is_hot(&self, tally: Tally, streak: u32) -> bool {
        let could = |count: u64, rate: Ratio| {
            // A count of calls is far below 2^52, where a double is exact.
            #[allow(clippy::cast_precision_loss)]
            let count = count as f64;
            count > 0.0 && count >= rate.get() * f64::from(self.minimum()) - 1.0
        };
        (self.consecutive.is_some() && streak > 0)
            || could(tally.failures, self.failure_rate)
            || self.slow.is_some_and(|slow| could(tally.slow, slow.rate))
    }
}

/// How long a circuit stays open.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rest {
    pub(crate) nominal: Duration,
    pub(crate) longest: Duration,
    pub(crate) spread: Ratio,
    /// The nominal rests of the first openings in a row, when they were given one by one.
    pub(crate) schedule: Option<Arc<[Duration]>>,
}

impl Default for Rest {
    fn default() -> Self {
        Self {
            nominal: Duration::from_secs(5),
            longest: Duration::from_secs(60),
            spread: Ratio::percent::<50>(),
            schedule: None,
        }
    }
}

impl Rest {
    /// The rest after this many openings in a row (the first is 1), before it is spread.
    pub(crate) fn after(&self, openings: u32) -> Duration {
        if let Some(schedule) = &self.schedule {
            let index = (openings.saturating_sub(1) as usize).min(schedule.len() - 1);
            return schedule[index].min(self.longest);
        }
        let doublings = openings.saturating_sub(2).min(31);
        self.nominal.saturating_mul(1 << doublings).min(self.longest.max(self.nominal))
    }

    /// A rest drawn around its nominal length, so that a fleet does not come back in one moment.
    pub(crate) fn draw(&self, openings: u32, random: &Random) -> Duration {
        let nominal = self.after(openings);
        let part = Duration::try_from_secs_f64(nominal.as_secs_f64() * self.spread.get())
            .unwrap_or(nominal);
        random.between(nominal.saturating_sub(part), nominal.saturating_add(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(rest: &Rest) -> Vec<u64> {
        (1..=8).map(|openings| rest.after(openings).as_secs()).collect()
    }

    #[test]
    fn a_rest_doubles_from_the_third_opening_in_a_row() {
        assert_eq!(seconds(&Rest::default()), [5, 5, 10, 20, 40, 60, 60, 60]);
    }

    #[test]
    fn a_schedule_goes_on_with_its_last_rest() {
        let schedule: Arc<[Duration]> = [1, 2, 3].map(Duration::from_secs).into();
        let rest = Rest { schedule: Some(schedule), ..Rest::default() };
        assert_eq!(seconds(&rest), [1, 2, 3, 3, 3, 3, 3, 3]);
    }

    #[test]
    fn a_rest_is_drawn_from_half_to_one_and_a_half_of_the_nominal_one() {
        let (rest, random) = (Rest::default(), Random::seeded(3));
        let drawn: Vec<_> = (0..10_000).map(|_| rest.draw(1, &random).as_millis()).collect();
        assert!(drawn.iter().all(|ms| (2500..=7500).contains(ms)));
        assert!(drawn.iter().any(|ms| *ms < 2600) && drawn.iter().any(|ms| *ms > 7400));
    }

    #[test]
    fn the_longest_rests_saturate() {
        let rest = Rest { nominal: Duration::MAX, longest: Duration::MAX, ..Rest::default() };
        let drawn = rest.draw(u32::MAX, &Random::seeded(1));
        assert!(drawn >= Duration::from_secs(1 << 40));
        let none = Rest { nominal: Duration::ZERO, ..Rest::default() };
        assert_eq!(none.draw(9, &Random::seeded(1)), Duration::ZERO);
    }

    #[test]
    fn no_success_is_weighed_that_could_not_trip() {
        let settings = Settings::default();
        for failures in 0..40 {
            for calls in failures..80 {
                let tally = Tally { calls, failures, slow: 0 };
                let next = Tally { calls: calls + 1, ..tally };
                if settings.trips(next, 0).is_some() && settings.trips(tally, 0).is_none() {
                    assert!(settings.is_hot(tally, 0), "{tally:?}");
                }
            }
        }
    }
}
