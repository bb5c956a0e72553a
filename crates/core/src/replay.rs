//! Sending a request more than once.

/// How a request is kept so that it can be sent again.
///
/// The request is kept only when another attempt is possible, and nothing is asked of responses
/// or errors. [`ByClone`] serves every request that is `Clone`; HTTP bodies have their own in
/// `tower-ballast-http`.
pub trait Replay<Req> {
    /// What the inner service receives.
    type Sent;
    /// What is kept for the next attempt.
    type Spare;

    /// The first attempt. `keep` says whether another may follow.
    fn first(&self, request: Req, keep: bool) -> (Self::Sent, Option<Self::Spare>);

    /// The next attempt, or `None` when what was kept cannot be sent again.
    fn again(&self, spare: Self::Spare, keep: bool) -> Option<(Self::Sent, Option<Self::Spare>)>;
}

/// Keeps a clone; the last attempt gets it without another.
///
/// ```
/// use tower_ballast_core::{ByClone, Replay};
///
/// let (sent, spare) = ByClone.first("request", true);
/// let (again, none) = ByClone.again(spare.unwrap(), false).unwrap();
/// assert_eq!((sent, again, none), ("request", "request", None));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByClone;

impl<Req: Clone> Replay<Req> for ByClone {
    type Sent = Req;
    type Spare = Req;

    fn first(&self, request: Req, keep: bool) -> (Req, Option<Req>) {
        let spare = keep.then(|| request.clone());
        (request, spare)
    }

    fn again(&self, spare: Req, keep: bool) -> Option<(Req, Option<Req>)> {
        Some(self.first(spare, keep))
    }
}
