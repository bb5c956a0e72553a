//! The answer through another service.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_ballast_core::{
    Classify, Deadline, Lease, Replay, Verdict, clock, judge, permit::Permit,
};
use tower_service::Service;

use crate::{
    shared::{Missed, Shared},
    way::Through,
};

pin_project! {
    /// The answer of the inner service, or that of another in its place.
    #[must_use = "futures do nothing unless polled"]
    pub struct ThroughFuture<S, T, P, C, R>
    where
        P: Replay<R>,
        S: Service<P::Sent>,
        T: Service<P::Sent>,
        C: Classify<P::Sent, S::Response, S::Error>,
    {
        #[pin]
        state: State<S::Future, T, T::Future, Result<S::Response, S::Error>>,
        // None when the outcome is handed on, whatever it is.
        call: Option<Call<T, P, C, C::Kept>>,
        spare: Option<P::Spare>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, T, G, O> {
        Calling { #[pin] response: F },
        // The first outcome is kept until there is a better one.
        Readying { other: Option<T>, #[pin] end: Option<Sleep>, turn: Option<Turn<O>> },
        Answering { #[pin] response: G, turn: Option<Turn<O>> },
    }
}

/// What is needed to ask the other service.
pub(crate) struct Call<T, P, C, K> {
    pub(crate) shared: Lease<Shared<Through<T, P>>>,
    pub(crate) classify: C,
    pub(crate) kept: K,
    pub(crate) deadline: Option<Deadline>,
}

/// A place with the other service, and what it may replace.
struct Turn<O> {
    outcome: O,
    reason: &'static str,
    _permit: Permit,
}

impl<S, T, P, C, R> ThroughFuture<S, T, P, C, R>
where
    P: Replay<R>,
    S: Service<P::Sent>,
    T: Service<P::Sent>,
    C: Classify<P::Sent, S::Response, S::Error>,
{
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "built in place; each move costs as much as a lock")]
    pub(crate) const fn new(
        response: S::Future,
        call: Option<Call<T, P, C, C::Kept>>,
        spare: Option<P::Spare>,
    ) -> Self {
        Self { state: State::Calling { response }, call, spare }
    }
}

impl<T: Clone, P, C, K> Call<T, P, C, K> {
    /// A place with the other service, if this outcome is to be replaced and can be.
    #[cold]
    fn turn<Res, E: 'static>(
        &self,
        verdict: Verdict,
        outcome: Result<Res, E>,
    ) -> Result<Turn<Result<Res, E>>, Result<Res, E>> {
        let state = &self.shared.state;
        let Some(reason) = state.wants(verdict, outcome.as_ref().err()) else {
            return Err(outcome);
        };
        if self.deadline.is_some_and(|deadline| deadline.is_passed(clock::now())) {
            state.missed(Missed::Deadline);
            return Err(outcome);
        }
        let Some(permit) = state.permit() else {
            state.missed(Missed::Limit);
            return Err(outcome);
        };
        Ok(Turn { outcome, reason, _permit: permit })
    }
}

impl<S, T, P, C, R> Future for ThroughFuture<S, T, P, C, R>
where
    P: Replay<R>,
    S: Service<P::Sent>,
    S::Error: 'static,
    T: Service<P::Sent, Response = S::Response> + Clone,
    C: Classify<P::Sent, S::Response, S::Error>,
{
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProj::Calling { response } => {
                    let outcome = ready!(response.poll(cx));
                    let Some(call) = this.call else { return Poll::Ready(outcome) };
                    let verdict = judge(&call.classify, &call.kept, outcome.as_ref());
                    if verdict.is_success() {
                        return Poll::Ready(outcome);
                    }
                    match call.turn(verdict, outcome) {
                        Ok(turn) => {
                            let other = Some(call.shared.way.instance());
                            State::Readying { other, end: None, turn: Some(turn) }
                        }
                        Err(outcome) => return Poll::Ready(outcome),
                    }
                }
                StateProj::Readying { other, end, turn } => {
                    let call = this.call.as_ref().expect("kept while the other is asked");
                    let asked = ready!(call.poll_ask(other, this.spare, end, cx));
                    // Called or not, an instance that was asked is not kept.
                    *other = None;
                    let turn = turn.take().expect("a future is not polled after it is ready");
                    match asked {
                        Ok(response) => State::Answering { response, turn: Some(turn) },
                        Err(missed) => {
                            call.shared.state.missed(missed);
                            return Poll::Ready(turn.outcome);
                        }
                    }
                }
                StateProj::Answering { response, turn } => {
                    let answer = ready!(response.poll(cx));
                    let turn = turn.take().expect("a future is not polled after it is ready");
                    let call = this.call.as_ref().expect("kept while the other is asked");
                    return Poll::Ready(call.better(turn, answer));
                }
            };
            this.state.set(next);
        }
    }
}

impl<T, P, C, K> Call<T, P, C, K> {
    /// Sends the request to the other service as soon as that is ready.
    fn poll_ask<R>(
        &self,
        other: &mut Option<T>,
        spare: &mut Option<P::Spare>,
        end: Pin<&mut Option<Sleep>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T::Future, Missed>>
    where
        P: Replay<R>,
        T: Service<P::Sent>,
    {
        let Some(other) = other else { return Poll::Ready(Err(Missed::NotReady)) };
        Poll::Ready(match other.poll_ready(cx) {
            Poll::Pending => {
                ready!(poll_end(end, self.deadline, cx));
                Err(Missed::Deadline)
            }
            Poll::Ready(Err(_)) => Err(Missed::NotReady),
            Poll::Ready(Ok(())) => {
                let again = |spare| self.shared.way.replay.again(spare, false);
                match spare.take().and_then(again) {
                    Some((request, _)) => Ok(other.call(request)),
                    None => Err(Missed::BodyGone),
                }
            }
        })
    }

    /// The answer of the other service if it is good, and otherwise the first outcome.
    fn better<Req, Res, E, X>(
        &self,
        turn: Turn<Result<Res, E>>,
        answer: Result<Res, X>,
    ) -> Result<Res, E>
    where
        C: Classify<Req, Res, E, Kept = K>,
    {
        match answer {
            Ok(answer) if !self.classify.verdict(&self.kept, Ok(&answer)).is_failure() => {
                self.shared.state.fell_back(turn.reason);
                Ok(answer)
            }
            _ => {
                self.shared.state.missed(Missed::Failed);
                turn.outcome
            }
        }
    }
}

/// Waits for the deadline; for ever without one.
fn poll_end(
    mut end: Pin<&mut Option<Sleep>>,
    deadline: Option<Deadline>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let Some(deadline) = deadline else { return Poll::Pending };
    if end.is_none() {
        end.set(Some(clock::sleep_until(deadline.moment())));
    }
    end.as_pin_mut().expect("set above").poll(cx)
}

impl<S, T, P, C, R> fmt::Debug for ThroughFuture<S, T, P, C, R>
where
    P: Replay<R>,
    S: Service<P::Sent>,
    T: Service<P::Sent>,
    C: Classify<P::Sent, S::Response, S::Error>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Calling { .. } => "ThroughFuture(calling)",
            State::Readying { .. } => "ThroughFuture(readying)",
            State::Answering { .. } => "ThroughFuture(answering)",
        })
    }
}
