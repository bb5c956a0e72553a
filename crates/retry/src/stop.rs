/// Why a failed request was not sent again.
///
/// ```
/// use tower_ballast_retry::Stop;
///
/// let words: Vec<&str> = Stop::ALL.iter().map(|stop| stop.as_str()).collect();
/// assert!(words.contains(&"budget"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stop {
    /// The classifier says that another attempt makes no sense.
    Verdict,
    /// It may have been sent, and sending it twice could do more than sending it once.
    NotRepeatable,
    /// It has been sent as often as it may be.
    Attempts,
    /// The backoff has come to its end.
    BackoffEnded,
    /// The service asks for a longer wait than the layer is willing to make.
    HintTooLong,
    /// Another attempt could not finish before the request's deadline.
    Deadline,
    /// Another attempt would start later than the layer's total allows.
    Total,
    /// The budget is empty.
    Budget,
    /// The request could not be kept, for instance because its body is too large.
    BodyGone,
    /// The inner service was not ready for another attempt, and said with an error that it will
    /// not be.
    NotReady,
}

impl Stop {
    /// All of them, in the order of their indices.
    pub const ALL: [Self; 10] = [
        Self::Verdict,
        Self::NotRepeatable,
        Self::Attempts,
        Self::BackoffEnded,
        Self::HintTooLong,
        Self::Deadline,
        Self::Total,
        Self::Budget,
        Self::BodyGone,
        Self::NotReady,
    ];

    /// The word used in events and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::NotRepeatable => "not_repeatable",
            Self::Attempts => "attempts",
            Self::BackoffEnded => "backoff_ended",
            Self::HintTooLong => "hint_too_long",
            Self::Deadline => "deadline",
            Self::Total => "total",
            Self::Budget => "budget",
            Self::BodyGone => "body_gone",
            Self::NotReady => "not_ready",
        }
    }
}
