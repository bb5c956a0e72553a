use std::{f64::consts::TAU, time::Duration};

use tower_ballast_core::{Multiplier, Random, Ratio};

/// How long a worker of a [`Server`](super::Server) takes for one call.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::Random;
/// use tower_ballast_test::simulator::ServiceTime;
///
/// let mean = Duration::from_millis(10);
/// let (times, random) = (ServiceTime::lognormal(mean, 0.5), Random::seeded(7));
/// let sum: Duration = (0..10_000).map(|_| times.draw(&random)).sum();
/// assert!((sum.as_secs_f64() / 100.0 - 1.0).abs() < 0.02);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServiceTime {
    mean: f64,
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    Constant,
    Exponential,
    Lognormal { sigma: f64 },
    Bimodal { share: f64, factor: f64 },
    Pareto { alpha: f64 },
}

impl ServiceTime {
    /// The same for every call.
    #[must_use]
    pub const fn constant(time: Duration) -> Self {
        Self { mean: time.as_secs_f64(), shape: Shape::Constant }
    }

    /// Exponentially distributed around its mean: many short ones, and some of four times it.
    #[must_use]
    pub const fn exponential(mean: Duration) -> Self {
        Self { mean: mean.as_secs_f64(), shape: Shape::Exponential }
    }

    /// Lognormally distributed around its mean. A `sigma` of 0.5 is ordinary jitter, 1 a long
    /// tail; what is not a number is none.
    #[must_use]
    pub const fn lognormal(mean: Duration, sigma: f64) -> Self {
        let sigma = if sigma.is_finite() { sigma } else { 0.0 };
        Self { mean: mean.as_secs_f64(), shape: Shape::Lognormal { sigma } }
    }

    /// Two times: the usual one, and for this share of the calls one `factor` times as long.
    #[must_use]
    pub const fn bimodal(usual: Duration, share: Ratio, factor: Multiplier) -> Self {
        let (share, factor) = (share.get(), factor.get());
        let mean = usual.as_secs_f64() * (1.0 - share + share * factor);
        Self { mean, shape: Shape::Bimodal { share, factor } }
    }

    /// Pareto distributed around its mean: the smaller `alpha` is, the more of the work is in a few
    /// calls, and below 2 the deviation is infinite. What is not above 1 has no mean, and is taken
    /// for no scatter at all.
    #[must_use]
    pub const fn pareto(mean: Duration, alpha: f64) -> Self {
        let alpha = if alpha > 1.0 { alpha } else { f64::INFINITY };
        Self { mean: mean.as_secs_f64(), shape: Shape::Pareto { alpha } }
    }

    /// The mean. So many workers divided by it are the calls per second that they can serve.
    #[must_use]
    pub fn mean(&self) -> Duration {
        Duration::try_from_secs_f64(self.mean).unwrap_or(Duration::MAX)
    }

    /// The time that one call takes.
    #[must_use]
    pub fn draw(&self, random: &Random) -> Duration {
        Duration::try_from_secs_f64(self.seconds(random)).unwrap_or(Duration::MAX)
    }

    pub(super) fn seconds(&self, random: &Random) -> f64 {
        match self.shape {
            Shape::Constant => self.mean,
            Shape::Exponential => self.mean * exponential(random),
            Shape::Lognormal { sigma } => {
                self.mean * (sigma * normal(random) - sigma * sigma / 2.0).exp()
            }
            Shape::Bimodal { share, factor } => {
                let usual = self.mean / (1.0 - share + share * factor);
                if random.unit() < share { usual * factor } else { usual }
            }
            Shape::Pareto { alpha } => {
                let least = self.mean * (1.0 - 1.0 / alpha);
                least * (exponential(random) / alpha).exp()
            }
        }
    }
}

/// Exponentially distributed with mean 1.
pub(super) fn exponential(random: &Random) -> f64 {
    -(1.0 - random.unit()).ln()
}

/// Normally distributed with mean 0 and deviation 1, by the method of Box and Muller.
fn normal(random: &Random) -> f64 {
    (2.0 * exponential(random)).sqrt() * (TAU * random.unit()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEAN: Duration = Duration::from_millis(20);
    const DRAWS: u32 = 200_000;

    fn drawn(times: ServiceTime) -> (f64, f64) {
        let random = Random::seeded(3);
        let drawn: Vec<f64> = (0..DRAWS).map(|_| times.seconds(&random)).collect();
        let mean = drawn.iter().sum::<f64>() / f64::from(DRAWS);
        let squares = drawn.iter().map(|time| (time - mean).powi(2)).sum::<f64>();
        (mean / MEAN.as_secs_f64(), (squares / f64::from(DRAWS)).sqrt() / MEAN.as_secs_f64())
    }

    fn assert_near(found: f64, expected: f64) {
        assert!((found - expected).abs() <= 0.03 * expected.max(0.1), "{found}, not {expected}");
    }

    #[test]
    fn each_distribution_has_its_mean_and_its_deviation() {
        let bimodal = ServiceTime::bimodal(MEAN, Ratio::percent::<1>(), Multiplier::of::<20, 1>());
        // The deviation of a lognormal is its mean times the root of exp(sigma^2) - 1.
        let jitter = (0.25_f64.exp() - 1.0).sqrt();
        for (times, mean, deviation) in [
            (ServiceTime::constant(MEAN), 1.0, 0.0),
            (ServiceTime::exponential(MEAN), 1.0, 1.0),
            (ServiceTime::lognormal(MEAN, 0.5), 1.0, jitter),
            (bimodal, 1.19, 19.0 * (0.01_f64 * 0.99).sqrt()),
            // The deviation of a Pareto is its mean divided by the root of alpha (alpha - 2).
            (ServiceTime::pareto(MEAN, 8.0), 1.0, 1.0 / 48_f64.sqrt()),
            (ServiceTime::pareto(MEAN, f64::NAN), 1.0, 0.0),
        ] {
            let found = drawn(times);
            assert_near(found.0, mean);
            assert_near(found.1, deviation);
        }
        assert_eq!(bimodal.mean(), Duration::from_micros(23_800));
    }

    #[test]
    fn a_heavy_tail_is_as_heavy_as_its_formula_says() {
        let (random, times) = (Random::seeded(3), ServiceTime::pareto(MEAN, 1.5));
        let drawn: Vec<f64> =
            (0..DRAWS).map(|_| times.seconds(&random) / MEAN.as_secs_f64()).collect();
        for times in [0.5, 2.0, 8.0_f64] {
            let longer = drawn.iter().filter(|time| **time > times).count();
            let share = f64::from(u32::try_from(longer).unwrap()) / f64::from(DRAWS);
            assert_near(share / (times * 3.0).powf(-1.5), 1.0);
        }
    }

    #[test]
    fn extreme_settings_draw_something() {
        let random = Random::seeded(1);
        assert_eq!(ServiceTime::constant(Duration::MAX).draw(&random), Duration::MAX);
        let none = ServiceTime::lognormal(Duration::ZERO, f64::NAN);
        assert_eq!(none.draw(&random), Duration::ZERO);
    }
}
