use std::{fmt, sync::Arc};

use tower_ballast_core::{
    Standing, Standings,
    clock::{self, Nanos},
};

use crate::{claim::Claim, handle::PriorityRateLimitHandle, levels::Keys, shared::Shared};

/// Tells what is left of each limit of a layer: of those by key, for the keys that its own closures give a request,
/// and of the one that all share. Made by
/// [`PriorityRateLimitLayer::standings`](crate::PriorityRateLimitLayer::standings).
#[derive(Clone)]
pub struct RateLimitStandings<L = ()> {
    shared: Arc<Shared>,
    keys: L,
}

impl<L> RateLimitStandings<L> {
    pub(crate) const fn new(shared: Arc<Shared>, keys: L) -> Self {
        Self { shared, keys }
    }
}

impl<R, L: Keys<R>> Standings<R> for RateLimitStandings<L> {
    type Kept = Claim;

    fn keep(&self, request: &R) -> Claim {
        let mut whose = Claim::new(Nanos::ZERO, 0);
        self.keys.fill(request, &mut whose);
        whose
    }

    /// A guaranteed share is no limit, and not told.
    fn each(&self, whose: &Claim, tell: &mut dyn FnMut(&Standing<'_>)) {
        let now = clock::now();
        for (level, limit) in self.shared.levels.ceilings() {
            if let Some((key, tier)) = whose.whose(level) {
                tell(&limit.standing(key, tier, now));
            }
        }
        self.shared.tell_common(tell);
    }
}

/// What is left of the limit that all share. For those by key ask
/// [`PriorityRateLimitLayer::standings`](crate::PriorityRateLimitLayer::standings).
impl<R> Standings<R> for PriorityRateLimitHandle {
    type Kept = ();

    fn keep(&self, _: &R) {}

    fn each(&self, (): &(), tell: &mut dyn FnMut(&Standing<'_>)) {
        self.shared().tell_common(tell);
    }
}

impl Shared {
    fn tell_common(&self, tell: &mut dyn FnMut(&Standing<'_>)) {
        let (now, quota, name) = (clock::now(), self.adjusting.quota(), self.reporter.name());
        let left = self.door.gate.standing(now);
        let standing = Standing::new(&name, quota.count().into(), quota.period())
            .remaining(left.remaining.into())
            .reset(self.door.gate.more_at(now, left).since(now));
        tell(&standing);
    }
}

impl<L> fmt::Debug for RateLimitStandings<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitStandings").field("shared", &self.shared).finish_non_exhaustive()
    }
}
