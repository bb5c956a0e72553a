//! What is kept for a key, and what it is good for at a moment.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;
use tower_ballast_core::{
    Key, Multiplier,
    clock::{self, Nanos, Span},
    epochs::Settled,
    flights::Failure,
};

/// What a store keeps for a key: an answer, when it is too old, and its tags. A clone is the same.
///
/// A store of one's own only carries it.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_cache::{CacheLayer, Stored, store::{Capacity, S3Fifo}};
///
/// let store = S3Fifo::<u64, Stored<String>>::new(Capacity::mebibytes(256));
/// let layer = CacheLayer::new(Duration::from_secs(60), |id: &u64| Some(*id)).store(store);
/// # let _ = layer;
/// ```
#[derive(Debug)]
pub struct Stored<V>(pub(crate) Arc<Entry<V>>);

impl<V> Stored<V> {
    /// What has been fetched since `began`, and is kept from `now` on.
    pub(crate) fn new(kept: Kept<V>, began: Nanos, now: Nanos) -> Self {
        Self(Arc::new(Entry {
            content: kept.content,
            tags: kept.tags,
            fresh_until: clock::instant(now + kept.lifetime),
            took: Span::new(now.since(began)),
            used: AtomicU64::new(now.as_nanos()),
            settled: Settled::new(),
        }))
    }
}

impl<V> Clone for Stored<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// What is kept for a key.
#[derive(Debug)]
pub(crate) struct Entry<V> {
    pub(crate) content: Content<V>,
    /// By which tags it can be found.
    pub(crate) tags: Box<[Key]>,
    /// As the clock gives it, since every hit compares it.
    fresh_until: Instant,
    /// How long it took to make it.
    took: Span,
    used: AtomicU64,
    pub(crate) settled: Settled,
}

#[derive(Debug)]
pub(crate) enum Content<V> {
    Value(V),
    /// The call failed, and is not made again so soon. In a box, since entries are to be small.
    Failed(Box<Failure>),
    /// The answer was not to be kept, so nobody waits for that of another.
    Passed,
}

/// What is to be kept for a key.
pub(crate) struct Kept<V> {
    pub(crate) content: Content<V>,
    pub(crate) lifetime: Duration,
    pub(crate) size: usize,
    pub(crate) tags: Box<[Key]>,
}

impl<V> Kept<V> {
    /// Without an answer, and so without size and tags.
    pub(crate) fn bare(content: Content<V>, lifetime: Duration) -> Self {
        let owned = if let Content::Failed(_) = content { size_of::<Failure>() } else { 0 };
        Self { content, lifetime, size: size_of::<Entry<V>>() + owned, tags: Box::default() }
    }
}

/// For how long what has become too old is still good.
#[derive(Debug, Default)]
pub(crate) struct Leniency {
    pub(crate) while_revalidating: Span,
    pub(crate) if_error: Span,
    /// For how long it is kept without being asked for; zero for any time.
    pub(crate) idle: Span,
    early: AtomicU64,
}

impl Leniency {
    /// How much earlier it is made anew the longer that takes; zero for never.
    pub(crate) fn set_early(&self, early: Multiplier) {
        self.early.store(early.get().to_bits(), Relaxed);
    }

    /// Whether what is fresh is neither made anew early nor over for want of use.
    #[inline]
    fn is_plain(&self) -> bool {
        self.idle.is_zero() && self.early.load(Relaxed) == 0
    }

    fn early(&self) -> f64 {
        f64::from_bits(self.early.load(Relaxed))
    }
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
    /// What it is good for at `now`; `draw` gives a number from 0 to 1 when it is needed.
    #[inline]
    pub(crate) fn standing(
        &self,
        now: Instant,
        leniency: &Leniency,
        draw: impl FnOnce() -> f64,
    ) -> Standing {
        if !self.settled.is_settled() {
            return Standing::Over;
        }
        if leniency.is_plain() && now < self.fresh_until {
            return Standing::Fresh;
        }
        self.standing_by(clock::at(now), leniency, draw)
    }

    fn standing_by(&self, now: Nanos, leniency: &Leniency, draw: impl FnOnce() -> f64) -> Standing {
        if !leniency.idle.is_zero() && !self.use_again(now, leniency.idle.get()) {
            return Standing::Over;
        }
        let fresh_until = self.fresh_until();
        if now < fresh_until {
            let early = leniency.early();
            let is_early = early > 0.0 && self.is_due_early(now, early, draw());
            return if is_early { Standing::Refresh } else { Standing::Fresh };
        }
        match self.content {
            Content::Value(_) if now < fresh_until + leniency.while_revalidating.get() => {
                Standing::Refresh
            }
            Content::Value(_) if self.is_good_if_error(now, leniency) => Standing::Spare,
            _ => Standing::Over,
        }
    }

    /// Until when it is fresh.
    pub(crate) fn fresh_until(&self) -> Nanos {
        clock::at(self.fresh_until)
    }

