//! Values that cannot be absurd.
//!
//! A setting that could be nonsense is a type of its own here. Literals are checked by the
//! compiler; numbers that come from a file or a person go through `try_new`, which says what is
//! wrong with them.

use std::{fmt, num::NonZeroU32};

/// A setting whose value lies outside its range.
///
/// ```
/// use tower_ballast_core::Ratio;
///
/// let refused = Ratio::try_new("failure_rate", 1.5).unwrap_err();
/// assert_eq!(refused.to_string(), "failure_rate is 1.5, must be a number from 0 to 1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is {value}, must be {range}")]
pub struct Invalid {
    setting: String,
    value: String,
    range: &'static str,
}

impl Invalid {
    /// Says which setting has which value, and what it must be ("a number from 0 to 1").
    #[must_use]
    pub fn new(setting: impl Into<String>, value: impl fmt::Display, range: &'static str) -> Self {
        Self { setting: setting.into(), value: value.to_string(), range }
    }

    /// The setting's name.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// The refused value, as text.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What the value must be.
    #[must_use]
    pub const fn range(&self) -> &'static str {
        self.range
    }
}

/// A share of a whole, from 0 to 1.
///
/// ```
/// use tower_ballast_core::Ratio;
///
/// const HALF: Ratio = Ratio::percent::<50>();
/// assert_eq!(HALF.get(), 0.5);
/// assert_eq!(Ratio::of::<1, 1000>().get(), 0.001);
/// assert!(Ratio::try_new("share", f64::NAN).is_err());
/// ```
///
/// A literal above the whole does not compile:
///
/// ```compile_fail
/// let more_than_all = tower_ballast_core::Ratio::percent::<101>();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Ratio(f64);

impl Ratio {
    /// Nothing.
    pub const ZERO: Self = Self(0.0);
    /// The whole.
    pub const ONE: Self = Self(1.0);

    /// A literal share in percent, checked by the compiler.
    #[must_use]
    pub const fn percent<const PERCENT: u32>() -> Self {
        Self::of::<PERCENT, 100>()
    }

    /// A literal share as a fraction, checked by the compiler.
    #[must_use]
    pub const fn of<const PART: u32, const WHOLE: u32>() -> Self {
        const { assert!(WHOLE > 0 && PART <= WHOLE, "a ratio is at most the whole") };
        Self(PART as f64 / WHOLE as f64)
    }

    /// A share from a number.
    ///
    /// # Errors
    ///
    /// Names `setting` when `share` is not a number from 0 to 1.
    pub fn try_new(setting: &str, share: f64) -> Result<Self, Invalid> {
        if (0.0..=1.0).contains(&share) {
            Ok(Self(share))
        } else {
            Err(Invalid::new(setting, share, "a number from 0 to 1"))
        }
    }

    /// The share as a number from 0 to 1.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Six decimals are finer than any share one would write, and hide 0.1 + 0.2.
        write!(f, "{} %", (self.0 * 1e8).round() / 1e6)
    }
}

/// A factor of growth: finite and at least 1.
///
/// ```
/// use tower_ballast_core::Multiplier;
///
/// assert_eq!(Multiplier::of::<3, 2>().get(), 1.5);
/// assert!(Multiplier::try_new("multiplier", 0.5).is_err());
/// assert!(Multiplier::try_new("multiplier", f64::INFINITY).is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Multiplier(f64);

impl Multiplier {
    /// Growth by doubling.
    pub const TWO: Self = Self(2.0);

    /// A literal factor as a fraction, checked by the compiler.
    #[must_use]
    pub const fn of<const PART: u32, const WHOLE: u32>() -> Self {
        const { assert!(WHOLE > 0 && PART >= WHOLE, "a multiplier is at least 1") };
        Self(PART as f64 / WHOLE as f64)
    }

    /// A factor from a number.
    ///
    /// # Errors
    ///
    /// Names `setting` when `factor` is not a finite number of at least 1.
    pub fn try_new(setting: &str, factor: f64) -> Result<Self, Invalid> {
        if factor.is_finite() && factor >= 1.0 {
            Ok(Self(factor))
        } else {
            Err(Invalid::new(setting, factor, "a finite number of at least 1"))
        }
    }

    /// The factor as a number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// A literal count of at least one, checked by the compiler.
///
/// ```
/// use tower_ballast_core::count;
///
/// assert_eq!(count::<3>().get(), 3);
/// ```
///
/// ```compile_fail
/// let none = tower_ballast_core::count::<0>();
/// ```
#[must_use]
pub const fn count<const COUNT: u32>() -> NonZeroU32 {
    const { NonZeroU32::new(COUNT).expect("a count is at least one") }
}
