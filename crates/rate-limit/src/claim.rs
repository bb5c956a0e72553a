//! What a request takes.

use tower_ballast_core::{Key, clock::Nanos};

use crate::{
    gate::Later,
    levels::MOST,
    tier::{Tier, Whose},
};

/// How much a request takes, when, and of whose limits. Public as far as the reading of keys passes it on.
#[derive(Debug, Clone, Copy)]
#[doc(hidden)]
pub struct Claim {
    pub(crate) taken: Nanos,
    pub(crate) cost: u32,
    /// For each limit by key four bits: the number of the tier, or none.
    tiers: u16,
    /// It has passed ahead of the common limit, and is metered there.
    pub(crate) ahead: bool,
    keys: [Option<Key>; MOST],
}

impl Claim {
    /// So much, of nobody's own limits.
    #[inline]
    pub(crate) const fn new(taken: Nanos, cost: u32) -> Self {
        Self { taken, cost, tiers: 0, ahead: false, keys: [None; MOST] }
    }

    /// The same of everybody's limits, but so much.
    pub(crate) const fn costs(self, cost: u32) -> Self {
        Self { cost, ..self }
    }

    /// The same, taken at another moment.
    pub(crate) const fn taken_at(self, taken: Nanos) -> Self {
        Self { taken, ..self }
    }

    /// Whether it takes of no limit by key.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "where there are no keys the compiler sees it")]
    pub(crate) fn is_nobodys(&self) -> bool {
        self.keys.iter().all(Option::is_none)
    }

    /// Whose limit it takes of, at one level.
    #[inline]
    pub(crate) fn whose(&self, level: usize) -> Option<(Key, Option<Tier>)> {
        let key = (*self.keys.get(level)?)?;
        Some((key, Tier::from_bits(self.tiers >> (level * 4))))
    }

    #[inline]
    pub(crate) fn set(&mut self, level: usize, whose: Whose) {
        if let (Some(place), Some((key, tier))) = (self.keys.get_mut(level), whose.get()) {
            *place = Some(key);
            self.tiers |= Tier::bits(tier) << (level * 4);
        }
    }

    /// Takes nothing of that level.
    #[inline]
    pub(crate) fn leave(&mut self, level: usize) {
        if let Some(place) = self.keys.get_mut(level) {
            *place = None;
        }
    }
}

/// Why it could not be taken.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refused {
    /// A limit of the request's own key is reached until then.
    Key(Nanos),
    /// The common limit is, and nobody waits for it. What was asked for by key is taken.
    Gate(Later),
    /// Others wait for the common limit. What was asked for by key is taken.
    Others,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_find_room_in_it() {
        let claim = Claim::new(Nanos::ZERO, 1);
        let keys = size_of_val(&claim.keys);
        assert!(size_of_val(&claim) <= keys + 16, "{} bytes", size_of_val(&claim));
    }

    #[test]
    fn each_level_has_its_key_and_tier() {
        let (mut claim, key) = (Claim::new(Nanos::ZERO, 1), Key::of("a"));
        claim.set(0, Whose::from(Some((key, Tier::of::<8>()))));
        claim.set(2, Whose::from(Some(key)));
        claim.set(3, Whose::from(Some((key, Tier::of::<3>()))));
        let expected = [Some(Some(8)), None, Some(None), Some(Some(3)), None];
        for (level, expected) in expected.into_iter().enumerate() {
            let whose = claim.whose(level).map(|(_, tier)| tier.map(Tier::get));
            assert_eq!(whose, expected, "level {level}");
        }
        claim.leave(0);
        assert!(claim.whose(0).is_none());
    }
}
