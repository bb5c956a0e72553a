//! How many retries and hedges are allowed beside ordinary traffic.
//!
//! Without a bound, clients that retry turn a service's bad minute into a bad hour: each failure
//! brings more calls than there were before. A [`Budget`] ties extra attempts to what goes well,
//! so that a service that answers nothing is asked little more than once per request.

use std::sync::Arc;

use crate::{FailureKind, Ratio, clock::Nanos, sync::atomic::Ordering::Relaxed};

mod guard;
mod slots;
mod state;
mod tokens;

pub use self::guard::{Active, Withdrawal};
use self::{
    slots::Slots,
    state::{Kind, State},
    tokens::{Tokens, units},
};

/// How many extra attempts, retries and hedges alike, are allowed beside ordinary traffic.
///
/// Clones share one budget, and it should be shared by all that call the same dependency: retry
/// and hedge layers draw from it together. There are four kinds:
///
/// - [`Budget::new`]: each success earns a part of a token, and an extra attempt costs one. A
///   service that fails earns nothing and is soon left alone. The default.
/// - [`Budget::per_request`]: each request earns a part of a token, whatever becomes of it, as in
///   Finagle's `RetryBudget` and tower's `TpsBudget`.
/// - [`Budget::in_flight`]: extra attempts that run at one time may not exceed a share of the
///   running requests, as in Envoy's `retry_budget`.
/// - [`Budget::unlimited`].
///
/// ```
/// use tower_ballast_core::{Budget, FailureKind, clock::Nanos};
///
/// let budget = Budget::new().initial(1);
/// let mut retry = budget.withdraw(FailureKind::Transient, Nanos::ZERO).expect("it starts with 1");
/// assert!(budget.withdraw(FailureKind::Transient, Nanos::ZERO).is_none());
///
/// retry.spend(); // the attempt begins
/// drop(retry);
/// (0..10).for_each(|_| budget.success());
/// assert!(budget.withdraw(FailureKind::Transient, Nanos::ZERO).is_some());
/// ```
///
/// Setters write to the shared budget, so `budget.clone().funding(ratio)` changes it while it is
/// in use; what it holds stays. It is lock-free and counts in billionths of a token. A full
/// budget, the usual state, costs a success no write.
#[derive(Debug, Clone)]
pub struct Budget {
    state: Arc<State>,
}

impl Budget {
    /// Earned by successes: a tenth of a token each. It starts with 5 and holds at most 10.
    #[must_use]
    pub fn new() -> Self {
        Self::of(Kind::Success(Tokens::new()), Ratio::of::<1, 10>())
    }

    /// Earned by requests: `funding` of a token each. It starts with 5 and holds at most 10.
    #[must_use]
    pub fn per_request(funding: Ratio) -> Self {
        Self::of(Kind::Request(Tokens::new()), funding)
    }

    /// At one time at most `share` of the running requests may be extra attempts. Three are
    /// always allowed, as with Envoy; [`floor`](Self::floor) sets another number.
    ///
    /// ```
    /// use tower_ballast_core::{Budget, FailureKind, Ratio, clock::Nanos};
    ///
    /// let budget = Budget::in_flight(Ratio::percent::<50>()).floor(0);
    /// let running = [budget.enter(), budget.enter()];
    /// let retry = budget.withdraw(FailureKind::Timeout, Nanos::ZERO);
    /// assert!(retry.is_some(), "one of two");
    /// assert!(budget.withdraw(FailureKind::Timeout, Nanos::ZERO).is_none());
    /// # drop(running);
    /// ```
    #[must_use]
    pub fn in_flight(share: Ratio) -> Self {
        Self::of(Kind::InFlight(Slots::new()), share)
    }

