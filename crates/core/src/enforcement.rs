//! Whether a layer's refusals are carried out.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Random, Ratio};

/// Whether a layer's refusals are carried out.
///
/// A new protection is best tried on live traffic before it may refuse anything: start with
/// `Shadow`, look at its events, go on with some `Percent`, end with `On`. Handles change it
/// while running.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Enforcement {
    /// The layer does nothing and learns nothing.
    Off,
    /// It decides and reports, but refuses nothing.
    Shadow,
    /// It carries out this share of its refusals, drawn by chance, and reports them all.
    Percent(Ratio),
    /// It does what it decides.
    #[default]
    On,
}

/// An [`Enforcement`] that can be changed while it is read.
///
/// ```
/// use tower_ballast_core::{Enforcement, EnforcementCell, Random};
///
/// let cell = EnforcementCell::new(Enforcement::Shadow);
/// assert!(!cell.carries_out(&Random::new()));
/// cell.set(Enforcement::On);
/// assert!(cell.carries_out(&Random::new()));
/// ```
#[derive(Debug, Default)]
pub struct EnforcementCell(AtomicU32);

const ON: u32 = 0;
const OFF: u32 = 1;
const SHADOW: u32 = 2;
/// Shares are kept in millionths above this.
const SHARE: u32 = 16;
const MILLION: f64 = 1e6;

impl EnforcementCell {
    /// A cell that holds `enforcement`.
    #[must_use]
    pub fn new(enforcement: Enforcement) -> Self {
        let cell = Self::default();
        cell.set(enforcement);
        cell
    }

    /// Changes it; calls that are running keep what was decided for them.
    pub fn set(&self, enforcement: Enforcement) {
        self.0.store(encode(enforcement), Ordering::Relaxed);
    }

    /// What it holds.
    #[must_use]
    pub fn get(&self) -> Enforcement {
        decode(self.0.load(Ordering::Relaxed))
    }

    /// Whether every refusal is carried out.
    #[inline]
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed) == ON
    }

    /// Whether the layer does nothing.
    #[inline]
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.0.load(Ordering::Relaxed) == OFF
    }

    /// Whether the refusal at hand is carried out.
    #[inline]
    #[must_use]
    pub fn carries_out(&self, random: &Random) -> bool {
        self.is_on() || self.draws(random)
    }

    #[cold]
    fn draws(&self, random: &Random) -> bool {
        match self.get() {
            Enforcement::Off | Enforcement::Shadow => false,
            Enforcement::Percent(share) => random.chance(share),
            Enforcement::On => true,
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a ratio is 0 to 1")]
fn encode(enforcement: Enforcement) -> u32 {
    match enforcement {
        Enforcement::On => ON,
        Enforcement::Off => OFF,
        Enforcement::Shadow => SHADOW,
        Enforcement::Percent(share) => SHARE + (share.get() * MILLION).round() as u32,
    }
}

fn decode(word: u32) -> Enforcement {
    match word {
        ON => Enforcement::On,
        OFF => Enforcement::Off,
        SHADOW => Enforcement::Shadow,
        share => Enforcement::Percent(
            Ratio::try_new("enforcement", f64::from(share - SHARE) / MILLION)
                .expect("only `encode` writes the cell"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_is_what_is_read() {
        for enforcement in [
            Enforcement::Off,
            Enforcement::Shadow,
            Enforcement::Percent(Ratio::ZERO),
            Enforcement::Percent(Ratio::of::<1, 3>()),
            Enforcement::Percent(Ratio::ONE),
            Enforcement::On,
        ] {
            let read = EnforcementCell::new(enforcement).get();
            match (enforcement, read) {
                (Enforcement::Percent(a), Enforcement::Percent(b)) => {
                    assert!((a.get() - b.get()).abs() < 1e-6);
                }
                _ => assert_eq!(read, enforcement),
            }
        }
    }

    #[test]
    fn a_share_of_the_refusals_is_carried_out() {
        let cell = EnforcementCell::new(Enforcement::Percent(Ratio::percent::<25>()));
        let random = Random::seeded(7);
        let refused = (0..100_000).filter(|_| cell.carries_out(&random)).count();
        assert!((24_000..26_000).contains(&refused), "{refused}");
    }
}
