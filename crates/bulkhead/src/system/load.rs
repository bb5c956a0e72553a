use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{
            AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use tower_ballast_core::{
    Ratio,
    clock::{self, Nanos},
};

use super::Readings;

/// As old as this, a load is none.
const STALE: Duration = Duration::from_secs(10);
const MILLION: f64 = 1e6;

/// A load from 0 to 1, told by one and read by many. Clones are the same load.
///
/// [`System::load`](super::System::load) gives the one that a [`Watch`](super::Watch) tells. One made here
/// is told by whoever has a better number, such as the length of a job queue.
///
/// ```
/// use tower_ballast_bulkhead::system::SystemLoad;
/// use tower_ballast_core::Ratio;
///
/// let load = SystemLoad::new();
/// load.set(Ratio::percent::<75>());
/// assert_eq!(load.clone().get(), Ratio::percent::<75>());
/// ```
#[derive(Debug, Clone, Default)]
pub struct SystemLoad(Arc<Told>);

#[derive(Debug, Default)]
struct Told {
    /// In the upper half how often it was told, in the lower the load in millionths.
    word: AtomicU64,
    at: AtomicU64,
    readings: Mutex<Readings>,
}

/// What was told, and which word it was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Word {
    pub(crate) load: Ratio,
    pub(crate) number: u32,
}

impl SystemLoad {
    /// No load, until it is told.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells the load of this moment. One that is not told again within 10 seconds is none.
    pub fn set(&self, load: Ratio) {
        self.0.at.store(clock::now().as_nanos(), Relaxed);
        let tell = |word: u64| Some(((word >> 32) + 1) << 32 | encode(load));
        // Infallible: the closure always gives a word.
        let _ = self.0.word.fetch_update(Release, Relaxed, tell);
    }

    /// The load that was told last.
    #[must_use]
    pub fn get(&self) -> Ratio {
        if self.is_stale(clock::now()) { Ratio::ZERO } else { self.word().load }
    }

    /// The readings behind it, if a [`Watch`](super::Watch) tells it.
    #[must_use]
    pub fn readings(&self) -> Readings {
        *self.0.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, load: Ratio, readings: Readings) {
        *self.0.readings.lock().unwrap_or_else(PoisonError::into_inner) = readings;
        self.set(load);
    }

    /// What was told last, however long ago.
    #[inline]
    pub(crate) fn word(&self) -> Word {
        decode(self.0.word.load(Acquire))
    }

    /// Whether it was told too long ago.
    pub(crate) fn is_stale(&self, now: Nanos) -> bool {
        now.since(Nanos::from_nanos(self.0.at.load(Relaxed))) > STALE
    }

    pub(super) fn is_read_by_others(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a ratio is 0 to 1")]
fn encode(load: Ratio) -> u64 {
    (load.get() * MILLION).round() as u64
}

#[allow(clippy::cast_possible_truncation, reason = "the halves of a word")]
fn decode(word: u64) -> Word {
    let load = Ratio::try_new("load", f64::from(word as u32) / MILLION);
    Word { load: load.unwrap_or(Ratio::ONE), number: (word >> 32) as u32 }
}
