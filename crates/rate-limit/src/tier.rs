//! Whose limit a request is held to, and which quota is theirs.

use std::{
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tower_ballast_core::{
    Invalid, Key,
    clock::{self},
    keys::Pace,
};

use crate::Quota;

/// Which of up to eight tiers somebody belongs to: a plan, a contract, an internal service.
///
/// ```
/// use tower_ballast_rate_limit::Tier;
///
/// const PAID: Tier = Tier::of::<1>();
/// const PARTNER: Tier = Tier::of::<2>();
///
/// let refused = Tier::try_new("plan", 9).unwrap_err();
/// assert_eq!(refused.to_string(), "plan is 9, must be a tier from 1 to 8");
/// # let _ = (PAID, PARTNER);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tier(u8);

/// How many tiers a limit may have.
const MOST: usize = 8;

impl Tier {
    /// The tier of this number, which the compiler holds to 1 to 8.
    ///
    /// ```compile_fail
    /// let none = tower_ballast_rate_limit::Tier::of::<0>();
    /// ```
    ///
    /// ```compile_fail
    /// let ninth = tower_ballast_rate_limit::Tier::of::<9>();
    /// ```
    #[must_use]
    pub const fn of<const NUMBER: u8>() -> Self {
        const { assert!(Self::is_valid(NUMBER), "a tier is a number from 1 to 8") };
        Self(NUMBER)
    }

    /// The tier of a number from a file.
    ///
    /// # Errors
    ///
    /// Names `setting` when the number is not one from 1 to 8.
    pub fn try_new(setting: &str, number: u8) -> Result<Self, Invalid> {
        if Self::is_valid(number) {
            return Ok(Self(number));
        }
        Err(Invalid::new(setting, number, "a tier from 1 to 8"))
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    const fn is_valid(number: u8) -> bool {
        1 <= number && number as usize <= MOST
    }

    /// Its number in four bits; 0 is none.
    #[inline]
    pub(crate) fn bits(tier: Option<Self>) -> u16 {
        tier.map_or(0, |tier| tier.0.into())
    }

    /// The tier in the lowest four bits.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "four bits are left")]
    pub(crate) fn from_bits(bits: u16) -> Option<Self> {
        match bits & 15 {
            0 => None,
            number => Some(Self(number as u8)),
        }
    }

    fn place(self) -> usize {
        usize::from(self.0) - 1
    }
}

/// Whose limit by key a request is held to: nobody's, a key's, or a key's in a tier.
///
/// A closure for [`per_key`](crate::PriorityRateLimitLayer::per_key) returns an `Option<Key>`, an
/// `Option<(Key, Tier)>` or an `Option<(Key, Option<Tier>)>`, which become one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whose(Option<(Key, Option<Tier>)>);

impl Whose {
    #[inline]
    pub(crate) const fn get(self) -> Option<(Key, Option<Tier>)> {
        self.0
    }
}

impl From<Option<Key>> for Whose {
    #[inline]
    fn from(key: Option<Key>) -> Self {
        Self(key.map(|key| (key, None)))
    }
}

impl From<Option<(Key, Tier)>> for Whose {
    #[inline]
    fn from(whose: Option<(Key, Tier)>) -> Self {
        Self(whose.map(|(key, tier)| (key, Some(tier))))
    }
}

impl From<Option<(Key, Option<Tier>)>> for Whose {
    #[inline]
    fn from(whose: Option<(Key, Option<Tier>)>) -> Self {
        Self(whose)
    }
}

/// The quotas of the tiers that have one of their own. Without any there is nothing but an empty place.
#[derive(Debug, Default)]
pub(crate) struct Tiers(OnceLock<Box<[Own; MOST]>>);

/// The quota of a tier, and its pace; an interval of 0 is none.
#[derive(Debug, Default)]
struct Own {
    quota: Mutex<Option<Quota>>,
    pace: PaceCell,
}

impl Tiers {
    /// The pace of a tier, if it has one of its own.
    #[inline]
    pub(crate) fn pace(&self, tier: Tier) -> Option<Pace> {
        let pace = &self.0.get()?[tier.place()].pace;
        (pace.interval.load(Relaxed) > 0).then(|| pace.get())
    }

    /// The quota of a tier, if it has one of its own.
    pub(crate) fn quota(&self, tier: Tier) -> Option<Quota> {
        self.0.get()?[tier.place()].quota()
    }

    /// Gives a tier a quota of its own, or none. The debts of one that is closed at once are counted by `usual`.
    pub(crate) fn set(&self, tier: Tier, quota: Option<Quota>, usual: Duration) {
        let own = &self.0.get_or_init(Box::default)[tier.place()];
        let mut current = own.quota.lock().unwrap_or_else(PoisonError::into_inner);
        *current = quota;
        match quota {
            Some(quota) => own.pace.set(quota, usual),
            None => own.pace.interval.store(0, Relaxed),
        }
    }

    pub(crate) fn separate(&self, usual: Duration) -> Self {
        let separate = Self::default();
        for (number, own) in (1..).zip(self.0.get().into_iter().flat_map(|all| all.iter())) {
            if let Some(quota) = own.quota() {
                separate.set(Tier(number), Some(quota), usual);
            }
        }
        separate
    }
}

impl Own {
    fn quota(&self) -> Option<Quota> {
        *self.quota.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pace of many keys, read without a lock. Who reads while it changes may see half of each for
/// that one time. While it is closed the interval stays, by which debts are counted.
#[derive(Debug, Default)]
pub(crate) struct PaceCell {
    interval: AtomicU64,
    burst: AtomicU32,
}

impl PaceCell {
    pub(crate) fn new(quota: Quota) -> Self {
        let pace = Self::default();
        pace.set(quota, Duration::from_nanos(1));
        pace
    }

    /// What is closed and has had no interval yet has this one.
    pub(crate) fn set(&self, quota: Quota, first: Duration) {
        self.burst.store(quota.burst_size(), Relaxed);
        let interval = if !quota.is_closed() {
            quota.interval()
        } else if self.interval.load(Relaxed) == 0 {
            first
        } else {
            return;
        };
        self.interval.store(clock::nanos_in(interval).max(1), Relaxed);
    }

    #[inline]
    pub(crate) fn get(&self) -> Pace {
        Pace::new(self.interval(), self.burst.load(Relaxed))
    }

    #[inline]
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_nanos(self.interval.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn quota(count: u32) -> Quota {
        Quota::try_new("quota", count, Duration::from_secs(1)).unwrap()
    }

    proptest! {
        #[test]
        fn they_are_those_of_a_plain_map(
            steps in prop::collection::vec((1..=8_u8, prop::option::of(0..9_u32)), 0..100),
        ) {
            let (tiers, mut model) = (Tiers::default(), HashMap::new());
            for (number, count) in steps {
                tiers.set(Tier(number), count.map(quota), Duration::from_secs(7));
                match count {
                    Some(count) => _ = model.insert(number, quota(count)),
                    None => _ = model.remove(&number),
                }
            }
            let separate = tiers.separate(Duration::from_secs(7));
            for number in 1..=8 {
                let (tier, expected) = (Tier(number), model.get(&number).copied());
                prop_assert_eq!(tiers.quota(tier), expected);
                prop_assert_eq!(separate.quota(tier), expected);
                let pace = tiers.pace(tier);
                prop_assert_eq!(pace.is_some(), expected.is_some());
                if let Some(open) = expected.filter(|quota| !quota.is_closed()) {
                    prop_assert_eq!(pace, Some(Pace::new(open.interval(), open.burst_size())));
                }
            }
        }
    }

    #[test]
    fn what_is_closed_at_once_counts_debts_by_the_usual_pace() {
        let (tiers, usual) = (Tiers::default(), Duration::from_secs(7));
        tiers.set(Tier::of::<1>(), Some(Quota::CLOSED), usual);
        assert_eq!(tiers.pace(Tier::of::<1>()), Some(Pace::new(usual, 0)));
        assert_eq!(tiers.pace(Tier::of::<2>()), None);
    }
}
