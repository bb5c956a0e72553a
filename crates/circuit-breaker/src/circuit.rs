//! The brain: the state machine of one circuit, without clock, lock or waker.

use std::time::Duration;

use tower_ballast_core::{FailureKind, Random, Reason, Verdict, clock::Nanos, window::Tally};

use crate::{
    decision::{Decision, Ended},
    phase::{Change, Phase, Tripped},
    recovery::Recovery,
    settings::Settings,
    trials::{Trial, Trials},
    window::Window,
};

#[derive(Debug)]
pub(crate) struct Circuit {
    pub(crate) settings: Settings,
    pub(crate) random: Random,
    state: State,
    /// Counts the states; outcomes of calls from an earlier one change nothing.
    epoch: u64,
    /// How often it has opened since it was last closed.
    openings: u32,
    window: Window,
    /// Failures without a success between them.
    streak: u32,
    /// The epoch that ended with a trip, and how many of its calls came in after it: the
    /// concurrency before the trip.
    tripped: (u64, u32),
    change: Option<Change>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed,
    Open { until: Nanos },
    HalfOpen(Trials),
    Recovering(Recovery),
    ForcedOpen,
    ForcedClosed,
}

impl Circuit {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            window: Window::new(settings.window),
            settings,
            random: Random::new(),
            state: State::Closed,
            epoch: 0,
            openings: 0,
            streak: 0,
            tripped: (0, 0),
            change: None,
        }
    }

    pub(crate) const fn phase(&self) -> Phase {
        match self.state {
            State::Closed => Phase::Closed,
            State::Open { .. } => Phase::Open,
            State::HalfOpen(_) => Phase::HalfOpen,
            State::Recovering(_) => Phase::Recovering,
            State::ForcedOpen => Phase::ForcedOpen,
            State::ForcedClosed => Phase::ForcedClosed,
        }
    }

    /// Why it refuses whom it refuses now.
    pub(crate) const fn reason(&self) -> Reason {
        match self.state {
            State::Open { .. } => Reason::CircuitOpen,
            State::ForcedOpen => Reason::CircuitForcedOpen,
            State::HalfOpen(_) => Reason::CircuitHalfOpen,
            State::Recovering(_) | State::Closed | State::ForcedClosed => Reason::CircuitRecovering,
        }
    }

    pub(crate) const fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(crate) const fn openings(&self) -> u32 {
        self.openings
    }

    /// The end of the present rest.
    pub(crate) const fn rests_until(&self) -> Option<Nanos> {
        match self.state {
            State::Open { until } => Some(until),
            _ => None,
        }
    }

    pub(crate) fn tally(&mut self, now: Nanos) -> Tally {
        self.window.tally(now)
    }

    /// The end of the bucket that is filled now, where the window has buckets.
    pub(crate) fn bucket_end(&self) -> Option<Nanos> {
        self.window.bucket_end()
    }

    /// Whether a success must be weighed at once, and cannot be counted aside.
    pub(crate) fn is_hot(&mut self, now: Nanos) -> bool {
        let tally = self.window.tally(now);
        self.settings.is_hot(tally, self.streak)
    }

    /// Whether another success would change nothing at all.
    pub(crate) fn is_calm(&self) -> bool {
        self.streak == 0 && self.window.is_all_success()
    }

    /// Counts successes of the bucket that is filled now, which were counted aside.
    pub(crate) fn fold(&mut self, successes: u64) {
        if matches!(self.state, State::Closed) {
            self.window.fold(successes);
        }
    }

    /// The change that was made last, once.
    pub(crate) const fn take_change(&mut self) -> Option<Change> {
        self.change.take()
    }

    /// Other settings. The state and what remains of a rest stay; another window starts empty.
    pub(crate) fn configure(&mut self, settings: Settings) {
        if settings.window != self.settings.window {
            self.window = Window::new(settings.window);
        }
        self.settings = settings;
    }

    /// Whether a call may go.
    pub(crate) fn admit(&mut self, now: Nanos) -> Decision {
        if self.rests_until().is_some_and(|until| until <= now) {
            self.enter(State::HalfOpen(Trials::new(now)), Tripped::Rested, Duration::ZERO);
        }
        if matches!(self.state, State::Recovering(recovery) if recovery.is_over(now)) {
            self.close(Tripped::Recovered);
        }
        let epoch = self.epoch;
        match &mut self.state {
            State::Closed | State::ForcedClosed => Decision::Admit { epoch },
            State::Open { until } => {
                let after = Some(until.since(now));
                Decision::Refuse { reason: Reason::CircuitOpen, after }
            }
            State::ForcedOpen => {
                Decision::Refuse { reason: Reason::CircuitForcedOpen, after: None }
            }
            State::HalfOpen(_) => self.admit_trial(now),
            State::Recovering(recovery) => {
                if recovery.admit(now) {
                    return Decision::Admit { epoch };
                }
                if recovery.hung_at(self.settings.longest_trial) > now {
                    let reason = Reason::CircuitRecovering;
                    return Decision::Refuse { reason, after: None };
                }
                self.reopen_hung(now)
            }
        }
    }

    fn admit_trial(&mut self, now: Nanos) -> Decision {
        let State::HalfOpen(trials) = &mut self.state else {
            unreachable!("only called while half-open");
        };
        if trials.admit(now, &self.settings) {
            return Decision::Admit { epoch: self.epoch };
        }
        let hung = trials.hung_at(&self.settings);
        if hung > now {
            let after = Some(hung.since(now));
            return Decision::Refuse { reason: Reason::CircuitHalfOpen, after };
        }
        self.reopen_hung(now)
    }

    fn reopen_hung(&mut self, now: Nanos) -> Decision {
        self.open(now, Tripped::TrialsHung, None);
        let after = self.rests_until().map(|until| until.since(now));
        Decision::Refuse { reason: Reason::CircuitOpen, after }
    }

    /// Takes in the outcome of a call that was admitted.
    pub(crate) fn settle(&mut self, ended: Ended, now: Nanos) {
        if ended.epoch != self.epoch {
            if ended.epoch == self.tripped.0 {
                self.tripped.1 = self.tripped.1.saturating_add(1);
            }
            return;
        }
        match self.state {
            State::Closed => self.settle_closed(ended, now),
            State::HalfOpen(_) => self.settle_trial(ended, now),
            State::Recovering(_) => self.settle_recovering(ended, now),
            State::Open { .. } | State::ForcedOpen | State::ForcedClosed => {}
        }
    }

    fn settle_closed(&mut self, ended: Ended, now: Nanos) {
        match ended.verdict {
            // Asked to slow down is alive.
            Verdict::Failure { kind: FailureKind::Throttled, .. } | Verdict::Ignore { .. } => {
                return;
            }
            Verdict::Success => self.streak = 0,
            Verdict::Failure { .. } => self.streak = self.streak.saturating_add(1),
        }
        self.window.record(now, ended.verdict.is_failure(), ended.slow);
        let tally = self.window.tally(now);
        if let Some(why) = self.settings.trips(tally, self.streak) {
            self.tripped = (self.epoch, 1);
            self.open(now, why, ended.verdict.after().map(|after| after.delay));
        }
    }

    fn settle_trial(&mut self, ended: Ended, now: Nanos) {
        let State::HalfOpen(trials) = &mut self.state else { return };
        match trials.settle(ended, &self.settings) {
            Trial::Undecided => {}
            Trial::Succeeded => self.readmit(now),
            Trial::Failed => {
                let asked = ended.verdict.after().map(|after| after.delay);
                self.open(now, Tripped::Trial, asked);
            }
        }
    }

    fn settle_recovering(&mut self, ended: Ended, now: Nanos) {
        let State::Recovering(recovery) = &mut self.state else {
            return;
        };
        recovery.settle(ended.verdict, ended.slow, now);
        let relapsed = recovery.is_exhausted()
            || self.settings.rate_trips(recovery.tally(), self.settings.trials.get()).is_some();
        if relapsed {
            self.open(now, Tripped::Relapse, ended.verdict.after().map(|after| after.delay));
        } else if recovery.is_over(now) {
            self.close(Tripped::Recovered);
        }
    }

    /// Opens it, whatever it was.
    pub(crate) fn force_open(&mut self) {
        self.enter(State::ForcedOpen, Tripped::ByHand, Duration::ZERO);
    }

    /// Closes it, and keeps it closed whatever comes.
    pub(crate) fn force_closed(&mut self) {
        self.enter(State::ForcedClosed, Tripped::ByHand, Duration::ZERO);
    }

    /// Closes it with nothing counted.
    pub(crate) fn reset(&mut self) {
        self.close(Tripped::ByHand);
    }

    fn open(&mut self, now: Nanos, why: Tripped, asked: Option<Duration>) {
        self.openings = self.openings.saturating_add(1);
        let drawn = self.settings.rest.draw(self.openings, &self.random);
        let asked = asked.unwrap_or_default().min(self.settings.rest.longest);
        let rest = drawn.max(asked);
        self.enter(State::Open { until: now + rest }, why, rest);
    }

    fn readmit(&mut self, now: Nanos) {
        if self.settings.recovery {
            let recovery = Recovery::new(self.settings.trials.get(), self.tripped.1, now);
            self.enter(State::Recovering(recovery), Tripped::TrialsSucceeded, Duration::ZERO);
        } else {
            self.close(Tripped::TrialsSucceeded);
        }
    }

    fn close(&mut self, why: Tripped) {
        self.openings = 0;
        self.streak = 0;
        self.window = Window::new(self.settings.window);
        self.enter(State::Closed, why, Duration::ZERO);
    }

    fn enter(&mut self, state: State, reason: Tripped, rest: Duration) {
        let from = self.phase();
        self.state = state;
        self.epoch += 1;
        self.change = Some(Change { from, to: self.phase(), reason, sequence: self.epoch, rest });
    }
}

#[cfg(test)]
mod tests;
