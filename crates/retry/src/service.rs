use std::{
    marker::PhantomData,
    task::{Context, Poll},
};

use tower_ballast_core::{
    Attempt, ByClone, ByResult, Classify, Discard, Facts, Mark, Replay, Spread,
};
use tower_service::Service;

use crate::{
    attempts::{Attempts, Progress},
    future::ResponseFuture,
    plan::Plan,
    shared::Shared,
};

/// Sends failed requests to the inner service again. Made by [`RetryLayer`](crate::RetryLayer).
#[derive(Debug, Clone)]
pub struct Retry<S, F, R = ByClone, C = ByResult, D = ()> {
    pub(crate) inner: S,
    pub(crate) shared: Spread<Shared>,
    pub(crate) facts: F,
    pub(crate) replay: R,
    pub(crate) classify: C,
    pub(crate) discard: D,
}

impl<S, F, R, C, D, Req> Service<Req> for Retry<S, F, R, C, D>
where
    S: Service<R::Sent> + Clone,
    S::Error: 'static,
    F: Facts<Req> + Facts<R::Sent> + Clone,
    R: Replay<Req> + Clone,
    C: Classify<R::Sent, S::Response, S::Error> + Clone,
    D: Discard<S::Response> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, F, R, C, D, Req>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn call(&mut self, request: Req) -> Self::Future {
        let nested = !self.shared.is_nested() && self.facts.attempt(&request).is_some();
        if nested {
            let (sent, _) = self.replay.first(request, false);
            return ResponseFuture::calling(self.inner.call(sent), None);
        }
        let keep = self.shared.retries() > 0;
        let plan = keep.then(|| self.plan(&request));
        let (mut sent, spare) = self.replay.first(request, keep);
        self.facts.mark(&mut sent, Mark::Attempt(Attempt { number: 1, last: !keep }));
        let attempts = plan.map(|plan| self.attempts(&sent, spare, plan));
        ResponseFuture::calling(self.inner.call(sent), attempts)
    }
}

impl<S, F, R, C, D> Retry<S, F, R, C, D> {
    #[inline]
    fn plan<Req>(&self, request: &Req) -> Plan
    where
        F: Facts<Req>,
    {
        let repeatable = self.facts.is_repeatable(request);
        Plan::new(repeatable, self.facts.deadline(request), self.shared.starts_by())
    }

    /// Later attempts are made by a clone: the instance that is ready makes the first one.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    fn attempts<Req>(
        &self,
        sent: &R::Sent,
        spare: Option<R::Spare>,
        plan: Plan,
    ) -> Attempts<S, F, R, C, D, Req>
    where
        S: Service<R::Sent> + Clone,
        F: Clone,
        R: Replay<Req> + Clone,
        C: Classify<R::Sent, S::Response, S::Error> + Clone,
        D: Clone,
    {
        Attempts {
            inner: self.inner.clone(),
            shared: self.shared.lease(),
            facts: self.facts.clone(),
            replay: self.replay.clone(),
            classify: self.classify.clone(),
            discard: self.discard.clone(),
            kept: self.classify.keep(sent),
            spare,
            plan,
            progress: Progress::new(self.shared.budget().enter()),
            request: PhantomData,
        }
    }
}
