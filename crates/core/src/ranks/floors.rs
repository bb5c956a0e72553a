//! What lower classes get in any case.

use super::class::Class;
use crate::{Invalid, Priority, Ratio};

/// The share of all turns that a class gets in any case while somebody of it waits.
///
/// [`Priority::High`] goes first and needs none. Default: 10 % for [`Medium`](Priority::Medium), 4 % for
/// [`Low`](Priority::Low), 1 % for [`Batch`](Priority::Batch).
///
/// With a floor of a share f and requests that all cost the same, a class of which somebody waits
/// lets others have at most ceil(1/f) + 2 turns before its own: it earns f of a turn with each, and
/// when it has earned one, each of the two other classes with floors can have earned one before.
/// By default these are 12, 27 and 102 turns.
///
/// ```
/// use tower_ballast_core::{Priority, Ratio, ranks::Floors};
///
/// let floors = Floors::default().low(Ratio::percent::<2>());
/// assert_eq!(floors.of(Priority::Low), Ratio::percent::<2>());
/// assert_eq!(floors.longest_wait(Priority::Low), Some(52));
/// assert_eq!(floors.longest_wait(Priority::High), None);
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

    /// The share of [`Priority::Medium`].
    #[must_use]
    pub const fn medium(self, share: Ratio) -> Self {
        self.with(Priority::Medium, share)
    }

    /// The share of [`Priority::Low`].
    #[must_use]
    pub const fn low(self, share: Ratio) -> Self {
        self.with(Priority::Low, share)
    }

    /// The share of [`Priority::Batch`].
    #[must_use]
    pub const fn batch(self, share: Ratio) -> Self {
        self.with(Priority::Batch, share)
    }

    /// The same floors, if they leave something to who goes first.
    ///
    /// # Errors
    ///
    /// When they come to more than half of all turns; `setting` names them in the error.
    ///
    /// ```
    /// use tower_ballast_core::{Ratio, ranks::Floors};
    ///
    /// let greedy = Floors::default().low(Ratio::percent::<60>());
    /// let error = greedy.try_checked("floors").unwrap_err();
    /// assert_eq!(error.to_string(), "floors is 71 %, must be 50 % or less in all");
    /// ```
    pub fn try_checked(self, setting: &str) -> Result<Self, Invalid> {
        let sum: f64 = self.shares.iter().map(|share| share.get()).sum();
        if sum <= 0.5 {
            return Ok(self);
        }
        let percent = format!("{} %", (sum * 1e8).round() / 1e6);
        Err(Invalid::new(setting, percent, "50 % or less in all"))
    }

    /// The share of a class.
    #[must_use]
    pub const fn of(&self, class: Priority) -> Ratio {
        self.shares[class.index()]
    }

    /// How many turns others can have while somebody of this class waits, if all requests cost
    /// the same and the floors come to half of all turns at the most; `None` without a floor.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    pub fn longest_wait(&self, class: Priority) -> Option<u64> {
        let share = self.of(class).get();
        (share > 0.0).then(|| ((1.0 / share - 1e-9).ceil() as u64).saturating_add(2))
    }

    const fn with(mut self, class: Priority, share: Ratio) -> Self {
        self.shares[class.index()] = share;
        self
    }
}

/// What the classes have earned by their floors, in units of cost.
#[derive(Debug)]
pub(super) struct Credits {
    pub(super) floors: Floors,
    earned: [f64; 4],
}

/// What is lost in adding up shares must not cost a turn.
const ROUNDING: f64 = 1e-6;

impl Credits {
    pub(super) const fn new(floors: Floors) -> Self {
        Self { floors, earned: [0.0; 4] }
    }

    /// The class that has earned its next request, whose cost is given; of several the one that
    /// had earned it first.
    pub(super) fn earned(&self, costs: [Option<u32>; 4]) -> Option<usize> {
        let mut first = (None, f64::NEG_INFINITY);
        for (class, cost) in costs.into_iter().enumerate() {
            let (share, Some(cost)) = (self.floors.shares[class].get(), cost) else { continue };
            let beyond = self.earned[class] - f64::from(cost) + ROUNDING;
            // So long ago, measured in turns.
            let ago = beyond / share;
            if beyond >= 0.0 && share > 0.0 && ago > first.1 {
                first = (Some(class), ago);
            }
        }
        first.0
    }

    /// A class had a turn: all that wait earn their share of it.
    pub(super) fn turn(&mut self, served: usize, cost: u32, classes: &[Class; 4]) {
        let cost = f64::from(cost);
        for (class, earned) in self.earned.iter_mut().enumerate() {
            if classes[class].len > 0 {
                *earned += self.floors.shares[class].get() * cost;
            }
        }
        self.earned[served] = (self.earned[served] - cost).max(0.0);
    }

    /// Nobody of a class waits any more.
    pub(super) const fn forfeit(&mut self, class: usize) {
        self.earned[class] = 0.0;
    }
}