    /// No bound. It still counts.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::of(Kind::Unlimited, Ratio::ONE)
    }

    fn of(kind: Kind, funding: Ratio) -> Self {
        let state = State::new(kind);
        Self { state: Arc::new(state) }.funding(funding)
    }

    /// A budget with the same settings that is shared with nobody, as full as this one was at
    /// first.
    ///
    /// ```
    /// use tower_ballast_core::{Budget, FailureKind, clock};
    ///
    /// let budget = Budget::new().initial(3);
    /// budget.withdraw(FailureKind::Transient, clock::now()).unwrap().spend();
    /// assert_eq!((budget.balance(), budget.separate().balance()), (2.0, 3.0));
    /// ```
    #[must_use]
    pub fn separate(&self) -> Self {
        Self { state: Arc::new(self.state.separate()) }
    }

    /// What a success or a request earns, or the share of the running requests; exact to a
    /// billionth.
    #[must_use]
    pub fn funding(self, funding: Ratio) -> Self {
        self.state.funding.store(tokens::share(funding), Relaxed);
        self
    }

    /// The largest share of extra attempts that it pays for in the long run, beside its burst and
    /// floor; `None` when it has no bound.
    ///
    /// ```
    /// use tower_ballast_core::{Budget, Ratio};
    ///
    /// assert_eq!(Budget::new().share(), Some(Ratio::percent::<10>()));
    /// assert_eq!(Budget::unlimited().share(), None);
    /// ```
    #[must_use]
    pub fn share(&self) -> Option<Ratio> {
        match self.state.kind {
            Kind::Unlimited => None,
            Kind::Success(_) | Kind::Request(_) | Kind::InFlight(_) => {
                let share = tokens::whole(self.state.funding.load(Relaxed));
                Ratio::try_new("funding", share).ok()
            }
        }
    }

    /// Sets what it holds to so many tokens. A number above [`most`](Self::most) raises that too.
    /// Without tokens (in flight, unlimited) this has no effect.
    #[must_use]
    pub fn initial(self, tokens: u32) -> Self {
        if let Some(held) = self.state.tokens() {
            held.set(units(tokens));
        }
        self
    }

    /// The most tokens it holds, which is also the largest burst. Default: 10. What it holds
    /// above that is lost. Without tokens (in flight, unlimited) this has no effect.
    #[must_use]
    pub fn most(self, tokens: u32) -> Self {
        if let Some(held) = self.state.tokens() {
            held.set_most(units(tokens));
        }
        self
    }

    /// What is allowed however bad things are: so many tokens a second, or for
    /// [`in_flight`](Self::in_flight) so many at one time. Default: 0, and 3 in flight.
    ///
    /// The first withdrawal finds a second's worth of it.
    ///
    /// Every client has this allowance for itself, and a fleet of them adds up to an attack; that
    /// is why it is off for tokens.
    #[must_use]
    pub fn floor(self, floor: u32) -> Self {
        match &self.state.kind {
            Kind::Success(tokens) | Kind::Request(tokens) => tokens.set_floor(floor),
            Kind::InFlight(slots) => slots.set_floor(floor),
            Kind::Unlimited => {}
        }
        self
    }

    /// What an extra attempt after a failure of this kind costs. Default: 1 for each. Timeouts,
    /// which hold the service's resources longest, may well cost more.
    #[must_use]
    pub fn cost(self, kind: FailureKind, tokens: u32) -> Self {
        self.state.costs[kind as usize].store(units(tokens), Relaxed);
        self
    }

    /// Counts a request in, until the guard is dropped. Called once per request, not per attempt.
    #[inline]
    pub fn enter(&self) -> Active {
        if let Kind::InFlight(slots) = &self.state.kind {
            slots.enter();
            return Active::counted(self.state.clone());
        }
        if let Kind::Request(tokens) = &self.state.kind {
            tokens.deposit(self.state.funding.load(Relaxed));
        }
        Active::free()
    }

    /// Counts a success.
    #[inline]
    pub fn success(&self) {
        if let Kind::Success(tokens) = &self.state.kind {
            tokens.deposit(self.state.funding.load(Relaxed));
        }
    }

    /// Asks for an extra attempt after a failure of this kind; `None` is no.
    ///
    /// The guard gives the withdrawal back when it is dropped before it was
    /// [spent](Withdrawal::spend): a wait that the caller gave up costs nothing. Only a floor of
    /// tokens looks at `now`.
    #[must_use]
    pub fn withdraw(&self, kind: FailureKind, now: Nanos) -> Option<Withdrawal> {
        let state = &self.state;
        let cost = state.costs[kind as usize].load(Relaxed);
        let granted = match &state.kind {
            Kind::Success(tokens) | Kind::Request(tokens) => {
                tokens.refill(now);
                tokens.withdraw(cost)
            }
            Kind::InFlight(slots) => slots.take(cost, state.funding.load(Relaxed)),
            Kind::Unlimited => true,
        };
        let counter = if granted { &state.withdrawals } else { &state.refusals };
        counter.fetch_add(1, Relaxed);
        granted.then(|| Withdrawal::new(state.clone(), cost))
    }

    /// Tokens held; in flight, how many more may run now; infinite when unlimited.
    #[must_use]
    pub fn balance(&self) -> f64 {
        match &self.state.kind {
            Kind::Success(held) | Kind::Request(held) => tokens::whole(held.balance()),
            Kind::InFlight(slots) => tokens::whole(slots.free(self.state.funding.load(Relaxed))),
            Kind::Unlimited => f64::INFINITY,
        }
    }

    /// How many extra attempts were granted, those given back included.
    #[must_use]
    pub fn withdrawals(&self) -> u64 {
        self.state.withdrawals.load(Relaxed)
    }

    /// How many were given back unspent.
    #[must_use]
    pub fn refunds(&self) -> u64 {
        self.state.refunds.load(Relaxed)
    }

    /// How many were refused.
    #[must_use]
    pub fn refusals(&self) -> u64 {
        self.state.refusals.load(Relaxed)
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
