//! Wall time, given in by the caller.

use std::{
    ops::Add,
    time::{Duration, SystemTime},
};

use http::HeaderValue;
use tower_ballast_core::clock::Nanos;

/// A moment on the wall clock, counted from 1970, and on one that nobody sets.
///
/// Dates in header fields are wall time, so a cache reckons in it. That clock may be set back, and what is kept must not be
/// fresh for longer therefore: how long it has been kept is told by both clocks, and the one by which it is longer counts. The
/// engine reads no clock: the caller gives the moment in, from `wall` and `now` of `tower_ballast_core::clock`.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_http_cache::engine::Wall;
///
/// let noon = Wall::from_secs(1_771_934_400);
/// assert_eq!((noon + Duration::from_secs(5)).since(noon), Duration::from_secs(5));
/// assert_eq!(noon.since(noon + Duration::from_secs(5)), Duration::ZERO);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wall {
    wall: Duration,
    /// From a start of its own, which is that of 1970 where nothing else is known.
    steady: Duration,
}

impl Wall {
    /// The start of 1970.
    pub const EPOCH: Self = Self::both(Duration::ZERO);

    /// So many seconds after the start of 1970.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self::both(Duration::from_secs(seconds))
    }

    /// So many milliseconds after the start of 1970.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self::both(Duration::from_millis(millis))
    }

    /// The same moment, which the clock that nobody sets calls so. All moments that are compared need the same clock.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_ballast_core::clock::Nanos;
    /// use tower_ballast_http_cache::engine::Wall;
    ///
    /// let came = Wall::from_secs(1_771_934_400).steady(Nanos::ZERO);
    /// let minute = Duration::from_secs(60);
    /// // An hour too early.
    /// let now = Wall::from_secs(1_771_930_860).steady(Nanos::ZERO + minute);
    /// assert_eq!((now.since(came), now.passed_since(came)), (Duration::ZERO, minute));
    /// ```
    #[must_use]
    pub const fn steady(mut self, moment: Nanos) -> Self {
        self.steady = moment.since(Nanos::ZERO);
        self
    }

    const fn both(since: Duration) -> Self {
        Self { wall: since, steady: since }
    }

    /// Whole seconds since the start of 1970.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.wall.as_secs()
    }

    /// How long ago `earlier` was on the wall clock; zero when it has not come yet.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.wall.saturating_sub(earlier.wall)
    }

    /// How much time has passed since `earlier`, by the clock by which it is more.
    #[must_use]
    pub fn passed_since(self, earlier: Self) -> Duration {
        self.since(earlier).max(self.steady.saturating_sub(earlier.steady))
    }

    /// The moment as HTTP writes it, for a `Date` field.
    pub(super) fn to_field(self) -> Option<HeaderValue> {
        // The year 9999 is the last that HTTP can write.
        let moment = SystemTime::UNIX_EPOCH.checked_add(self.wall)?;
        (self.wall.as_secs() < 253_402_300_800)
            .then(|| HeaderValue::try_from(httpdate::fmt_http_date(moment)).ok())
            .flatten()
    }
}

impl Add<Duration> for Wall {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let (wall, steady) = (self.wall, self.steady);
        Self { wall: wall.saturating_add(duration), steady: steady.saturating_add(duration) }
    }
}

/// In whole milliseconds; a time before 1970 is taken as its start.
impl From<SystemTime> for Wall {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self::both(Duration::new(since.as_secs(), since.subsec_millis() * 1_000_000))
    }
}

/// When a request went out, and when the head of its response came.
///
/// The time between counts as age: the response may have been made at its beginning
/// ([RFC 9111, section 4.2.3](https://www.rfc-editor.org/rfc/rfc9111#section-4.2.3)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When the request went out.
    pub asked: Wall,
    /// When the head of the response came.
    pub came: Wall,
}
