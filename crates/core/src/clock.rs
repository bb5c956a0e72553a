//! The one place that reads a clock.
//!
//! Every layer takes its time from here, and here it comes from tokio. A runtime whose time is
//! paused (`tokio::time::pause`) therefore controls each layer completely, wall time included.

use std::{
    ops::Add,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use tokio::time::{Instant, Sleep};

pub use self::span::Span;

mod span;

/// The first reading is this far from zero, a day, so that a runtime whose paused clock began a
/// little before it still sees time move.
const START: Nanos = Nanos(24 * 60 * 60 * 1_000_000_000);

/// A moment on the process's monotonic line, in nanoseconds.
///
/// Brains receive moments as plain numbers, so they can be driven through a year in a
/// microsecond. Arithmetic saturates: nothing is later than [`Nanos::MAX`], 584 years out.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::clock::Nanos;
///
/// let start = Nanos::from_nanos(1_000);
/// let later = start + Duration::from_nanos(500);
/// assert_eq!(later.since(start), Duration::from_nanos(500));
/// assert_eq!(start.since(later), Duration::ZERO);
/// assert_eq!(start + Duration::MAX, Nanos::MAX);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nanos(u64);

impl Nanos {
    /// The start of the line.
    pub const ZERO: Self = Self(0);
    /// The end of the line; also what "never" saturates to.
    pub const MAX: Self = Self(u64::MAX);

    /// The moment this many nanoseconds from the start of the line.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds from the start of the line.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The moment `duration` later, at most [`Nanos::MAX`].
    #[must_use]
    #[inline]
    pub const fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos_in(duration)))
    }

    /// How long ago `earlier` was; zero when it has not come yet.
    #[must_use]
    #[inline]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Nanos {
    type Output = Self;

    #[inline]
    fn add(self, duration: Duration) -> Self {
        self.after(duration)
    }
}

/// A duration in whole nanoseconds, at most `u64::MAX` of them (584 years).
#[inline]
#[must_use]
pub const fn nanos_in(duration: Duration) -> u64 {
    match duration.as_secs().checked_mul(1_000_000_000) {
        Some(nanos) => nanos.saturating_add(duration.subsec_nanos() as u64),
        None => u64::MAX,
    }
}

/// Reads the clock. About 20 ns, the dearest thing on a happy path.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::clock;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let start = clock::now();
/// tokio::time::advance(Duration::from_secs(3)).await;
/// assert_eq!(clock::now().since(start), Duration::from_secs(3));
/// # });
/// ```
#[must_use]
#[inline]
pub fn now() -> Nanos {
    at(read())
}

/// Reads the clock as tokio gives it. To compare two instants costs less than to convert one, which takes as long as a lock.
///
/// ```
/// use tower_ballast_core::clock;
///
/// let (first, second) = (clock::read(), clock::read());
/// assert!(first <= second);
/// assert!(clock::at(first) <= clock::at(second));
/// ```
#[allow(clippy::disallowed_methods, reason = "this module is the one that reads clocks")]
#[must_use]
#[inline]
pub fn read() -> Instant {
    Instant::now()
}

/// The moment on our line of one of tokio's instants.
#[must_use]
#[inline]
pub fn at(instant: Instant) -> Nanos {
    match instant.checked_duration_since(origin()) {
        Some(ahead) => START.after(ahead),
        None => before_origin(instant),
    }
}

#[cold]
fn before_origin(instant: Instant) -> Nanos {
    Nanos(START.0.saturating_sub(nanos_in(origin().duration_since(instant))))
}

/// The tokio instant of a moment on our line.
#[must_use]
pub fn instant(moment: Nanos) -> Instant {
    let origin = origin();
    let found = if moment < START {
        origin.checked_sub(START.since(moment))
    } else {
        origin.checked_add(moment.since(START))
    };
    found.unwrap_or(origin)
}

/// Wall time, for dates in answers and logs. It follows a paused clock, to some microseconds.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::clock;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let before = clock::wall();
/// tokio::time::advance(Duration::from_secs(3600)).await;
/// let passed = clock::wall().duration_since(before).unwrap();
/// assert_eq!(passed.as_secs_f64().round(), 3600.0);
/// # });
/// ```
#[must_use]
#[allow(clippy::disallowed_methods, reason = "this module is the one that reads clocks")]
pub fn wall() -> SystemTime {
    let (real, ours) = (std::time::Instant::now(), Instant::now().into_std());
    let wall = SystemTime::now();
    wall.checked_add(ours.saturating_duration_since(real))
        .and_then(|ahead| ahead.checked_sub(real.saturating_duration_since(ours)))
        .unwrap_or(wall)
}

/// A timer that ends at `moment`. It must not outlive the future that polls it.
///
/// # Panics
///
/// Outside a tokio runtime with its time enabled, as every timer of tokio does.
pub fn sleep_until(moment: Nanos) -> Sleep {
    tokio::time::sleep_until(instant(moment))
}

/// A timer that ends after so long. Where the present moment is not needed otherwise, this is the
/// cheaper one.
///
/// # Panics
///
/// As [`sleep_until`].
#[inline]
pub fn sleep(duration: Duration) -> Sleep {
    tokio::time::sleep(duration)
}

#[inline]
fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_moment_and_its_instant_are_the_same() {
        for moment in [now(), now() + Duration::from_secs(5), Nanos::from_nanos(7)] {
            assert_eq!(at(instant(moment)), moment);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_frozen_before_the_first_reading_still_moves() {
        let frozen = read();
        std::hint::black_box(origin());
        tokio::time::advance(Duration::from_nanos(1)).await;
        assert_eq!(now().since(at(frozen)), Duration::from_nanos(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_for_the_end_of_time_can_be_made() {
        drop(sleep_until(Nanos::MAX));
        drop(sleep_until(Nanos::ZERO));
        drop(sleep(Duration::MAX));
    }
}
