use std::{fmt, time::Duration};

use tower_ballast_core::{Name, Ratio};

use crate::series::Totals;

/// The figures of all operations of one layer. Its `Display` is a table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Statistics {
    /// The name of the layer.
    pub layer: Name,
    /// By operation, in the order of their names.
    pub operations: Vec<OperationStatistics>,
}

/// The figures of one operation.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct OperationStatistics {
    /// The name of the operation.
    pub name: Name,
    /// Requests without an answer yet.
    pub in_flight: usize,
    /// Since the layer was made.
    pub whole: Figures,
    /// Of the last minute, exact to five seconds.
    pub minute: Figures,
}

/// Counts and times of some requests. Times without requests are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Figures {
    /// Answered, well or not.
    pub count: u64,
    /// Of these, how many failed.
    pub errors: u64,
    /// Of these, how many answers say nothing about the service, such as refusals by our layers.
    pub ignored: u64,
    /// Given up by their callers before there was an answer; not in `count` nor in the times.
    pub cancelled: u64,
    /// All times together.
    pub total: Duration,
    /// The shortest time.
    pub min: Duration,
    /// The longest time.
    pub max: Duration,
    /// The mean time.
    pub mean: Duration,
    /// Half of the requests took no longer.
    pub p50: Duration,
    /// 95 of 100 requests took no longer.
    pub p95: Duration,
    /// 99 of 100 requests took no longer.
    pub p99: Duration,
}

impl Figures {
    pub(crate) fn of(totals: &Totals) -> Self {
        let (times, nanos) = (&totals.times, Duration::from_nanos);
        Self {
            count: times.count(),
            errors: totals.errors,
            ignored: totals.ignored,
            cancelled: totals.cancelled,
            total: nanos(times.sum()),
            min: nanos(times.min()),
            max: nanos(times.max()),
            mean: nanos(times.mean()),
            p50: nanos(times.quantile(Ratio::percent::<50>())),
            p95: nanos(times.quantile(Ratio::percent::<95>())),
            p99: nanos(times.quantile(Ratio::percent::<99>())),
        }
    }

    /// The share of failed requests among those that say something about the service, from 0 to 1.
    ///
    /// ```
    /// use tower_ballast_metrics::MetricsLayer;
    ///
    /// let metrics = MetricsLayer::new().handle();
    /// for text in ["1", "2", "3", "four"] {
    ///     metrics.track("read").end(&text.parse::<u8>());
    /// }
    /// assert_eq!(metrics.of("read").unwrap().minute.error_rate(), 0.25);
    /// ```
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a share needs no more")]
    pub fn error_rate(&self) -> f64 {
        let counted = self.count.saturating_sub(self.ignored).max(1);
        (self.errors as f64 / counted as f64).min(1.0)
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.operations.iter().map(|operation| operation.name.chars().count());
        let width = names.chain([self.layer.chars().count() + 13]).max().unwrap_or(0);
        let head = |f: &mut fmt::Formatter<'_>, of: &str| {
            write!(
                f,
                "{:<width$}{:>10}{:>9}{:>8}",
                format!("{}, {of}", self.layer),
                "count",
                "errors",
                "rate"
            )?;
            write!(f, "{:>9}{:>11}{:>11}", "ignored", "cancelled", "in flight")?;
            writeln!(f, "{:>10}{:>10}{:>10}{:>10}{:>10}", "mean", "p50", "p95", "p99", "max")
        };
        head(f, "all")?;
        for operation in &self.operations {
            row(f, width, operation, &operation.whole)?;
        }
        head(f, "last minute")?;
        for operation in &self.operations {
            row(f, width, operation, &operation.minute)?;
        }
        Ok(())
    }
}

fn row(
    f: &mut fmt::Formatter<'_>,
    width: usize,
    operation: &OperationStatistics,
    figures: &Figures,
) -> fmt::Result {
    let rate = format!("{:.1} %", 100.0 * figures.error_rate());
    write!(f, "{:<width$}{:>10}{:>9}{rate:>8}", &*operation.name, figures.count, figures.errors)?;
    write!(f, "{:>9}{:>11}{:>11}", figures.ignored, figures.cancelled, operation.in_flight)?;
    for time in [figures.mean, figures.p50, figures.p95, figures.p99, figures.max] {
        write!(f, "{:>10}", format!("{time:.1?}"))?;
    }
    writeln!(f)
}
