use std::time::Duration;

use tower_ballast_core::Multiplier;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A part of the day in which more may pass: from a time of day to another, which may lie after
/// midnight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    from: Duration,
    to: Duration,
    raise: Multiplier,
}

impl Span {
    /// From one time of day to another, both since midnight, the second not included. Times beyond a
    /// day are those of the day after.
    #[must_use]
    pub fn new(from: Duration, to: Duration, raise: Multiplier) -> Self {
        Self { from: of_day(from), to: of_day(to), raise }
    }

    fn covers(&self, time: Duration) -> bool {
        if self.from < self.to {
            self.from <= time && time < self.to
        } else {
            self.from <= time || time < self.to
        }
    }
}

/// A limit that is higher at certain times of the day, and never lower than the quota.
///
/// A span whose ends are equal is the whole day. Where spans overlap the highest counts.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::Multiplier;
/// use tower_ballast_rate_limit::adjust::{Schedule, Span};
///
/// let hour = |hour: u64| Duration::from_secs(hour * 60 * 60);
/// let night = Span::new(hour(22), hour(6), Multiplier::TWO);
/// let schedule = Schedule::new([night]);
/// assert_eq!(schedule.multiplier(hour(23)), 2.0);
/// assert_eq!(schedule.multiplier(hour(5)), 2.0);
/// assert_eq!(schedule.multiplier(hour(6)), 1.0);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Schedule {
    spans: Vec<Span>,
}

impl Schedule {
    /// A schedule of these spans.
    #[must_use]
    pub fn new(spans: impl IntoIterator<Item = Span>) -> Self {
        Self { spans: spans.into_iter().collect() }
    }

    /// What the rate is to be multiplied with at a time of day, since midnight: at least 1.
    #[must_use]
    pub fn multiplier(&self, time: Duration) -> f64 {
        let time = of_day(time);
        let raises =
            self.spans.iter().filter(|span| span.covers(time)).map(|span| span.raise.get());
        raises.fold(1.0, f64::max)
    }

    /// How long after a time of day a span begins or ends next; at most a day.
    pub(crate) fn next_change(&self, time: Duration) -> Duration {
        let time = of_day(time);
        let until = |edge: Duration| match edge.checked_sub(time) {
            Some(rest) if !rest.is_zero() => rest,
            _ => DAY.saturating_sub(time.saturating_sub(edge)),
        };
        self.spans.iter().flat_map(|span| [until(span.from), until(span.to)]).min().unwrap_or(DAY)
    }
}

fn of_day(time: Duration) -> Duration {
    Duration::new(time.as_secs() % DAY.as_secs(), time.subsec_nanos())
}
