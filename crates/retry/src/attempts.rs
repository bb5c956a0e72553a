use std::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::time::Sleep;
use tower_ballast_core::{
    Classify, Discard, Facts, FailureKind, Lease, Mark, Replay, Verdict,
    budget::{Active, Withdrawal},
    clock::{self, Nanos},
    judge,
};
use tower_service::Service;

use crate::{plan::Plan, shared::Shared, stop::Stop};

/// What one request needs to be sent again. Dropping it gives everything back.
pub(crate) struct Attempts<S, F, R, C, D, Req>
where
    S: Service<R::Sent>,
    R: Replay<Req>,
    C: Classify<R::Sent, S::Response, S::Error>,
{
    pub(crate) inner: S,
    pub(crate) shared: Lease<Shared>,
    pub(crate) facts: F,
    pub(crate) replay: R,
    pub(crate) classify: C,
    pub(crate) discard: D,
    pub(crate) kept: C::Kept,
    pub(crate) spare: Option<R::Spare>,
    pub(crate) plan: Plan,
    pub(crate) progress: Progress,
    pub(crate) request: PhantomData<fn(Req)>,
}

/// What is counted while the request runs.
pub(crate) struct Progress {
    /// Whether an attempt has failed and the end has not come.
    struggles: bool,
    withdrawal: Option<Withdrawal>,
    active: Option<Active>,
}

impl Progress {
    pub(crate) const fn new(active: Active) -> Self {
        Self { struggles: false, withdrawal: None, active: Some(active) }
    }

    const fn ended() -> Self {
        Self { struggles: false, withdrawal: None, active: None }
    }
}

/// When the next attempt is made: at once, or at a moment.
pub(crate) type Start = Option<Nanos>;

impl<S, F, R, C, D, Req> Attempts<S, F, R, C, D, Req>
where
    S: Service<R::Sent>,
    S::Error: 'static,
    F: Facts<R::Sent>,
    R: Replay<Req>,
    C: Classify<R::Sent, S::Response, S::Error>,
{
    /// Weighs an outcome: when to try again, or `None` to hand it on.
    #[inline]
    pub(crate) fn weigh(&mut self, outcome: Result<&S::Response, &S::Error>) -> Option<Start> {
        let verdict = judge(&self.classify, &self.kept, outcome);
        if verdict.is_success() {
            self.shared.budget().success();
            self.progress.active = None;
            if self.progress.struggles {
                self.end(true);
            }
            return None;
        }
        self.weigh_failure(verdict)
    }

    #[cold]
    fn weigh_failure(&mut self, verdict: Verdict) -> Option<Start> {
        self.progress.struggles = true;
        // The attempt has ended, and with it what a budget counted in flight.
        self.progress.withdrawal = None;
        let now = clock::now();
        match self.decide(now, verdict) {
            Ok(start) => Some(start),
            Err(stop) => {
                let unheard = stop == Stop::Verdict && !verdict.is_failure();
                self.end(false);
                if !unheard {
                    self.shared.tell_stop(self.plan.number(), stop);
                }
                None
            }
        }
    }

    fn decide(&mut self, now: Nanos, verdict: Verdict) -> Result<Start, Stop> {
        let shared = &self.shared;
        let again = self.plan.next(now, verdict, &shared.settings(), &shared.random)?;
        if self.spare.is_none() {
            return Err(Stop::BodyGone);
        }
        if !again.reserved {
            let kind = verdict.kind().unwrap_or(FailureKind::Transient);
            let withdrawal = shared.budget().withdraw(kind, now).ok_or(Stop::Budget)?;
            self.progress.withdrawal = Some(withdrawal);
        }
        shared.tell_again(self.plan.number(), verdict, again);
        Ok((!again.delay.is_zero()).then(|| now + again.delay))
    }

    /// What the next attempt sends, as soon as the service is ready for it; `None` when it cannot
    /// be made.
    pub(crate) fn poll_start(
        &mut self,
        mut patience: Pin<&mut Option<Sleep>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<R::Sent>> {
        let stop = match self.inner.poll_ready(cx) {
            Poll::Ready(Ok(())) => match self.start() {
                Ok(sent) => return Poll::Ready(Some(sent)),
                Err(stop) => stop,
            },
            Poll::Ready(Err(_)) => Stop::NotReady,
            Poll::Pending => {
                let Some((latest, stop)) = self.plan.latest_start(&self.shared.settings()) else {
                    return Poll::Pending;
                };
                if patience.is_none() {
                    patience.set(Some(clock::sleep_until(latest)));
                }
                ready!(patience.as_pin_mut().expect("set above").poll(cx));
                stop
            }
        };
        self.end(false);
        self.shared.tell_stop(self.plan.number(), stop);
        Poll::Ready(None)
    }

    /// Lets go of the outcome before, and returns what cannot be done at once.
    pub(crate) fn let_go(
        &self,
        outcome: Result<S::Response, S::Error>,
        cx: &mut Context<'_>,
    ) -> Option<Pin<Box<D::Rest>>>
    where
        D: Discard<S::Response>,
    {
        let mut rest = Box::pin(self.discard.discard(outcome.ok()?)?);
        rest.as_mut().poll(cx).is_pending().then_some(rest)
    }

    fn start(&mut self) -> Result<R::Sent, Stop> {
        let (now, settings) = (clock::now(), self.shared.settings());
        self.plan.may_start(now, &settings)?;
        let turn = self.plan.turn_at(now, &settings);
        let attempt = turn.attempt();
        let spare = self.spare.take().ok_or(Stop::BodyGone)?;
        let (mut sent, spare) = self.replay.again(spare, !attempt.last).ok_or(Stop::BodyGone)?;
        self.spare = spare;
        self.facts.mark(&mut sent, Mark::Attempt(attempt));
        self.kept = self.classify.keep(&sent);
        self.plan.begin(turn);
        if let Some(withdrawal) = &mut self.progress.withdrawal {
            withdrawal.spend();
        }
        self.shared.counters.retry();
        Ok(sent)
    }

    fn end(&mut self, success: bool) {
        self.progress = Progress::ended();
        self.shared.counters.end(self.plan.number(), success);
    }
}

impl<S, F, R, C, D, Req> Drop for Attempts<S, F, R, C, D, Req>
where
    S: Service<R::Sent>,
    R: Replay<Req>,
    C: Classify<R::Sent, S::Response, S::Error>,
{
    fn drop(&mut self) {
        if self.progress.struggles {
            self.shared.counters.drop_request();
        }
    }
}

impl<S, F, R, C, D, Req> fmt::Debug for Attempts<S, F, R, C, D, Req>
where
    S: Service<R::Sent>,
    R: Replay<Req>,
    C: Classify<R::Sent, S::Response, S::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempts").field("plan", &self.plan).finish_non_exhaustive()
    }
}
