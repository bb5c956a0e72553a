//! What all services of one layer share.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use tower_ballast_core::{
    BoxError, EnforcementCell, Event, EventKind, Priority, Random, Ratio, Reason, Reporter, clock,
};

use super::level::{Level, Thresholds};
use crate::system::SystemLoad;

/// After so many the level is what the load says.
const MOST_STEPS: u32 = 4;

#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) thresholds: Thresholds,
    pub(super) hysteresis: Ratio,
}

#[derive(Debug)]
pub(super) struct Shared {
    load: SystemLoad,
    settings: Mutex<Settings>,
    /// In the upper half which word of the load the level comes from, in the lower the level.
    level: AtomicU64,
    changes: AtomicU64,
    refused: AtomicU64,
    pub(super) enforcement: EnforcementCell,
    pub(super) reporter: Reporter,
    pub(super) random: Random,
}

impl Shared {
    pub(super) fn new(load: SystemLoad) -> Self {
        let settings =
            Settings { thresholds: Thresholds::default(), hysteresis: Ratio::percent::<5>() };
        Self {
            load,
            settings: Mutex::new(settings),
            level: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            enforcement: EnforcementCell::default(),
            reporter: Reporter::new("shed"),
            random: Random::new(),
        }
    }

    /// The same settings and the same load, and nothing refused yet.
    pub(super) fn separate(&self) -> Self {
        let separate = Self::new(self.load.clone());
        *separate.settings() = *self.settings();
        separate.enforcement.set(self.enforcement.get());
        separate
    }

    pub(super) fn configure(&self, configure: impl FnOnce(&mut Settings)) {
        configure(&mut self.settings());
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Which classes are refused now.
    #[inline]
    pub(super) fn level(&self) -> Level {
        let (number, level) = unpack(self.level.load(Relaxed));
        // While nothing is refused and nothing new was told, that is all.
        if number == self.load.word().number && level == Level::NONE {
            return level;
        }
        self.look()
    }

    /// Refuses a request of this class, unless that is only to be reported.
    #[cold]
    pub(super) fn refuse(&self) -> Option<BoxError> {
        self.refused.fetch_add(1, Relaxed);
        if self.enforcement.carries_out(&self.random) {
            return Some(self.reporter.reject(Reason::Overloaded, None));
        }
        self.reporter.spare(Reason::Overloaded, None);
        None
    }

    pub(super) fn refuses(&self, class: impl FnOnce() -> Priority) -> bool {
        let level = self.level();
        level != Level::NONE && level.refuses(class())
    }

    pub(super) fn tell_settings(&self, what: &'static str) {
        self.reporter.tell(|| Event::new(EventKind::SettingsChanged).reason(what));
    }

    /// Takes in what was told since, once for each word.
    #[cold]
    fn look(&self) -> Level {
        let word = self.load.word();
        let before = self.level.load(Relaxed);
        let (number, level) = unpack(before);
        let next = if self.load.is_stale(clock::now()) {
            Level::NONE
        } else if word.number == number {
            return level;
        } else {
            let Settings { thresholds, hysteresis } = *self.settings();
            // Where requests are rare, each word counts all the same.
            let words = word.number.wrapping_sub(number).min(MOST_STEPS);
            let after = |level: Level, _| level.after(word.load, &thresholds, hysteresis);
            (0..words).fold(level, after)
        };
        // Whoever comes first takes it in; others see its level with the next request.
        let after = pack(word.number, next);
        if self.level.compare_exchange(before, after, Relaxed, Relaxed).is_ok() && next != level {
            let sequence = self.changes.fetch_add(1, Relaxed) + 1;
            let changed = Event::new(EventKind::StateChanged).states(level.name(), next.name());
            self.reporter.tell(|| changed.reason("load").sequence(sequence));
        }
        next
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pack(number: u32, level: Level) -> u64 {
    u64::from(number) << 32 | u64::from(level.get())
}

#[allow(clippy::cast_possible_truncation, reason = "the halves of a word")]
const fn unpack(word: u64) -> (u32, Level) {
    ((word >> 32) as u32, Level::new(word as u8))
}
