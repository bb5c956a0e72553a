use std::sync::Arc;

use super::state::State;

/// A granted extra attempt. Dropped before it is spent, it is given back.
///
/// Keep it through the wait, [`spend`](Self::spend) it when the attempt begins, and drop it when
/// the attempt has ended: an [in-flight](super::Budget::in_flight) budget counts it until then.
#[derive(Debug)]
#[must_use = "dropped at once, it is given back at once"]
pub struct Withdrawal {
    state: Arc<State>,
    cost: u64,
    spent: bool,
}

impl Withdrawal {
    pub(super) fn new(state: Arc<State>, cost: u64) -> Self {
        Self { state, cost, spent: false }
    }

    /// The extra attempt begins: from here on it has cost what it costs.
    pub fn spend(&mut self) {
        self.spent = true;
    }

    /// Whether the extra attempt has begun.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.spent
    }
}

impl Drop for Withdrawal {
    fn drop(&mut self) {
        self.state.settle(self.cost, self.spent);
    }
}

/// A running request, counted until it is dropped. Empty unless the budget goes by requests in
/// flight.
#[derive(Debug)]
#[must_use = "the request counts as running while this is kept"]
pub struct Active {
    state: Option<Arc<State>>,
}

impl Active {
    pub(super) fn free() -> Self {
        Self { state: None }
    }

    pub(super) fn counted(state: Arc<State>) -> Self {
        Self { state: Some(state) }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if let Some(state) = &self.state {
            state.leave();
        }
    }
}
