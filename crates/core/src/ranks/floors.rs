//! What lower classes get in any case.

use super::class::Class;
use crate::{Invalid, Priority, Ratio};

/// The share of all turns that a class gets in any case while somebody of it waits.
///
/// [`Priority::High`] goes first and needs none. Default: 10 % for [`Medium`](Priority::Medium), 4 % for
/// [`Low`](Priority::Low), 1 % for [`Batch`](Priority::Batch). They come to half of all turns at the most, or
/// they would starve whoever goes first.
///
/// # How long a class waits
///
/// With a floor of a share f and requests that all cost the same, a class of which somebody waits
/// lets others have at most ceil(1/f) + 2 turns before its own: it earns f of a turn with each, and
/// when it has earned one, each of the two other classes with floors can have earned one before.
/// By default these are 12, 27 and 102 turns.
///
/// That holds in a full queue as well. Where a class finds no place, or loses it to a higher one, it goes on to earn
/// its share, up to one turn; and when it has earned the turn, the next of it to come has a place
/// until it has had the turn.
///
/// With different costs it is the cost that counts, and not the number: what costs c waits until others have
/// had c/f, and at the most 3.5 times what the dearest request costs. (The turn by which it has earned its own
/// goes on to its end, 1; and of the credits of the two other classes there are at most two when neither has
/// earned a turn, and half of one more comes with the turn after that.) So a request that costs a hundred times
/// what others do waits for a hundred times as many turns.
///
/// ```
/// use tower_ballast_core::{Priority, Ratio, ranks::Floors};
///
/// const FLOORS: Floors = Floors::none().medium(Ratio::percent::<10>()).low(Ratio::percent::<2>());
/// assert_eq!(FLOORS.of(Priority::Low), Ratio::percent::<2>());
/// assert_eq!(FLOORS.longest_wait(Priority::Low), Some(52));
/// assert_eq!(FLOORS.longest_wait(Priority::High), None);
/// // A low one that costs 100 among others that cost 10, as the dearest of all: 5000 + 350.
/// assert_eq!(FLOORS.longest_wait_of(Priority::Low, 100, 100), Some(5350));
/// ```
///
/// More than half of all turns is not built, and in a constant does not compile:
///
/// ```compile_fail
/// use tower_ballast_core::{Ratio, ranks::Floors};
///
/// const GREEDY: Floors = Floors::none().low(Ratio::percent::<30>()).batch(Ratio::percent::<30>());
/// # let _ = GREEDY;
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Floors {
    /// By the index of the class.
    shares: [Ratio; 4],
}

impl Default for Floors {
    fn default() -> Self {
        Self::none()
            .medium(Ratio::percent::<10>())
            .low(Ratio::percent::<4>())
            .batch(Ratio::percent::<1>())
    }
}

impl Floors {
    /// No floors: a class is served when nobody of a higher one waits, and may starve.
    #[must_use]
    pub const fn none() -> Self {
        Self { shares: [Ratio::ZERO; 4] }
    }

    /// Floors from numbers, of medium, low and batch.
    ///
    /// ```
    /// use tower_ballast_core::{Priority, Ratio, ranks::Floors};
    ///
    /// let share = Ratio::percent::<10>();
    /// assert_eq!(Floors::try_new("floors", share, share, share).unwrap().of(Priority::Low), share);
    ///
    /// let error = Floors::try_new("floors", share, Ratio::percent::<60>(), share).unwrap_err();
    /// assert_eq!(error.to_string(), "floors is 80 %, must be 50 % or less in all");
    /// ```
    ///
    /// # Errors
    ///
    /// Names `setting` when they come to more than half of all turns.
    pub fn try_new(
        setting: &str,
        medium: Ratio,
        low: Ratio,
        batch: Ratio,
    ) -> Result<Self, Invalid> {
        let floors = Self { shares: [Ratio::ZERO, medium, low, batch] };
        if floors.sum() <= MOST {
            return Ok(floors);
        }
        let percent = format!("{} %", (floors.sum() * 1e8).round() / 1e6);
        Err(Invalid::new(setting, percent, "50 % or less in all"))
    }

    /// The share of [`Priority::Medium`].
    ///
    /// # Panics
    ///
    /// If all come to more than half of all turns, as for the other classes; see [`try_new`](Self::try_new) for
    /// numbers that are not your own.
    #[must_use]
    pub const fn medium(self, share: Ratio) -> Self {
        self.with(Priority::Medium, share)
    }

    /// The share of [`Priority::Low`].
    ///
    /// # Panics
    ///
    /// If all come to more than half of all turns.
    #[must_use]
    pub const fn low(self, share: Ratio) -> Self {
        self.with(Priority::Low, share)
    }

