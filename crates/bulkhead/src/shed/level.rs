//! How many classes are refused.

use tower_ballast_core::{Priority, Ratio};

/// From which load on each class is refused.
///
/// A class is never refused before those below it, whatever its threshold. At 100 % it is never.
///
/// ```
/// use tower_ballast_bulkhead::shed::Thresholds;
/// use tower_ballast_core::{Priority, Ratio};
///
/// let thresholds = Thresholds::default().high(Ratio::percent::<98>());
/// assert_eq!(thresholds.of(Priority::Batch), Ratio::percent::<80>());
/// assert_eq!(thresholds.of(Priority::High), Ratio::percent::<98>());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// By the index of the class.
    shares: [Ratio; 4],
}

impl Default for Thresholds {
    fn default() -> Self {
        let (batch, low) = (Ratio::percent::<80>(), Ratio::percent::<87>());
        Self { shares: [Ratio::ONE, Ratio::percent::<94>(), low, batch] }
    }
}

impl Thresholds {
    /// The threshold of [`Priority::Batch`].
    #[must_use]
    pub const fn batch(self, load: Ratio) -> Self {
        self.with(Priority::Batch, load)
    }

    /// The threshold of [`Priority::Low`].
    #[must_use]
    pub const fn low(self, load: Ratio) -> Self {
        self.with(Priority::Low, load)
    }

    /// The threshold of [`Priority::Medium`].
    #[must_use]
    pub const fn medium(self, load: Ratio) -> Self {
        self.with(Priority::Medium, load)
    }

    /// The threshold of [`Priority::High`].
    #[must_use]
    pub const fn high(self, load: Ratio) -> Self {
        self.with(Priority::High, load)
    }

    /// The threshold of a class.
    #[must_use]
    pub const fn of(&self, class: Priority) -> Ratio {
        self.shares[class.index()]
    }

    const fn with(mut self, class: Priority, load: Ratio) -> Self {
        self.shares[class.index()] = load;
        self
    }
}

/// How many classes are refused, from the lowest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Level(u8);

const NAMES: [&str; 5] = ["none", "batch", "low", "medium", "high"];
const MOST: u8 = 4;

impl Level {
    pub(super) const NONE: Self = Self(0);

    pub(super) const fn new(refused: u8) -> Self {
        Self(if refused < MOST { refused } else { MOST })
    }

    pub(super) const fn get(self) -> u8 {
        self.0
    }

    /// The name of the highest class that is refused.
    pub(super) const fn name(self) -> &'static str {
        NAMES[self.0 as usize]
    }

    pub(super) const fn refuses(self, class: Priority) -> bool {
        class.index() + self.0 as usize >= Priority::ALL.len()
    }

    /// The level after a reading: one more or one less, or the same.
    pub(super) fn after(self, load: Ratio, thresholds: &Thresholds, hysteresis: Ratio) -> Self {
        let is_reached = |next: Ratio| load >= next && next < Ratio::ONE;
        let is_over = |last: Ratio| {
            load.get() < last.get() - hysteresis.get() || load == Ratio::ZERO || last == Ratio::ONE
        };
        if Self(self.0 + 1).class().is_some_and(|class| is_reached(thresholds.of(class))) {
            return Self(self.0 + 1);
        }
        match self.class() {
            Some(class) if is_over(thresholds.of(class)) => Self(self.0 - 1),
            _ => self,
        }
    }

    /// The highest class that is refused.
    fn class(self) -> Option<Priority> {
        Priority::ALL.into_iter().rev().nth(usize::from(self.0).checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn share(percent: u32) -> Ratio {
        Ratio::try_new("", f64::from(percent) / 100.0).unwrap()
    }

    fn after(level: Level, loads: &[u32]) -> u8 {
        let (thresholds, hysteresis) = (Thresholds::default(), share(5));
        loads
            .iter()
            .fold(level, |level, load| level.after(share(*load), &thresholds, hysteresis))
            .get()
    }

    #[test]
    fn one_class_more_is_refused_with_each_reading() {
        assert_eq!(after(Level::NONE, &[79]), 0);
        assert_eq!(after(Level::NONE, &[80]), 1);
        assert_eq!(after(Level::NONE, &[100]), 1);
        assert_eq!(after(Level::NONE, &[100, 100]), 2);
        assert_eq!(after(Level::NONE, &[87, 87, 87]), 2);
        assert_eq!(after(Level::NONE, &[100; 9]), 3, "the highest is never refused");
    }

    #[test]
    fn a_class_comes_back_only_well_below_its_threshold() {
        assert_eq!(after(Level::new(1), &[79, 75, 76]), 1);
        assert_eq!(after(Level::new(1), &[74]), 0);
        assert_eq!(after(Level::new(3), &[0]), 2);
        assert_eq!(after(Level::new(3), &[0, 0, 0]), 0);
    }

    #[test]
    fn the_lowest_class_is_refused_first() {
        let refused = |level: u8| Priority::ALL.map(|class| Level::new(level).refuses(class));
        assert_eq!(refused(0), [false; 4]);
        assert_eq!(refused(1), [false, false, false, true]);
        assert_eq!(refused(3), [false, true, true, true]);
        assert_eq!(refused(4), [true; 4]);
    }

    #[test]
    fn a_hysteresis_above_a_threshold_still_ends() {
        let level = Level::new(1).after(Ratio::ZERO, &Thresholds::default(), Ratio::ONE);
        assert_eq!(level, Level::NONE);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn it_never_flaps_within_the_hysteresis(
            shares in prop::array::uniform4(0..=100_u32),
            hysteresis in 0..=100_u32,
            loads in prop::collection::vec(0..=100_u32, 1..100),
        ) {
            let [high, medium, low, batch] = shares.map(share);
            let thresholds = Thresholds::default().high(high).medium(medium).low(low).batch(batch);
            let mut level = Level::NONE;
            for load in loads {
                let (load, before) = (share(load), level);
                level = level.after(load, &thresholds, share(hysteresis));
                prop_assert!(level.get().abs_diff(before.get()) <= 1);
                let class = |level: Level| Priority::ALL[usize::from(MOST - level.get())];
                if level.get() > before.get() {
                    prop_assert!(load >= thresholds.of(class(level)));
                    prop_assert!(thresholds.of(class(level)) < Ratio::ONE);
                }
                if level.get() < before.get() {
                    let threshold = thresholds.of(class(before));
                    prop_assert!(load < threshold || load == Ratio::ZERO);
                }
            }
        }
    }
}
