use std::time::Duration;

use crate::Multiplier;

/// How delays grow from one attempt to the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Strategy {
    Constant,
    Linear,
    Exponential(Multiplier),
    Fibonacci,
}

/// As many growing delays are summed one by one; beyond them a series has a closed form.
const WALKED: u32 = 4096;

/// A strategy with its base and cap: all there is to know of delays without chance. Durations are
/// nanoseconds in 128 bits, of which [`Duration::MAX`] needs 95.
#[derive(Debug, Clone, Copy)]
pub(super) struct Growth {
    strategy: Strategy,
    base: u128,
    cap: u128,
}

impl Growth {
    pub(super) fn new(strategy: Strategy, base: Duration, cap: Duration) -> Self {
        Self { strategy, base: base.as_nanos(), cap: cap.as_nanos() }
    }

    /// The longest delays that decorrelated jitter can draw: each three times the one before, and
    /// the first three times the base.
    pub(super) fn tripling(base: Duration, cap: Duration) -> Self {
        let factor = Multiplier::of::<3, 1>();
        Self::new(Strategy::Exponential(factor), base.saturating_mul(3), cap)
    }

    /// The `n`-th delay, counted from 1; the 0th is zero.
    pub(super) fn delay(&self, n: u32) -> u128 {
        let Some(before) = n.checked_sub(1) else {
            return 0;
        };
        let grown = match self.strategy {
            Strategy::Constant => self.base,
            Strategy::Linear => self.base * u128::from(n),
            Strategy::Exponential(factor) => match power_of_two(factor) {
                Some(bits) => shifted(self.base, u64::from(before) * bits),
                None => self.scaled(factor.get().powf(f64::from(before))),
            },
            Strategy::Fibonacci => self.fibonacci(n),
        };
        grown.min(self.cap)
    }

    /// The sum of the first `n` delays, saturating.
    pub(super) fn sum(&self, n: u32) -> u128 {
        match self.strategy {
            Strategy::Linear => self.linear_sum(n),
            Strategy::Exponential(factor) if factor.get() > 1.0 => self.walked_sum(n),
            Strategy::Fibonacci => self.walked_sum(n),
            Strategy::Constant | Strategy::Exponential(_) => self.delay(1) * u128::from(n),
        }
    }

    /// How many delays fit into `total`; `u32::MAX` stands for all.
    pub(super) fn count_within(&self, total: Duration) -> u32 {
        // Sums of durations saturate, so nothing passes the longest one.
        let endless = total == Duration::MAX;
        let total = total.as_nanos();
        if endless || self.sum(u32::MAX) <= total {
            return u32::MAX;
        }
        // Galloping keeps the walks of `sum` as short as the answer.
        let (mut fits, mut over) = (0, 1_u32);
        while self.sum(over) <= total {
            (fits, over) = (over, over.saturating_mul(2));
        }
        while over - fits > 1 {
            let middle = fits + (over - fits) / 2;
            if self.sum(middle) <= total {
                fits = middle;
            } else {
                over = middle;
            }
        }
        fits
    }

    fn scaled(&self, factor: f64) -> u128 {
        scaled(self.base, factor, self.cap)
    }

    fn fibonacci(&self, n: u32) -> u128 {
        let (mut before, mut current) = (0_u128, self.base);
        for _ in 1..n {
            // A base of zero stays there for ever, and the cap is where growth ends.
            if current == 0 || current >= self.cap {
                break;
            }
            (before, current) = (current, before + current);
        }
        current
    }

    fn linear_sum(&self, n: u32) -> u128 {
        let n = u128::from(n);
        let growing = self.cap.checked_div(self.base).unwrap_or(n).min(n);
        let grown = self.base.saturating_mul(growing * (growing + 1) / 2);
        grown.saturating_add(self.cap.saturating_mul(n - growing))
    }

    fn walked_sum(&self, n: u32) -> u128 {
        let (mut sum, mut walked) = (0_u128, 0);
        while walked < n.min(WALKED) {
            let delay = self.delay(walked + 1);
            // A delay of zero grows no more than one at its cap.
            if delay == self.cap || delay == 0 {
                return sum.saturating_add(delay.saturating_mul(u128::from(n - walked)));
            }
            sum = sum.saturating_add(delay);
            walked += 1;
        }
        sum.saturating_add(self.series(walked, n - walked))
    }

    /// The sum of `count` delays after the first `walked`, of a factor so small that thousands
    /// of delays have not reached the cap.
    fn series(&self, walked: u32, count: u32) -> u128 {
        let Strategy::Exponential(factor) = self.strategy else {
            return 0;
        };
        if count == 0 {
            return 0;
        }
        let (factor, first) = (factor.get(), self.delay(walked + 1));
        let growing = self.steps_to_cap(first, factor).min(f64::from(count));
        let grown = scaled(first, (growing * factor.ln()).exp_m1() / (factor - 1.0), u128::MAX);
        let capped = scaled(self.cap, f64::from(count) - growing, u128::MAX);
        grown.saturating_add(capped)
    }

    #[allow(clippy::cast_precision_loss, reason = "a ratio of two lengths, rounded up")]
    fn steps_to_cap(&self, first: u128, factor: f64) -> f64 {
        ((self.cap as f64 / first as f64).ln() / factor.ln()).ceil().max(0.0)
    }
}

/// `base` times `factor`, at most `cap`. The comparison comes before the conversion, so that an
/// infinite product is a long delay and not an accident.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a product below the cap is a whole number of nanoseconds, to what an f64 holds"
)]
pub(super) fn scaled(base: u128, factor: f64, cap: u128) -> u128 {
    if base == 0 {
        return 0;
    }
    let product = base as f64 * factor;
    if product >= cap as f64 { cap } else { (product.round() as u128).min(cap) }
}

/// The power of a factor that is one of two, so that doubling is exact at any length.
fn power_of_two(factor: Multiplier) -> Option<u64> {
    const MANTISSA: u32 = 52;
    const BIAS: u64 = 1023;
    let bits = factor.get().to_bits();
    (bits.trailing_zeros() >= MANTISSA).then(|| (bits >> MANTISSA).saturating_sub(BIAS))
}

fn shifted(base: u128, bits: u64) -> u128 {
    if base == 0 {
        0
    } else if bits < u64::from(base.leading_zeros()) {
        base << bits
    } else {
        u128::MAX
    }
}
