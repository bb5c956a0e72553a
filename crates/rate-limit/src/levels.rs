//! The limits by key that stand before the common one, and the shares of it that keys are guaranteed.

use std::sync::OnceLock;

use tower_ballast_core::clock::Nanos;

use crate::{claim::Claim, key_limit::KeyLimit, tier::Whose};

/// The most limits by key of one layer.
pub(crate) const MOST: usize = 4;

/// Limits that are taken together or not at all.
#[derive(Debug, Default)]
pub(crate) struct Levels([OnceLock<KeyLimit>; MOST]);

impl Levels {
    /// Adds a limit, and says as which.
    ///
    /// # Panics
    ///
    /// If there is no room: a limit that is lost and not missed is the worst of all.
    pub(crate) fn add(&self, mut limit: KeyLimit) -> usize {
        for (number, level) in self.0.iter().enumerate() {
            match level.set(limit) {
                Ok(()) => return number,
                Err(again) => limit = again,
            }
        }
        panic!(
            "a layer and its clones have at most {MOST} limits by key; `{}` is one too many",
            limit.name
        );
    }

    pub(crate) fn separate(&self) -> Self {
        let separate = Self::default();
        for (level, limit) in separate.0.iter().zip(self.iter()) {
            let _ = level.set(limit.separate());
        }
        separate
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &KeyLimit> {
        self.0.iter().map_while(OnceLock::get)
    }

    /// Those that refuse, with their numbers.
    pub(crate) fn ceilings(&self) -> impl Iterator<Item = (usize, &KeyLimit)> {
        self.iter().enumerate().filter(|(_, limit)| !limit.is_share)
    }

    pub(crate) fn get(&self, level: usize) -> Option<&KeyLimit> {
        self.0.get(level)?.get()
    }

    /// Takes of all, or of none and says when it would be there. Of a guaranteed share that is used up nothing is taken.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "where there are no keys the compiler sees it")]
    pub(crate) fn take(&self, claim: &mut Claim) -> Result<(), Nanos> {
        if claim.is_nobodys() {
            return Ok(());
        }
        self.take_each(claim)
    }

    fn take_each(&self, claim: &mut Claim) -> Result<(), Nanos> {
        let (now, cost) = (claim.taken, claim.cost);
        for (level, limit) in self.iter().enumerate() {
            if let Some((key, tier)) = claim.whose(level)
                && let Err(moment) = limit.take(key, tier, now, cost)
            {
                if !limit.is_share {
                    self.give_back_first(level, claim);
                    return Err(moment);
                }
                claim.leave(level);
            }
        }
        Ok(())
    }

    pub(crate) fn give_back(&self, claim: &Claim) {
        self.give_back_first(MOST, claim);
    }

    /// Takes of all whether it is there or not.
    pub(crate) fn charge(&self, claim: &Claim, now: Nanos) {
        for (level, limit) in self.iter().enumerate() {
            if let Some((key, tier)) = claim.whose(level) {
                limit.charge(key, tier, now, claim.cost);
            }
        }
    }

    /// Whether there are guaranteed shares at all.
    pub(crate) fn has_shares(&self) -> bool {
        self.iter().any(|limit| limit.is_share)
    }

    /// Whether what was taken is within a share that is guaranteed.
    pub(crate) fn is_within_share(&self, claim: &Claim) -> bool {
        let mut levels = self.iter().enumerate();
        levels.any(|(level, limit)| limit.is_share && claim.whose(level).is_some())
    }

    fn give_back_first(&self, levels: usize, claim: &Claim) {
        for (level, limit) in self.iter().enumerate().take(levels) {
            if let Some((key, tier)) = claim.whose(level) {
                limit.give_back(key, tier, claim.cost);
            }
        }
    }
}

/// Reads the keys of a request. Made by
/// [`PriorityRateLimitLayer::per_key`](crate::PriorityRateLimitLayer::per_key).
pub trait Keys<R> {
    #[doc(hidden)]
    fn fill(&self, request: &R, claim: &mut Claim);
}

/// No limits by key.
impl<R> Keys<R> for () {
    #[inline]
    fn fill(&self, _: &R, _: &mut Claim) {}
}

/// One more limit by key.
#[derive(Clone)]
pub struct PerKey<L, K> {
    pub(crate) others: L,
    pub(crate) key: K,
    pub(crate) level: usize,
}

impl<R, L, K, W> Keys<R> for PerKey<L, K>
where
    L: Keys<R>,
    K: Fn(&R) -> W,
    W: Into<Whose>,
{
    #[inline]
    fn fill(&self, request: &R, claim: &mut Claim) {
        self.others.fill(request, claim);
        claim.set(self.level, (self.key)(request).into());
    }
}

impl<L: std::fmt::Debug, K> std::fmt::Debug for PerKey<L, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PerKey").field("others", &self.others).finish_non_exhaustive()
    }
}
