//! Wall time, given in by the caller.

use std::{
    ops::Add,
    time::{Duration, SystemTime},
};

use http::HeaderValue;

/// A moment on the wall clock, counted from 1970.
///
/// Dates in header fields are wall time, so a cache reckons in it. The engine reads no clock: the
/// caller gives the moment in, from `tower_ballast_core::clock::wall`.
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
pub struct Wall(Duration);

impl Wall {
    /// The start of 1970.
    pub const EPOCH: Self = Self(Duration::ZERO);

    /// So many seconds after the start of 1970.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// So many milliseconds after the start of 1970.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// Whole seconds since the start of 1970.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }

    /// How long ago `earlier` was; zero when it has not come yet.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment as HTTP writes it, for a `Date` field.
    pub(super) fn to_field(self) -> Option<HeaderValue> {
        // The year 9999 is the last that HTTP can write.
        let moment = SystemTime::UNIX_EPOCH.checked_add(self.0)?;
        (self.0.as_secs() < 253_402_300_800)
            .then(|| HeaderValue::try_from(httpdate::fmt_http_date(moment)).ok())
            .flatten()
    }
}

impl Add<Duration> for Wall {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// In whole milliseconds; a time before 1970 is taken as its start.
impl From<SystemTime> for Wall {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self(Duration::new(since.as_secs(), since.subsec_millis() * 1_000_000))
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
