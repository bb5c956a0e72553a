//! The trials of a half-open circuit.

use tower_ballast_core::{Verdict, clock::Nanos};

use crate::{decision::Ended, settings::Settings};

/// A few calls that show whether the service has recovered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trials {
    running: u32,
    successes: u32,
    /// When the first of those that run began.
    since: Nanos,
}

/// What an outcome decides.
pub(crate) enum Trial {
    Undecided,
    Succeeded,
    Failed,
}

impl Trials {
    pub(crate) const fn new(now: Nanos) -> Self {
        Self { running: 0, successes: 0, since: now }
    }

    /// Whether one more may go. No more than are wanted: in one instant exactly the number of
    /// trials reaches the service.
    pub(crate) fn admit(&mut self, now: Nanos, settings: &Settings) -> bool {
        if self.running == 0 {
            self.since = now;
        }
        let most = settings.trials.get();
        let wanted = settings.wanted().max(most);
        let admitted = self.running < most && self.running.saturating_add(self.successes) < wanted;
        self.running += u32::from(admitted);
        admitted
    }

    /// When those that run have run too long.
    pub(crate) fn hung_at(&self, settings: &Settings) -> Nanos {
        self.since + settings.longest_trial
    }

    pub(crate) fn settle(&mut self, ended: Ended, settings: &Settings) -> Trial {
        self.running = self.running.saturating_sub(1);
        match ended.verdict {
            Verdict::Ignore { .. } => Trial::Undecided,
            Verdict::Success if !ended.slow => {
                self.successes += 1;
                if self.successes >= settings.wanted() {
                    Trial::Succeeded
                } else {
                    Trial::Undecided
                }
            }
            Verdict::Success | Verdict::Failure { .. } => Trial::Failed,
        }
    }
}
