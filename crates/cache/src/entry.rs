//! What is kept for a key, and what it is good for at a moment.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tower_ballast_core::{Key, clock::Nanos, flights::Failure};

/// What is kept for a key.
#[derive(Debug)]
pub(crate) struct Entry<V> {
    pub(crate) content: Content<V>,
    /// By which tags it can be found.
    pub(crate) tags: Box<[Key]>,
    pub(crate) fresh_until: Nanos,
    /// How long it took to make it.
    pub(crate) took: Duration,
    used: AtomicU64,
}

#[derive(Debug)]
pub(crate) enum Content<V> {
    Value(V),
    /// The call failed, and is not made again so soon.
    Failed(Failure),
    /// The answer was not to be kept, so nobody waits for that of another.
    Passed,
}

/// For how long what has become too old is still good.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Leniency {
    pub(crate) while_revalidating: Duration,
    pub(crate) if_error: Duration,
    /// For how long it is kept without being asked for; zero for any time.
    pub(crate) idle: Duration,
    /// How much earlier it is made anew the longer that takes; zero for never.
    pub(crate) early: f64,
}

/// What an entry is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Fresh,
    /// It is served, and made anew beside that.
    Refresh,
    /// It is served only if making it anew fails.
    Spare,
    Over,
}

impl<V> Entry<V> {
    pub(crate) fn new(
        content: Content<V>,
        tags: Box<[Key]>,
        (now, fresh_until): (Nanos, Nanos),
        took: Duration,
    ) -> Self {
        Self { content, tags, fresh_until, took, used: AtomicU64::new(now.as_nanos()) }
    }

    /// What it is good for at `now`; `draw` gives a number from 0 to 1 when it is needed.
    pub(crate) fn standing(
        &self,
        now: Nanos,
        leniency: Leniency,
        draw: impl FnOnce() -> f64,
    ) -> Standing {
        if !leniency.idle.is_zero() {
            let used = Nanos::from_nanos(self.used.load(Relaxed));
            if now.since(used) >= leniency.idle {
                return Standing::Over;
            }
            self.used.fetch_max(now.as_nanos(), Relaxed);
        }
        if now < self.fresh_until {
            let is_early = leniency.early > 0.0 && self.is_due_early(now, leniency.early, draw());
            return if is_early { Standing::Refresh } else { Standing::Fresh };
        }
        match self.content {
            Content::Value(_) if now < self.fresh_until + leniency.while_revalidating => {
                Standing::Refresh
            }
            Content::Value(_) if self.is_good_if_error(now, leniency) => Standing::Spare,
            _ => Standing::Over,
        }
    }

    pub(crate) fn is_good_if_error(&self, now: Nanos, leniency: Leniency) -> bool {
        now < self.fresh_until + leniency.if_error
    }

    /// By the rule of XFetch: the nearer the end, and the dearer the entry, the likelier.
    fn is_due_early(&self, now: Nanos, early: f64, draw: f64) -> bool {
        let ahead = -self.took.as_secs_f64() * early * draw.max(f64::MIN_POSITIVE).ln();
        ahead >= self.fresh_until.since(now).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const BORN: Nanos = Nanos::from_nanos(5_000_000_000);

    #[test]
    fn an_entry_is_fresh_until_its_moment_and_no_longer() {
        let entry = entry(Content::Value(1));
        let at = |after| entry.standing(BORN + after, Leniency::default(), || 0.5);
        assert_eq!(at(10 * SECOND - Duration::from_nanos(1)), Standing::Fresh);
        assert_eq!(at(10 * SECOND), Standing::Over);
    }

    #[test]
    fn a_stale_value_is_served_as_long_as_it_may_and_a_failure_never() {
        let leniency = Leniency {
            while_revalidating: 5 * SECOND,
            if_error: 20 * SECOND,
            ..Leniency::default()
        };
        let at = |content, seconds: u32| {
            entry(content).standing(BORN + SECOND * seconds, leniency, || 0.5)
        };
        assert_eq!(at(Content::Value(1), 14), Standing::Refresh);
        assert_eq!(at(Content::Value(1), 15), Standing::Spare);
        assert_eq!(at(Content::Value(1), 29), Standing::Spare);
        assert_eq!(at(Content::Value(1), 30), Standing::Over);
        assert_eq!(at(Content::Failed(Failure::panicked()), 10), Standing::Over);
        assert_eq!(at(Content::Passed, 10), Standing::Over);
    }

    #[test]
    fn who_is_asked_for_again_and_again_is_not_idle() {
        let leniency = Leniency { idle: 2 * SECOND, ..Leniency::default() };
        let entry = entry(Content::Value(1));
        for second in 0..6 {
            let standing = entry.standing(BORN + SECOND * second, leniency, || 0.5);
            assert_eq!(standing, Standing::Fresh);
        }
        assert_eq!(entry.standing(BORN + 7 * SECOND, leniency, || 0.5), Standing::Over);
    }

    #[test]
    fn dear_entries_are_made_anew_early_the_more_often_the_nearer_their_end() {
        let leniency = Leniency { early: 1.0, ..Leniency::default() };
        let entry = entry(Content::Value(1));
        let share = |after: Duration| {
            let early = (1..1000)
                .filter(|draw| {
                    let draw = || f64::from(*draw) / 1000.0;
                    entry.standing(BORN + after, leniency, draw) == Standing::Refresh
                })
                .count();
            early
        };
        assert_eq!(share(SECOND), 0, "it took a second, and there are nine left");
        // One time in e a second before the end.
        assert!((360..375).contains(&share(9 * SECOND)), "{}", share(9 * SECOND));
        assert!(share(10 * SECOND - Duration::from_nanos(1)) > 990);
    }

    #[test]
    fn a_clock_that_goes_back_makes_nothing_older() {
        let entry = entry(Content::Value(1));
        assert_eq!(entry.standing(Nanos::ZERO, Leniency::default(), || 0.5), Standing::Fresh);
    }

    fn entry(content: Content<u32>) -> Entry<u32> {
        Entry::new(content, Box::default(), (BORN, BORN + 10 * SECOND), SECOND)
    }
}
