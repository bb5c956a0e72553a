//! The stretch between a scenario's time and the paused clock.

use std::time::Duration;

use tokio::time::{Instant, Sleep};
use tower_ballast_core::clock::{self, Nanos};

/// How much longer the paused clock takes than the scenario.
pub const STRETCH: u32 = 1_000;

/// A moment of a scenario, counted from its start in microseconds: milliseconds of the paused
/// clock, which are what tokio's timers are exact to.
pub(super) type Tick = u64;

/// What a layer must be told for a duration of the scenario.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_test::simulator::stretched;
///
/// assert_eq!(stretched(Duration::from_millis(250)), Duration::from_secs(250));
/// assert_eq!(stretched(Duration::MAX), Duration::MAX);
/// ```
#[must_use]
pub const fn stretched(duration: Duration) -> Duration {
    duration.saturating_mul(STRETCH)
}

/// The clock of one scenario.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    start: Nanos,
}

impl Clock {
    /// Starts the scenario at a moment of the clock that is the same in every run: windows are
    /// cut along the clock's line, and must be cut alike.
    pub(super) async fn start() -> Self {
        const START: Nanos = Nanos::from_nanos(100 * 24 * 60 * 60 * 1_000_000_000);
        let ahead = START.since(clock::now()).as_nanos().div_ceil(1_000_000);
        // Whole milliseconds, so that timers go on ending where they are set.
        tokio::time::advance(Duration::from_millis(u64::try_from(ahead).unwrap_or(0))).await;
        Self { start: clock::now() }
    }

    pub(super) fn now(self) -> Tick {
        tick_of(clock::now().since(self.start)) / Tick::from(STRETCH)
    }

    pub(super) fn sleep_until(self, tick: Tick) -> Sleep {
        clock::sleep_until(self.moment(tick))
    }

    /// What a timer is set to, to end at this moment.
    pub(super) fn instant(self, tick: Tick) -> Instant {
        clock::instant(self.moment(tick))
    }

    pub(super) fn moment(self, tick: Tick) -> Nanos {
        self.start + stretched(Duration::from_micros(tick))
    }
}

/// A duration of a scenario in whole microseconds, rounded to the nearest.
pub(super) fn tick_of(duration: Duration) -> Tick {
    let within = Tick::from((duration.subsec_nanos() + 500) / 1_000);
    duration.as_secs().saturating_mul(1_000_000).saturating_add(within)
}

/// A number of seconds in whole microseconds; what is not a positive number is none.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
pub(super) fn tick_of_seconds(seconds: f64) -> Tick {
    (seconds * 1e6).round() as Tick
}

/// The same in seconds.
#[allow(clippy::cast_precision_loss, reason = "exact below 285 years")]
pub(super) fn seconds_of(tick: Tick) -> f64 {
    tick as f64 / 1e6
}
