//! The brain: when a request must have ended.

use std::time::Duration;

use tower_ballast_core::{Attempt, Deadline, Reason, clock::Nanos};

/// What a timeout bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Attempt,
    Total,
}

impl Scope {
    pub(crate) const fn reason(self) -> Reason {
        match self {
            Self::Attempt => Reason::Timeout,
            Self::Total => Reason::DeadlinePassed,
        }
    }

    /// The bound of a request with this limit, in nanoseconds, deadline and attempt.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) fn bound(
        self,
        within: u64,
        deadline: Option<Deadline>,
        attempt: Option<Attempt>,
    ) -> Bound {
        let last = attempt.is_some_and(|attempt| attempt.last);
        match deadline {
            Some(deadline) if last && self == Self::Attempt => Bound::until(deadline),
            deadline => {
                let deadline = deadline.map_or(Nanos::MAX, Deadline::moment);
                Bound { within, deadline }
            }
        }
    }
}

/// When a request must have ended: a while after it began to wait, and by its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bound {
    /// In nanoseconds.
    within: u64,
    /// [`Nanos::MAX`] when there is none.
    deadline: Nanos,
}

impl Bound {
    pub(crate) const fn until(deadline: Deadline) -> Self {
        Self { within: u64::MAX, deadline: deadline.moment() }
    }

    /// How long a wait may last whenever it begins, if that does not depend on a deadline.
    pub(crate) fn lasts(self) -> Option<Duration> {
        (self.deadline == Nanos::MAX).then(|| Duration::from_nanos(self.within))
    }

    /// What is left of it for a wait that begins at `now`.
    pub(crate) fn left(self, now: Nanos) -> Self {
        let within = self.end(now).as_nanos().saturating_sub(now.as_nanos());
        Self { within, deadline: Nanos::MAX }
    }

    /// The last moment of a wait that begins at `now`.
    pub(crate) fn end(self, now: Nanos) -> Nanos {
        Nanos::from_nanos(now.as_nanos().saturating_add(self.within)).min(self.deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Nanos = Nanos::from_nanos(1_000);
    const LIMIT: u64 = 100;

    fn due(in_nanos: u64) -> Deadline {
        Deadline::at(NOW + Duration::from_nanos(in_nanos))
    }

    fn end(scope: Scope, deadline: impl Into<Option<Deadline>>, attempt: Option<Attempt>) -> u64 {
        scope.bound(LIMIT, deadline.into(), attempt).end(NOW).as_nanos() - NOW.as_nanos()
    }

    #[test]
    fn the_earlier_of_limit_and_deadline_counts() {
        assert_eq!(end(Scope::Attempt, None, None), 100);
        assert_eq!(end(Scope::Attempt, due(40), None), 40);
        assert_eq!(end(Scope::Attempt, due(400), None), 100);
        assert_eq!(end(Scope::Total, due(40), None), 40);
        assert_eq!(end(Scope::Total, due(400), None), 100);
    }

    #[test]
    fn the_last_attempt_may_use_what_is_left() {
        let last = Some(Attempt { number: 3, last: true });
        assert_eq!(end(Scope::Attempt, due(400), Some(Attempt::number(2))), 100);
        assert_eq!(end(Scope::Attempt, due(400), last), 400);
        assert_eq!(end(Scope::Attempt, None, last), 100);
        assert_eq!(end(Scope::Total, due(400), last), 100);
    }

    #[test]
    fn the_longest_limit_saturates() {
        let bound = Scope::Attempt.bound(u64::MAX, None, None);
        assert_eq!(bound.end(Nanos::MAX), Nanos::MAX);
        assert_eq!(bound.end(NOW), Nanos::MAX);
    }

    #[test]
    fn a_wait_that_has_begun_needs_no_deadline_any_more() {
        let bound = Scope::Attempt.bound(LIMIT, Some(due(40)), None);
        assert_eq!(bound.lasts(), None);
        assert_eq!(bound.left(NOW).lasts(), Some(Duration::from_nanos(40)));
        assert_eq!(bound.left(NOW).end(NOW), bound.end(NOW));
    }
}
