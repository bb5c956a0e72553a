use std::mem;

use tower_ballast_core::{
    BoxError, Deadline, Lease, Spread, Verdict,
    clock::{self, Nanos},
};

use crate::{decision::Ended, shared::Shared};

/// A call that is about to be made, and is counted should it panic before it has begun to run.
///
/// It only borrows, and becomes a [`Permit`] when there is a future to keep it.
#[derive(Debug)]
pub(crate) struct Admission<'a> {
    /// None when nothing is counted: the layer is off, or a refusal was only reported.
    shared: Option<&'a Spread<Shared>>,
    epoch: u64,
    began: Nanos,
    /// The inner service runs just now.
    inside: bool,
}

/// A call that was admitted. Whatever becomes of it, its outcome is taken in exactly once.
///
/// Whole words, because a smaller field would make each move of the future stall.
#[derive(Debug)]
pub(crate) struct Permit {
    /// Until the outcome has been taken in.
    shared: Option<Lease<Shared>>,
    epoch: u64,
    /// [`Nanos::MAX`] when there is none.
    deadline: Nanos,
    /// When it began, read as late as possible: a call that is answered at once needs no clock.
    /// Zero until then.
    began: Nanos,
}

/// The inner service runs just now. Dropped instead of left, it has panicked.
#[derive(Debug)]
pub(crate) struct Inside<'a>(&'a mut Permit);

impl<'a> Admission<'a> {
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) fn ask(shared: &'a Spread<Shared>) -> Result<Self, BoxError> {
        let epoch = match shared.passes() {
            Some(epoch) => Some(epoch),
            None => shared.admit_or_reject()?,
        };
        let began = if epoch.is_some() { shared.begins() } else { Nanos::ZERO };
        let shared = epoch.and(Some(shared));
        Ok(Self { shared, epoch: epoch.unwrap_or_default(), began, inside: false })
    }

    /// Makes the call.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) fn call<F>(&mut self, call: impl FnOnce() -> F) -> F {
        self.inside = true;
        let response = call();
        self.inside = false;
        response
    }

    /// The call has been made, and its caller wants the answer by the deadline.
    #[inline]
    pub(crate) fn permit(self, deadline: Option<Deadline>) -> Permit {
        let permit = Permit {
            shared: self.shared.map(Spread::lease),
            epoch: self.epoch,
            deadline: deadline.map_or(Nanos::MAX, Deadline::moment),
            began: self.began,
        };
        mem::forget(self);
        permit
    }
}

impl Drop for Admission<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(shared) = self.shared {
            let verdict = if self.inside { Verdict::fault() } else { Verdict::ignore() };
            shared.settle(Ended { epoch: self.epoch, verdict, slow: false });
        }
    }
}

impl Permit {
    /// For a call that is about to be made.
    pub(crate) fn new(shared: Lease<Shared>, epoch: u64, deadline: Option<Deadline>) -> Self {
        let deadline = deadline.map_or(Nanos::MAX, Deadline::moment);
        let began = shared.begins();
        Self { shared: Some(shared), epoch, deadline, began }
    }

    /// For a call that is not counted.
    pub(crate) const fn free() -> Self {
        Self { shared: None, epoch: 0, deadline: Nanos::MAX, began: Nanos::ZERO }
    }

    #[inline]
    pub(crate) const fn enter(&mut self) -> Inside<'_> {
        Inside(self)
    }

    /// The inner service lets its caller wait.
    #[inline]
    pub(crate) fn wait(&mut self) {
        if self.began == Nanos::ZERO {
            self.began = clock::now();
        }
    }

    #[inline]
    pub(crate) const fn is_counted(&self) -> bool {
        self.shared.is_some()
    }

    /// Takes in the outcome.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) fn settle(&mut self, verdict: Verdict) {
        if let Some(shared) = self.shared.take() {
            let slow = shared.is_slow(self.began);
            if slow || !verdict.is_success() || !shared.counts_aside(self.epoch) {
                shared.settle(Ended { epoch: self.epoch, verdict, slow });
            }
        }
    }

    /// The caller has gone away.
    #[cold]
    fn abandon(&mut self) {
        let Some(shared) = &self.shared else { return };
        let now = clock::now();
        let began = if self.began == Nanos::ZERO { now } else { self.began };
        let timed_out = self.deadline <= now || now.since(began) >= shared.abandoned_after();
        self.settle(if timed_out { Verdict::timeout() } else { Verdict::ignore() });
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        if self.is_counted() {
            self.abandon();
        }
    }
}

impl Inside<'_> {
    #[inline]
    pub(crate) const fn leave(self) {
        mem::forget(self);
    }
}

impl Drop for Inside<'_> {
    #[cold]
    fn drop(&mut self) {
        self.0.settle(Verdict::fault());
    }
}
