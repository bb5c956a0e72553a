//! Where figures go besides the layer's own statistics.

use std::time::Duration;

use tower_ballast_core::Verdict;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The service did what it is for.
    Success,
    /// It did not.
    Failure,
    /// The answer says nothing about the service.
    Ignored,
    /// The caller went away before there was an answer.
    Cancelled,
}

impl Outcome {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Success, Self::Failure, Self::Ignored, Self::Cancelled];

    /// The name used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Ignored => "ignored",
            Self::Cancelled => "cancelled",
        }
    }
}

impl From<Verdict> for Outcome {
    #[inline]
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Success => Self::Success,
            Verdict::Failure { .. } => Self::Failure,
            Verdict::Ignore { .. } => Self::Ignored,
        }
    }
}

/// Takes figures to another place.
///
/// It is asked once for each operation, so that a handle is looked up once and not with every
/// request. The number of operations is [bounded](crate::MetricsLayer::most_operations).
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_metrics::{Export, MetricsLayer, Outcome, Sink};
///
/// struct Print;
/// struct Line(String);
///
/// impl Export for Print {
///     fn operation(&self, layer: &str, operation: &str) -> Box<dyn Sink + Send + Sync> {
///         Box::new(Line(format!("{layer} {operation}")))
///     }
/// }
///
/// impl Sink for Line {
///     fn ended(&self, outcome: Outcome, took: Duration) {
///         println!("{} {} after {took:?}", self.0, outcome.as_str());
///     }
/// }
///
/// let metrics = MetricsLayer::new().export(Print).handle();
/// metrics.track("import").end(&Ok::<(), ()>(()));
/// ```
pub trait Export {
    /// Where the figures of one operation go.
    fn operation(&self, layer: &str, operation: &str) -> Box<dyn Sink + Send + Sync>;
}

/// Takes the figures of one operation. It is called on the request's own path: it must be quick,
/// and must not block.
pub trait Sink {
    /// A request has begun.
    fn begun(&self) {}

    /// A request has ended, so long after its beginning.
    fn ended(&self, outcome: Outcome, took: Duration);
}
