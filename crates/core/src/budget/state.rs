use super::{
    slots::Slots,
    tokens::{Tokens, units},
};
use crate::{
    FailureKind,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// What all clones of a budget share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) kind: Kind,
    /// Units earned by each success or request, or the share of those running.
    pub(super) funding: AtomicU64,
    pub(super) costs: [AtomicU64; FailureKind::ALL.len()],
    pub(super) withdrawals: AtomicU64,
    pub(super) refusals: AtomicU64,
    pub(super) refunds: AtomicU64,
}

#[derive(Debug)]
pub(super) enum Kind {
    Success(Tokens),
    Request(Tokens),
    InFlight(Slots),
    Unlimited,
}

impl State {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            funding: AtomicU64::new(0),
            costs: std::array::from_fn(|_| AtomicU64::new(units(1))),
            withdrawals: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            refunds: AtomicU64::new(0),
        }
    }

    /// The same settings, as at the beginning.
    pub(super) fn separate(&self) -> Self {
        let state = Self::new(match &self.kind {
            Kind::Success(tokens) => Kind::Success(tokens.separate()),
            Kind::Request(tokens) => Kind::Request(tokens.separate()),
            Kind::InFlight(slots) => Kind::InFlight(slots.separate()),
            Kind::Unlimited => Kind::Unlimited,
        });
        state.funding.store(self.funding.load(Relaxed), Relaxed);
        for (new, cost) in state.costs.iter().zip(&self.costs) {
            new.store(cost.load(Relaxed), Relaxed);
        }
        state
    }

    pub(super) fn tokens(&self) -> Option<&Tokens> {
        match &self.kind {
            Kind::Success(tokens) | Kind::Request(tokens) => Some(tokens),
            Kind::InFlight(_) | Kind::Unlimited => None,
        }
    }

    pub(super) fn leave(&self) {
        if let Kind::InFlight(slots) = &self.kind {
            slots.leave();
        }
    }

    /// Ends a withdrawal: unspent tokens come back, and a slot does so in any case.
    pub(super) fn settle(&self, cost: u64, spent: bool) {
        match &self.kind {
            Kind::Success(tokens) | Kind::Request(tokens) if !spent => tokens.deposit(cost),
            Kind::InFlight(slots) => slots.give_back(cost),
            Kind::Success(_) | Kind::Request(_) | Kind::Unlimited => {}
        }
        if !spent {
            self.refunds.fetch_add(1, Relaxed);
        }
    }
}
