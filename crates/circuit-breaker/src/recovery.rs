//! The way back: a concurrency window that grows with success.

use std::time::Duration;

use tower_ballast_core::{FailureKind, Verdict, clock::Nanos, window::Tally};

/// It is over when the window was not used up for this long.
const UNUSED: Duration = Duration::from_secs(1);

/// Lets calls back in step by step after the trials have succeeded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recovery {
    /// How many calls may run at once.
    step: u32,
    running: u32,
    /// When the step was last used up.
    full_at: Nanos,
    /// Whether the step was used up when a call last ended.
    was_full: bool,
    /// When a call last began or ended.
    moved_at: Nanos,
    /// The step at which it is over: twice the concurrency before the trip.
    enough: u32,
    tally: Tally,
}

impl Recovery {
    pub(crate) fn new(step: u32, concurrency_before: u32, now: Nanos) -> Self {
        let enough = concurrency_before.max(step).saturating_mul(2);
        let tally = Tally::default();
        Self { step, running: 0, full_at: now, was_full: true, moved_at: now, enough, tally }
    }

    pub(crate) fn admit(&mut self, now: Nanos) -> bool {
        let admitted = self.running < self.step;
        if admitted {
            self.running += 1;
            self.moved_at = now;
        }
        if self.running >= self.step {
            self.full_at = self.full_at.max(now);
        }
        admitted
    }

    pub(crate) fn settle(&mut self, verdict: Verdict, slow: bool, now: Nanos) {
        self.moved_at = now;
        self.was_full = self.running >= self.step;
        if self.was_full {
            self.full_at = self.full_at.max(now);
        }
        self.running = self.running.saturating_sub(1);
        match verdict {
            Verdict::Ignore { .. } => return,
            Verdict::Success => self.step = self.step.saturating_add(1),
            Verdict::Failure { .. } => self.step /= 2,
        }
        if verdict.kind() != Some(FailureKind::Throttled) {
            self.tally.calls += 1;
            self.tally.failures += u64::from(verdict.is_failure());
            self.tally.slow += u64::from(slow);
        }
    }

    /// When calls that fill the step have hung too long: they would keep it full for ever.
    pub(crate) fn hung_at(&self, longest: Duration) -> Nanos {
        self.moved_at + longest
    }

    pub(crate) const fn is_exhausted(&self) -> bool {
        self.step == 0
    }

    pub(crate) fn is_over(&self, now: Nanos) -> bool {
        let unused = self.running < self.step && now.since(self.full_at) >= UNUSED;
        // While the step is used up more callers stand outside, who would all come at once.
        unused || (self.step >= self.enough && !self.was_full)
    }

    pub(crate) const fn tally(&self) -> Tally {
        self.tally
    }
}
