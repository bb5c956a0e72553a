//! The brain: whether a request is sent again, and when.

use std::time::Duration;

use tower_ballast_core::{
    Attempt, Backoff, Deadline, Random, RetryAfter, Retryable, Verdict,
    backoff::Delays,
    clock::{self, Nanos},
};

use crate::stop::Stop;

/// All settings that a person can change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) retries: u32,
    pub(crate) backoff: Backoff,
    /// [`Duration::MAX`] stands for none.
    pub(crate) total: Duration,
    pub(crate) longest_hint: Duration,
    pub(crate) needs: Duration,
    pub(crate) nested: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retries: 2,
            backoff: Backoff::default(),
            total: Duration::MAX,
            longest_hint: Duration::from_secs(30),
            needs: Duration::ZERO,
            nested: false,
        }
    }
}

/// Where one request stands.
#[derive(Debug)]
pub(crate) struct Plan {
    turn: Turn,
    repeatable: bool,
    deadline: Option<Deadline>,
    /// The latest start of an attempt by the layer's total.
    starts_by: Option<Nanos>,
    delays: Option<Delays>,
    /// The next delay, drawn one ahead: without it the attempt that runs is the last.
    upcoming: Option<Duration>,
}

/// One attempt, and why none may follow it if so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Turn {
    number: u32,
    last: Option<Stop>,
}

impl Turn {
    pub(crate) const fn attempt(self) -> Attempt {
        Attempt { number: self.number, last: self.last.is_some() }
    }
}

/// The request is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Again {
    pub(crate) delay: Duration,
    /// Whether the moment is kept for this request, which then costs no budget.
    pub(crate) reserved: bool,
}

impl Plan {
    /// The first attempt of a request, with others allowed to follow.
    pub(crate) const fn new(
        repeatable: bool,
        deadline: Option<Deadline>,
        starts_by: Option<Nanos>,
    ) -> Self {
        let turn = Turn { number: 1, last: None };
        Self { turn, repeatable, deadline, starts_by, delays: None, upcoming: None }
    }

    /// How many attempts have begun.
    pub(crate) const fn number(&self) -> u32 {
        self.turn.number
    }

    /// What follows an attempt that ended at `now` with this verdict.
    pub(crate) fn next(
        &mut self,
        now: Nanos,
        verdict: Verdict,
        settings: &Settings,
        random: &Random,
    ) -> Result<Again, Stop> {
        self.allows(verdict.retryable(), settings)?;
        let delays = self.delays.get_or_insert_with(|| {
            let mut delays = settings.backoff.delays();
            self.upcoming = delays.next_with(random);
            delays
        });
        let own = self.upcoming.ok_or(Stop::BackoffEnded)?;
        let again = match verdict.after() {
            None => Again { delay: own, reserved: false },
            Some(RetryAfter { delay, .. }) if delay > settings.longest_hint => {
                return Err(Stop::HintTooLong);
            }
            Some(RetryAfter { delay, reserved: true }) => Again { delay, reserved: true },
            // Many callers may have been told the same: the backoff spreads them behind it.
            Some(RetryAfter { delay, .. }) => {
                Again { delay: delay.saturating_add(own), reserved: false }
            }
        };
        if !again.reserved {
            self.upcoming = delays.next_with(random);
        }
        self.may_start(now + again.delay, settings)?;
        Ok(again)
    }

    /// Whether an attempt that starts then can finish in time.
    pub(crate) fn may_start(&self, start: Nanos, settings: &Settings) -> Result<(), Stop> {
        match self.latest_start(settings) {
            Some((latest, stop)) if start > latest => Err(stop),
            _ => Ok(()),
        }
    }

    /// The last moment at which an attempt may start, and what forbids a later one.
    pub(crate) fn latest_start(&self, settings: &Settings) -> Option<(Nanos, Stop)> {
        // What starts at the deadline itself cannot finish before it.
        let needs = clock::nanos_in(settings.needs).max(1);
        let by_deadline = self.deadline.map(|deadline| {
            let latest = deadline.moment().as_nanos().saturating_sub(needs);
            (Nanos::from_nanos(latest), Stop::Deadline)
        });
        let by_total = self.starts_by.map(|latest| (latest, Stop::Total));
        match (by_deadline, by_total) {
            (Some(deadline), Some(total)) => {
                Some(if total.0 < deadline.0 { total } else { deadline })
            }
            (deadline, total) => deadline.or(total),
        }
    }

    /// The next attempt, if it begins at `now`.
    pub(crate) fn turn_at(&self, now: Nanos, settings: &Settings) -> Turn {
        let number = self.turn.number.saturating_add(1);
        let last = if number > settings.retries {
            Some(Stop::Attempts)
        } else if self.upcoming.is_none() {
            Some(Stop::BackoffEnded)
        } else {
            self.may_start(now + settings.needs, settings).err()
        };
        Turn { number, last }
    }

    /// The attempt has begun.
    pub(crate) const fn begin(&mut self, turn: Turn) {
        self.turn = turn;
    }

    fn allows(&self, retryable: Retryable, settings: &Settings) -> Result<(), Stop> {
        match retryable {
            Retryable::Never => Err(Stop::Verdict),
            Retryable::IfRepeatable if !self.repeatable => Err(Stop::NotRepeatable),
            _ if self.turn.number > settings.retries => Err(Stop::Attempts),
            // Whoever was told that it is the last attempt can rely on it.
            _ => self.turn.last.map_or(Ok(()), Err),
        }
    }
}

#[cfg(test)]
mod tests;
