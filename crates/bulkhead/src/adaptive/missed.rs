//! Answers that came while the limiter was told of others.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire},
};

/// How many they are and how long they took, in one word, so that nobody takes the one without the
/// other: up to a million calls, and some hours.
#[derive(Debug, Default)]
pub(super) struct Missed(AtomicU64);

const NANOS: u32 = 44;
const MOST_NANOS: u64 = (1 << NANOS) - 1;
const MOST_CALLS: u64 = (1 << (u64::BITS - NANOS)) - 1;

impl Missed {
    /// Keeps a call that took so long; not if there is no more room.
    pub(super) fn add(&self, nanos: u64) -> bool {
        let add = |word: u64| {
            let (calls, sum) = (word >> NANOS, (word & MOST_NANOS).checked_add(nanos)?);
            (calls < MOST_CALLS && sum <= MOST_NANOS).then_some(((calls + 1) << NANOS) | sum)
        };
        self.0.fetch_update(AcqRel, Acquire, add).is_ok()
    }

    /// Takes out how many were kept, and how long they took.
    pub(super) fn take(&self) -> (u32, u64) {
        let word = self.0.swap(0, AcqRel);
        #[allow(clippy::cast_possible_truncation, reason = "twenty bits")]
        ((word >> NANOS) as u32, word & MOST_NANOS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_and_their_time_are_taken_together() {
        let missed = Missed::default();
        assert!(missed.add(5) && missed.add(7));
        assert_eq!(missed.take(), (2, 12));
        assert_eq!(missed.take(), (0, 0));
    }

    #[test]
    fn what_does_not_fit_is_not_kept() {
        let missed = Missed::default();
        assert!(!missed.add(u64::MAX) && !missed.add(MOST_NANOS + 1));
        assert!(missed.add(MOST_NANOS) && !missed.add(1) && missed.add(0));
        assert_eq!(missed.take(), (2, MOST_NANOS));

        let full = Missed(AtomicU64::new(MOST_CALLS << NANOS));
        assert!(!full.add(1));
        assert_eq!(full.take(), (1_048_575, 0));
    }
}
