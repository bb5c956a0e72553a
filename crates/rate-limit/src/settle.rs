//! What a request has cost after all.

/// What becomes of what a request took from the limit, now that its outcome is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Settlement {
    /// It stays taken.
    Keep,
    /// It has cost so much: the difference is taken or given back. What is not there is owed.
    Cost(u32),
    /// All of it is given back, for a request that turned out to be free.
    Refund,
    /// All that is left of the limit goes, for a service that asks for a pause.
    Drain,
}

/// Says what a request has cost, by its outcome.
///
/// A closure `Fn(Result<&Res, &E>) -> Settlement` is the common form. `()` keeps what was taken.
pub trait Settle<Res, E> {
    /// Whether it settles at all; if not, nothing is kept for it.
    fn settles(&self) -> bool {
        true
    }

    /// Says what a request that took `cost` has cost.
    fn settle(&self, cost: u32, outcome: Result<&Res, &E>) -> Settlement;
}

impl<Res, E> Settle<Res, E> for () {
    fn settles(&self) -> bool {
        false
    }

    fn settle(&self, _: u32, _: Result<&Res, &E>) -> Settlement {
        Settlement::Keep
    }
}

impl<F, Res, E> Settle<Res, E> for F
where
    F: Fn(Result<&Res, &E>) -> Settlement,
{
    fn settle(&self, _: u32, outcome: Result<&Res, &E>) -> Settlement {
        self(outcome)
    }
}
