use std::{sync::Arc, time::Duration};

use tower_ballast_core::{Deadline, Verdict, clock};

use crate::{circuit::Ended, shared::Shared};

/// A call that was admitted. Whatever becomes of it, its outcome is taken in exactly once.
#[derive(Debug)]
pub(crate) struct Permit {
    shared: Arc<Shared>,
    epoch: u64,
    deadline: Option<Deadline>,
    /// When it began, read as late as possible: a call that is answered at once needs no clock.
    began: Option<clock::Nanos>,
    /// Whether the inner service runs just now. If the permit is dropped then, it has panicked.
    inside: bool,
    settled: bool,
}

impl Permit {
    /// For a call that is about to be made: the inner service runs from now on.
    pub(crate) fn new(shared: &Arc<Shared>, epoch: u64, deadline: Option<Deadline>) -> Self {
        let began = shared.slow_above().map(|_| clock::now());
        let shared = Arc::clone(shared);
        Self { shared, epoch, deadline, began, inside: true, settled: false }
    }

    pub(crate) const fn enter(&mut self) {
        self.inside = true;
    }

    pub(crate) const fn leave(&mut self) {
        self.inside = false;
    }

    /// The inner service lets its caller wait.
    pub(crate) fn wait(&mut self) {
        if self.began.is_none() {
            self.began = Some(clock::now());
        }
    }

    /// Takes in the outcome.
    pub(crate) fn settle(&mut self, verdict: Verdict) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        let slow = match (self.shared.slow_above(), self.began) {
            (Some(above), Some(began)) => clock::now().since(began) > above,
            _ => false,
        };
        self.shared.settle(Ended { epoch: self.epoch, verdict, slow });
    }

    /// What it means that the caller has gone away.
    fn abandoned(&self) -> Verdict {
        let now = clock::now();
        let late = self.deadline.is_some_and(|deadline| deadline.is_passed(now));
        let waited = self.began.map_or(Duration::ZERO, |began| now.since(began));
        if late || waited >= self.shared.abandoned_after() {
            Verdict::timeout()
        } else {
            Verdict::ignore()
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.settled {
            let verdict = if self.inside { Verdict::fault() } else { self.abandoned() };
            self.settle(verdict);
        }
    }
}