    /// Counts as a use, unless the last one was too long ago.
    fn use_again(&self, now: Nanos, idle: Duration) -> bool {
        let is_used = !self.is_idle(now, idle);
        if is_used {
            self.used.fetch_max(now.as_nanos(), Relaxed);
        }
        is_used
    }

    /// Whether nobody has asked for it for so long; zero is any time.
    pub(crate) fn is_idle(&self, now: Nanos, idle: Duration) -> bool {
        let used = Nanos::from_nanos(self.used.load(Relaxed));
        !idle.is_zero() && now.since(used) >= idle
    }

    pub(crate) fn is_good_if_error(&self, now: Nanos, leniency: &Leniency) -> bool {
        now < self.fresh_until() + leniency.if_error.get()
    }

    /// By the rule of `XFetch`: the nearer the end, and the dearer the entry, the likelier.
    fn is_due_early(&self, now: Nanos, early: f64, draw: f64) -> bool {
        let ahead = -self.took.get().as_secs_f64() * early * draw.max(f64::MIN_POSITIVE).ln();
        ahead >= self.fresh_until().since(now).as_secs_f64()
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
        let at = |after| entry.standing(clock::instant(BORN + after), &Leniency::default(), || 0.5);
        assert_eq!(at(Duration::from_nanos(9_999_999_999)), Standing::Fresh);
        assert_eq!(at(10 * SECOND), Standing::Over);
    }

    #[test]
    fn what_is_still_being_put_is_not_served() {
        let stored = Stored::new(Kept::bare(Content::Value(1), SECOND), BORN, BORN);
        let standing = || stored.0.standing(clock::instant(BORN), &Leniency::default(), || 0.5);
        assert_eq!(standing(), Standing::Over);
        stored.0.settled.settle();
        assert_eq!(standing(), Standing::Fresh);
    }

    #[test]
    fn a_stale_value_is_served_as_long_as_it_may_and_a_failure_never() {
        let leniency = Leniency {
            while_revalidating: Span::new(5 * SECOND),
            if_error: Span::new(20 * SECOND),
            ..Leniency::default()
        };
        let at = |content, seconds: u32| {
            entry(content).standing(clock::instant(BORN + SECOND * seconds), &leniency, || 0.5)
        };
        assert_eq!(at(Content::Value(1), 14), Standing::Refresh);
        assert_eq!(at(Content::Value(1), 15), Standing::Spare);
        assert_eq!(at(Content::Value(1), 29), Standing::Spare);
        assert_eq!(at(Content::Value(1), 30), Standing::Over);
        assert_eq!(at(Content::Failed(Box::new(Failure::panicked())), 10), Standing::Over);
        assert_eq!(at(Content::Passed, 10), Standing::Over);
    }

    #[test]
    fn a_failure_counts_with_what_it_owns() {
        let size = |content| Kept::<u32>::bare(content, SECOND).size;
        let failed = size(Content::Failed(Box::new(Failure::panicked())));
        assert_eq!(failed, size(Content::Passed) + size_of::<Failure>());
    }

    #[test]
    fn who_is_asked_for_again_and_again_is_not_idle() {
        let leniency = Leniency { idle: Span::new(2 * SECOND), ..Leniency::default() };
        let entry = entry(Content::Value(1));
        for second in 0..6 {
            let standing =
                entry.standing(clock::instant(BORN + SECOND * second), &leniency, || 0.5);
            assert_eq!(standing, Standing::Fresh);
        }
        assert_eq!(
            entry.standing(clock::instant(BORN + 7 * SECOND), &leniency, || 0.5),
            Standing::Over
        );
    }

    #[test]
    fn dear_entries_are_made_anew_early_the_more_often_the_nearer_their_end() {
        let leniency = Leniency::default();
        leniency.set_early(Multiplier::of::<1, 1>());
        let entry = entry(Content::Value(1));
        let share = |after: Duration| {
            (1..1000)
                .filter(|draw| {
                    let draw = || f64::from(*draw) / 1000.0;
                    entry.standing(clock::instant(BORN + after), &leniency, draw)
                        == Standing::Refresh
                })
                .count()
        };
        assert_eq!(share(SECOND), 0, "it took a second, and there are nine left");
        // One time in e a second before the end.
        assert!((360..375).contains(&share(9 * SECOND)), "{}", share(9 * SECOND));
        assert!(share(Duration::from_nanos(9_999_999_999)) > 990);
    }

    #[test]
    fn a_clock_that_goes_back_makes_nothing_older() {
        let entry = entry(Content::Value(1));
        assert_eq!(
            entry.standing(clock::instant(Nanos::ZERO), &Leniency::default(), || 0.5),
            Standing::Fresh
        );
    }

    fn entry(content: Content<u32>) -> Arc<Entry<u32>> {
        let kept = Kept::bare(content, 10 * SECOND);
        let stored = Stored::new(kept, Nanos::from_nanos(4_000_000_000), BORN);
        stored.0.settled.settle();
        stored.0
    }
}
