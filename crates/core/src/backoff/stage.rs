use std::{fmt, time::Duration};

use super::{
    growth::{Growth, Strategy},
    jitter::{Jitter, proportion},
};
use crate::{Random, random::duration_from_nanos};

/// One stretch of a backoff, with its own growth, chance and end.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stage {
    pub(super) strategy: Strategy,
    pub(super) base: Duration,
    pub(super) cap: Duration,
    pub(super) jitter: Jitter,
    pub(super) take: Option<u32>,
    pub(super) until: Option<Duration>,
}

impl Stage {
    pub(super) fn new(strategy: Strategy, base: Duration) -> Self {
        let jitter = Jitter::default();
        Self { strategy, base, cap: Duration::MAX, jitter, take: None, until: None }
    }

    pub(super) fn draw(&self, n: u32, previous: Option<Duration>, random: &Random) -> Duration {
        let previous = previous.unwrap_or(self.base);
        self.jitter.draw(self.nominal(n), [self.base, previous, self.cap], random)
    }

    /// The `n`-th delay before chance spreads it.
    pub(super) fn nominal(&self, n: u32) -> Duration {
        duration_from_nanos(self.growth().delay(n))
    }

    /// Whether so many delays that sum to `total` are still within the stage.
    pub(super) fn holds(&self, delays: u32, total: Duration) -> bool {
        self.take.is_none_or(|take| delays <= take) && self.until.is_none_or(|until| total <= until)
    }

    /// How many delays there are when chance does nothing; `None` for no end.
    pub(super) fn nominal_length(&self) -> Option<u32> {
        self.length_of(&self.growth())
    }

    /// What at most `n` delays add up to at most, and how many of the `n` the stage gives at
    /// least. A stage that ends by a total is the shorter, the longer its delays are drawn.
    pub(super) fn longest(&self, n: u32) -> (Duration, u32) {
        let longest = self.longest_growth();
        let fewest = self.length_of(&longest).map_or(n, |length| length.min(n));
        let most = match self.jitter {
            Jitter::None => fewest,
            _ => self.take.map_or(n, |take| take.min(n)),
        };
        let sum = duration_from_nanos(longest.sum(most));
        (self.until.map_or(sum, |until| sum.min(until)), fewest)
    }

    fn growth(&self) -> Growth {
        Growth::new(self.strategy, self.base, self.cap)
    }

    /// The growth of the longest delays that chance can draw.
    fn longest_growth(&self) -> Growth {
        match self.jitter {
            Jitter::None | Jitter::Full | Jitter::Equal => self.growth(),
            Jitter::Decorrelated => Growth::tripling(self.base, self.cap),
            Jitter::Proportional(share) => {
                // A nanosecond more, so that no rounding of a later delay passes the bound.
                let spread = proportion(self.base, share).saturating_add(Duration::from_nanos(1));
                Growth::new(self.strategy, self.base.saturating_add(spread), self.cap)
            }
        }
    }

    fn length_of(&self, growth: &Growth) -> Option<u32> {
        let within = self.until.map(|until| growth.count_within(until));
        match (self.take, within.filter(|length| *length < u32::MAX)) {
            (Some(take), Some(within)) => Some(take.min(within)),
            (take, within) => take.or(within),
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.strategy {
            Strategy::Constant => write!(f, "constant {:?}", self.base)?,
            Strategy::Linear => write!(f, "linear from {:?}", self.base)?,
            Strategy::Exponential(factor) => {
                write!(f, "exponential from {:?} x {}", self.base, factor.get())?;
            }
            Strategy::Fibonacci => write!(f, "fibonacci from {:?}", self.base)?,
        }
        if self.cap < Duration::MAX {
            write!(f, ", at most {:?}", self.cap)?;
        }
        write!(f, ", {}", self.jitter)?;
        if let Some(take) = self.take {
            write!(f, ", {take} times")?;
        }
        if let Some(until) = self.until {
            write!(f, ", {until:?} in all")?;
        }
        Ok(())
    }
}
