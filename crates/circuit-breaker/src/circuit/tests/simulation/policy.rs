//! Thresholds: those that can be set, and some that adapt themselves.

use super::{Circuit, Duration, Nanos, Phase, Random, Ratio, START, Settings, Verdict, WindowOf};
use super::{count, ended};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Policy {
    /// The default.
    Half,
    Quarter,
    /// Half, or twenty in a row.
    HalfOrRow,
    /// Half of the last hundred calls.
    HalfOfHundred,
    /// Three quarters of at least a hundred, or twenty in a row, and one trial: for a service that
    /// is known to fail often.
    Lenient,
    /// Half, or twenty in a row; only the way back knows the baseline.
    Forgiving,
    /// Twenty points above the baseline, and at least five standard deviations.
    Margin,
    /// The same over the last hundred calls.
    MarginOfHundred,
    /// Ten points above the baseline, and at least five standard deviations.
    Deviation,
    /// The same over the last hundred calls.
    DeviationOfHundred,
}

impl Policy {
    /// Those of the page, by the names that they have there.
    pub(super) const NAMED: [(Self, &str); 8] = [
        (Self::Half, "50 %, the default"),
        (Self::Quarter, "25 %"),
        (Self::HalfOrRow, "50 %, or 20 in a row"),
        (Self::HalfOfHundred, "50 % of the last 100 calls"),
        (Self::Margin, "20 points above the baseline"),
        (Self::MarginOfHundred, "20 points above, last 100 calls"),
        (Self::Deviation, "10 points above the baseline"),
        (Self::DeviationOfHundred, "10 points above, last 100 calls"),
    ];

    fn settings(self) -> Settings {
        let mut settings = Settings::default();
        match self {
            Self::Quarter => settings.failure_rate = Ratio::percent::<25>(),
            Self::HalfOrRow | Self::Forgiving => settings.consecutive = Some(count::<20>()),
            Self::HalfOfHundred | Self::MarginOfHundred | Self::DeviationOfHundred => {
                settings.window = WindowOf::Calls(count::<100>());
            }
            Self::Lenient => {
                settings.failure_rate = Ratio::percent::<75>();
                settings.minimum_calls = count::<100>();
                settings.consecutive = Some(count::<20>());
                settings.trials = count::<1>();
                settings.recovery = false;
            }
            Self::Half | Self::Margin | Self::Deviation => {}
        }
        settings
    }

    const fn knows_the_baseline(self) -> bool {
        matches!(
            self,
            Self::Forgiving
                | Self::Margin
                | Self::MarginOfHundred
                | Self::Deviation
                | Self::DeviationOfHundred
        )
    }

    /// The threshold over so many calls, where it is not fixed.
    fn threshold(self, baseline: &Baseline, calls: u64) -> Option<Ratio> {
        let margin = match self {
            Self::Margin | Self::MarginOfHundred => 0.2_f64,
            Self::Deviation | Self::DeviationOfHundred => 0.1,
            _ => return None,
        };
        let calls = f64::from(u32::try_from(calls).unwrap()).max(20.0);
        let deviation = (baseline.share * (1.0 - baseline.share) / calls).sqrt();
        // Until there is a baseline, only what is down without a doubt opens it.
        let baseline = if baseline.is_known() { baseline.share } else { 1.0 };
        let threshold = baseline + margin.max(5.0 * deviation);
        Some(Ratio::try_new("threshold", threshold.min(0.95)).unwrap())
    }
}

/// A circuit, and what adapts it.
pub(super) struct Breaker {
    pub(super) circuit: Circuit,
    policy: Policy,
    baseline: Baseline,
    random: Random,
}

impl Breaker {
    pub(super) fn new(policy: Policy, seed: u64) -> Self {
        let mut circuit = Circuit::new(policy.settings());
        circuit.random = Random::seeded(seed);
        Self { circuit, policy, baseline: Baseline::default(), random: Random::seeded(!seed) }
    }

    /// Takes in an outcome; whether the circuit has opened with it.
    pub(super) fn settle(&mut self, epoch: u64, failed: bool, now: Nanos) -> bool {
        let mut verdict = if failed { Verdict::transient() } else { Verdict::Success };
        let before = self.circuit.phase();
        if self.policy.knows_the_baseline() && epoch == self.circuit.epoch() {
            if before == Phase::Closed {
                self.baseline.learn(failed, now);
                let calls = self.circuit.tally(now).calls + 1;
                if let Some(threshold) = self.policy.threshold(&self.baseline, calls) {
                    self.circuit.settings.failure_rate = threshold;
                }
            } else if failed && self.random.unit() < self.baseline.forgiven() {
                verdict = Verdict::ignore();
            }
        }
        self.circuit.settle(ended(epoch, verdict), now);
        before != Phase::Open && self.circuit.phase() == Phase::Open
    }
}

/// The share of failures while closed, over about ten minutes.
#[derive(Default)]
struct Baseline {
    share: f64,
    calls: f64,
    learnt: Nanos,
}

const MEMORY: Duration = Duration::from_secs(600);

impl Baseline {
    fn learn(&mut self, failed: bool, now: Nanos) {
        let passed = now.since(self.learnt.max(START)).as_secs_f64() / MEMORY.as_secs_f64();
        self.learnt = now;
        self.calls += 1.0;
        let weight = passed.max(1.0 / self.calls).min(1.0);
        self.share += (f64::from(u8::from(failed)) - self.share) * weight;
    }

    fn is_known(&self) -> bool {
        self.calls >= 100.0
    }

    /// The share of failed trials, and of failures on the way back, that say nothing: so many that
    /// a service which is as it always was seems to fail one call in a hundred.
    fn forgiven(&self) -> f64 {
        ((self.share - 0.01) / (self.share * 0.99)).max(0.0)
    }
}