    /// The share of [`Priority::Batch`].
    ///
    /// # Panics
    ///
    /// If all come to more than half of all turns.
    #[must_use]
    pub const fn batch(self, share: Ratio) -> Self {
        self.with(Priority::Batch, share)
    }

    /// The share of a class.
    #[must_use]
    pub const fn of(&self, class: Priority) -> Ratio {
        self.shares[class.index()]
    }

    /// How many turns others can have while somebody of this class waits, if all requests cost
    /// the same; `None` without a floor.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    pub fn longest_wait(&self, class: Priority) -> Option<u64> {
        let share = self.of(class).get();
        (share > 0.0).then(|| ((1.0 / share - 1e-9).ceil() as u64).saturating_add(2))
    }

    /// What the turns of others can cost in all while somebody of this class waits, of which a request
    /// costs `cost` at the most, and `dearest` any that waits; `None` without a floor.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    pub fn longest_wait_of(&self, class: Priority, cost: u32, dearest: u32) -> Option<u64> {
        let (share, cost, dearest) = (self.of(class).get(), f64::from(cost), f64::from(dearest));
        (share > 0.0).then(|| (cost / share + 3.5 * dearest - 1e-9).ceil() as u64)
    }

    const fn with(mut self, class: Priority, share: Ratio) -> Self {
        self.shares[class.index()] = share;
        assert!(self.sum() <= MOST, "floors come to 50 % of all turns at the most");
        self
    }

    const fn sum(self) -> f64 {
        let [_, medium, low, batch] = self.shares;
        medium.get() + low.get() + batch.get()
    }
}

/// With as much for the lower classes the highest still has its half. A little more, for what is lost in
/// adding up.
const MOST: f64 = 0.5 + 1e-9;

/// What the classes have earned by their floors, in units of cost.
#[derive(Debug)]
pub(super) struct Credits {
    pub(super) floors: Floors,
    earned: [f64; 4],
    /// What a class asked for that found no place: it goes on to earn this, with nobody waiting.
    wanted: [Option<u32>; 4],
}

/// What is lost in adding up shares must not cost a turn.
const ROUNDING: f64 = 1e-6;

impl Credits {
    pub(super) const fn new(floors: Floors) -> Self {
        Self { floors, earned: [0.0; 4], wanted: [None; 4] }
    }

    /// One of a class found no place, or lost it.
    pub(super) fn want(&mut self, class: usize, cost: u32) {
        self.wanted[class] = self.wanted[class].max(Some(cost));
    }

    /// Whether a class has earned a turn at this cost.
    pub(super) fn has_earned(&self, class: usize, cost: u32) -> bool {
        self.floors.shares[class].get() > 0.0 && self.beyond(class, cost) >= 0.0
    }

    fn beyond(&self, class: usize, cost: u32) -> f64 {
        self.earned[class] - f64::from(cost) + ROUNDING
    }

    /// The class that has earned its next request, whose cost is given; of several the one that
    /// had earned it first.
    pub(super) fn earned(&self, costs: [Option<u32>; 4]) -> Option<usize> {
        let mut first = (None, f64::NEG_INFINITY);
        for (class, cost) in costs.into_iter().enumerate() {
            let (share, Some(cost)) = (self.floors.shares[class].get(), cost) else { continue };
            let beyond = self.beyond(class, cost);
            // So long ago, measured in turns.
            let ago = beyond / share;
            if beyond >= 0.0 && share > 0.0 && ago > first.1 {
                first = (Some(class), ago);
            }
        }
        first.0
    }

    /// A class had a turn: all that wait earn their share of it, and those that would if they had a
    /// place.
    pub(super) fn turn(&mut self, served: usize, cost: u32, classes: &[Class; 4]) {
        let cost = f64::from(cost);
        for (class, earned) in self.earned.iter_mut().enumerate() {
            let share = self.floors.shares[class].get() * cost;
            match self.wanted[class] {
                _ if classes[class].len > 0 => *earned += share,
                Some(wanted) => *earned = (*earned + share).min(f64::from(wanted)),
                None => {}
            }
        }
        self.earned[served] = (self.earned[served] - cost).max(0.0);
        self.wanted[served] = None;
    }

    /// Nobody of a class waits any more. What it has earned is lost, unless it could not get a place.
    pub(super) fn emptied(&mut self, class: usize) {
        let kept = self.wanted[class].map_or(0.0, f64::from);
        self.earned[class] = self.earned[class].min(kept);
    }
}
