use tower_ballast_core::{
    Deadline, Lease, Verdict,
    clock::{self, Nanos},
};

use crate::{decision::Ended, shared::Shared};

/// A call that was admitted. Whatever becomes of it, its outcome is taken in exactly once.
#[derive(Debug)]
pub(crate) struct Permit {
    shared: Lease<Shared>,
    epoch: u64,
    /// [`Nanos::MAX`] when there is none.
    deadline: Nanos,
    /// When it began, read as late as possible: a call that is answered at once needs no clock.
    /// Zero until then.
    began: Nanos,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The inner service runs just now. If the permit is dropped then, it has panicked.
    Inside,
    Outside,
    Settled,
}

impl Permit {
    /// For a call that is about to be made.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) fn new(shared: Lease<Shared>, epoch: u64) -> Self {
        let began = if shared.slow_above().is_some() { clock::now() } else { Nanos::ZERO };
        Self { shared, epoch, deadline: Nanos::MAX, began, stage: Stage::Outside }
    }

    /// By when the caller wants its answer.
    #[inline]
    pub(crate) fn due(&mut self, deadline: Option<Deadline>) {
        self.deadline = deadline.map_or(Nanos::MAX, Deadline::moment);
    }

    pub(crate) const fn enter(&mut self) {
        self.stage = Stage::Inside;
    }

    pub(crate) const fn leave(&mut self) {
        self.stage = Stage::Outside;
    }

    /// The inner service lets its caller wait.
    #[inline]
    pub(crate) fn wait(&mut self) {
        if self.began == Nanos::ZERO {
            self.began = clock::now();
        }
    }

    /// Takes in the outcome.
    #[inline]
    pub(crate) fn settle(&mut self, verdict: Verdict) {
        self.stage = Stage::Settled;
        let slow = match self.shared.slow_above() {
            Some(above) => clock::now().since(self.began) > above,
            None => false,
        };
        self.shared.settle(Ended { epoch: self.epoch, verdict, slow });
    }

    #[cold]
    /// What it means that the caller has gone away.
    fn abandoned(&self) -> Verdict {
        let now = clock::now();
        let began = if self.began == Nanos::ZERO { now } else { self.began };
        if self.deadline <= now || now.since(began) >= self.shared.abandoned_after() {
            Verdict::timeout()
        } else {
            Verdict::ignore()
        }
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        if self.stage != Stage::Settled {
            let panicked = self.stage == Stage::Inside;
            self.settle(if panicked { Verdict::fault() } else { self.abandoned() });
        }
    }
}
