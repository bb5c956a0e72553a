//! What was asked for, what was accepted, and what of the next is refused.

use std::{num::NonZeroU32, time::Duration};

use tower_ballast_core::{
    Multiplier, Ratio,
    clock::Nanos,
    count,
    window::{Tally, TimeWindow},
};

const BUCKETS: NonZeroU32 = count::<24>();

#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) multiplier: Multiplier,
    pub(super) window: Duration,
    pub(super) fewest: NonZeroU32,
    pub(super) most_refused: Ratio,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            multiplier: Multiplier::TWO,
            window: Duration::from_secs(120),
            fewest: count::<20>(),
            most_refused: Ratio::percent::<90>(),
        }
    }
}

#[derive(Debug)]
pub(super) struct Ledger {
    settings: Settings,
    /// Those that were not accepted are its failures.
    window: TimeWindow,
}

impl Ledger {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, window: TimeWindow::new(settings.window, BUCKETS) }
    }

    pub(super) const fn settings(&self) -> Settings {
        self.settings
    }

    /// Changes the settings and keeps what was counted.
    pub(super) fn configure(&mut self, now: Nanos, configure: impl FnOnce(&mut Settings)) {
        let before = self.settings.window;
        configure(&mut self.settings);
        if self.settings.window != before {
            self.window.resize(now, self.settings.window, BUCKETS);
        }
    }

    pub(super) fn record(&mut self, now: Nanos, accepted: bool) {
        self.window.record(now, !accepted, false);
    }

    pub(super) fn tally(&mut self, now: Nanos) -> Tally {
        self.window.tally(now)
    }

    /// With which chance the next request is refused.
    pub(super) fn chance(&mut self, now: Nanos) -> f64 {
        let Tally { calls, failures, .. } = self.tally(now);
        if calls < u64::from(self.settings.fewest.get()) {
            return 0.0;
        }
        #[allow(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let (requests, accepted) = (calls as f64, (calls - failures) as f64);
        let beyond = requests - self.settings.multiplier.get() * accepted;
        (beyond / (requests + 1.0)).clamp(0.0, self.settings.most_refused.get())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: u64) -> Nanos {
        Nanos::ZERO + Duration::from_secs(second)
    }

    fn ledger(accepted: u32, refused: u32) -> Ledger {
        let mut ledger = Ledger::new(Settings::default());
        (0..accepted).for_each(|_| ledger.record(at(0), true));
        (0..refused).for_each(|_| ledger.record(at(0), false));
        ledger
    }

    #[test]
    fn nothing_is_refused_while_half_is_accepted() {
        assert!(ledger(50, 50).chance(at(1)) <= 0.0);
        assert!((ledger(50, 51).chance(at(1)) - 1.0 / 102.0).abs() < 1e-9);
    }

    #[test]
    fn a_few_requests_say_nothing() {
        assert!(ledger(0, 19).chance(at(1)) <= 0.0);
        assert!(ledger(0, 20).chance(at(1)) >= 0.9);
    }

    #[test]
    fn some_are_always_sent() {
        assert!((ledger(0, 1_000_000).chance(at(1)) - 0.9).abs() < 1e-9);
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut ledger = ledger(0, 100);
        assert!(ledger.chance(at(119)) > 0.0);
        assert!(ledger.chance(at(120)) <= 0.0);
    }

    #[test]
    fn a_changed_window_keeps_what_was_counted() {
        let mut ledger = ledger(0, 100);
        ledger.configure(at(10), |settings| settings.window = Duration::from_secs(3600));
        assert!(ledger.chance(at(600)) > 0.0);
    }

    #[test]
    fn what_is_sent_settles_at_the_multiple_of_what_is_accepted() {
        let random = tower_ballast_core::Random::seeded(1);
        let mut ledger = Ledger::new(Settings::default());
        let (mut sent, mut accepted) = (0, 0);
        // A thousand a second, of which the server accepts one hundred in each.
        for number in 0..300_000_u64 {
            let (second, now) = (number / 1000, at(number / 1000));
            if number % 1000 == 0 {
                accepted = 0;
            }
            if random.unit() < ledger.chance(now) {
                ledger.record(now, false);
                continue;
            }
            ledger.record(now, accepted < 100);
            accepted += 1;
            sent += u64::from(second >= 150);
        }
        let a_second = sent / 150;
        assert!((190..=215).contains(&a_second), "{a_second} a second");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn it_is_the_formula_over_a_list(
            steps in prop::collection::vec((0..30_u64, any::<bool>()), 0..200),
            multiplier in 1.0..5.0_f64, fewest in 1..40_u32,
        ) {
            let mut ledger = Ledger::new(Settings {
                multiplier: Multiplier::try_new("", multiplier).unwrap(),
                fewest: NonZeroU32::new(fewest).unwrap(),
                most_refused: Ratio::ONE,
                ..Settings::default()
            });
            let (mut now, mut list) = (0, Vec::new());
            for (step, accepted) in steps {
                now += step;
                ledger.record(at(now), accepted);
                list.push((now / 5, accepted));
                let recent = list.iter().filter(|(bucket, _)| bucket + 24 > now / 5);
                let (requests, accepted) = recent.fold((0, 0), |(requests, sum), (_, accepted)| {
                    (requests + 1, sum + u32::from(*accepted))
                });
                let (all, good) = (f64::from(requests), f64::from(accepted));
                let expected = ((all - multiplier * good) / (all + 1.0)).max(0.0);
                let expected = if requests < fewest { 0.0 } else { expected };
                prop_assert!((ledger.chance(at(now)) - expected).abs() < 1e-9);
            }
        }
    }
}
