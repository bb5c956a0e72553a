//! Moments, and how old a response is (RFC 9111 section 4.2.3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, header};

/// A moment of wall time, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wall(u64);

impl Wall {
    /// The moment so many milliseconds after the beginning of 1970.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The moment `later`; nothing is later than the year 584 million.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; zero when it has not come yet.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// What a date field says, in any of the three forms of RFC 9110 section 5.6.7. That its weekday is the right one is
    /// not asked for.
    pub(super) fn parse(date: &str) -> Option<Self> {
        let date = httpdate::parse_http_date(date).ok()?;
        Some(Self::from(date))
    }

    /// What the single line of a date field says.
    pub(super) fn of_field(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut lines = headers.get_all(name).iter();
        let (line, more) = (lines.next()?, lines.next());
        if more.is_some() { None } else { Self::parse(line.to_str().ok()?) }
    }

    pub(super) const fn as_seconds(self) -> u64 {
        self.0 / 1000
    }
}

impl From<SystemTime> for Wall {
    fn from(time: SystemTime) -> Self {
        Self(0).after(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

/// How old a response was when it came: what its `Age` says and how long it was on its way, or what its `Date` tells if
/// that is more.
pub(super) fn initial(headers: &HeaderMap, asked: Wall, came: Wall) -> Duration {
    let apparent =
        Wall::of_field(headers, &header::DATE).map_or(Duration::ZERO, |date| came.since(date));
    apparent.max(field(headers).saturating_add(came.since(asked)))
}

/// The first member of the `Age` field, if it is a number; else zero.
fn field(headers: &HeaderMap) -> Duration {
    let seconds = headers
        .get(header::AGE)
        .and_then(|line| line.to_str().ok())
        .and_then(|line| line.split(',').next())
        .and_then(|member| seconds(member.trim()));
    Duration::from_secs(seconds.unwrap_or(0))
}

/// A number of seconds: digits and nothing else. What is too large is as much as there is (RFC 9111 section 1.2.2).
pub(super) fn seconds(text: &str) -> Option<u64> {
    const MOST: u64 = 1 << 40;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(MOST).min(MOST))
}
