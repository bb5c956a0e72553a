//! What an outcome means, in one vocabulary for all layers.

use std::time::Duration;

use crate::Rejected;

/// What the outcome of an attempt means.
///
/// One verdict serves every layer: a retry asks whether it may repeat, a breaker whether to
/// count, a cache whether to keep.
///
/// ```
/// use tower_ballast_core::{FailureKind, Retryable, Verdict};
///
/// let verdict = Verdict::throttled();
/// assert!(verdict.is_failure());
/// assert_eq!(verdict.kind(), Some(FailureKind::Throttled));
/// assert_eq!(verdict.retryable(), Retryable::IfRepeatable);
/// assert_eq!(verdict.retry(Retryable::Never).retryable(), Retryable::Never);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The service did what it is for. A refusal of a bad request is a success too.
    Success,
    /// The service did not do what it is for.
    Failure {
        /// In which way.
        kind: FailureKind,
        /// Whether another attempt makes sense.
        retry: Retryable,
        /// When it makes sense, if the service said so.
        retry_after: Option<RetryAfter>,
    },
    /// Says nothing about the health of the service: not counted.
    Ignore {
        /// Whether another attempt makes sense.
        retry: Retryable,
        /// When it makes sense, if that is known.
        retry_after: Option<RetryAfter>,
    },
}

/// In which way an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// Something passing: a reset connection, an unavailable server.
    Transient,
    /// The service asks for fewer requests.
    Throttled,
    /// No answer in time.
    Timeout,
    /// The service is broken for this request: a bug, a panic, a malformed answer.
    Fault,
}

impl FailureKind {
    /// All four, in the order of their indices.
    pub const ALL: [Self; 4] = [Self::Transient, Self::Throttled, Self::Timeout, Self::Fault];

    /// The name used in events and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Throttled => "throttled",
            Self::Timeout => "timeout",
            Self::Fault => "fault",
        }
    }
}

/// Whether a request may be sent again after an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retryable {
    /// It must not.
    Never,
    /// It may when the request is repeatable.
    IfRepeatable,
    /// It may in any case: it certainly never reached the service.
    Unsent,
}

/// When another attempt makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RetryAfter {
    /// How long from now.
    pub delay: Duration,
    /// Whether this very moment is kept for this caller. If so no jitter is added to it.
    pub reserved: bool,
}

impl RetryAfter {
    /// A delay that many callers may have been told.
    #[must_use]
    pub const fn hint(delay: Duration) -> Self {
        Self { delay, reserved: false }
    }

    /// A moment that is this caller's alone.
    #[must_use]
    pub const fn reserved(delay: Duration) -> Self {
        Self { delay, reserved: true }
    }
}

impl Verdict {
    /// A passing failure, worth another attempt when the request is repeatable.
    #[must_use]
    pub const fn transient() -> Self {
        Self::failure(FailureKind::Transient)
    }

    /// The service asks for fewer requests.
    #[must_use]
    pub const fn throttled() -> Self {
        Self::failure(FailureKind::Throttled)
    }

    /// No answer in time.
    #[must_use]
    pub const fn timeout() -> Self {
        Self::failure(FailureKind::Timeout)
    }

    /// A failure that another attempt would only repeat.
    #[must_use]
    pub const fn fault() -> Self {
        Self::failure(FailureKind::Fault).retry(Retryable::Never)
    }

    /// Neither success nor failure, and not to be repeated.
    #[must_use]
    pub const fn ignore() -> Self {
        Self::Ignore { retry: Retryable::Never, retry_after: None }
    }

    /// A failure of this kind, worth another attempt when the request is repeatable.
    #[must_use]
    pub const fn failure(kind: FailureKind) -> Self {
        Self::Failure { kind, retry: Retryable::IfRepeatable, retry_after: None }
    }

    /// The same verdict with another word on repeating. A success stays one.
    #[must_use]
    pub const fn retry(self, retry: Retryable) -> Self {
        match self {
            Self::Success => Self::Success,
            Self::Failure { kind, retry_after, .. } => Self::Failure { kind, retry, retry_after },
            Self::Ignore { retry_after, .. } => Self::Ignore { retry, retry_after },
        }
    }

    /// The same verdict with the moment of the next attempt. A success stays one.
    #[must_use]
    pub const fn retry_after(self, after: RetryAfter) -> Self {
        let retry_after = Some(after);
        match self {
            Self::Success => Self::Success,
            Self::Failure { kind, retry, .. } => Self::Failure { kind, retry, retry_after },
            Self::Ignore { retry, .. } => Self::Ignore { retry, retry_after },
        }
    }

    /// Whether the service did what it is for.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        matches!(self, Self::Success)
    }

    /// Whether the service did not do what it is for.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::Failure { .. })
    }

    /// The way it failed, if it did.
    #[must_use]
    pub const fn kind(&self) -> Option<FailureKind> {
        match self {
            Self::Failure { kind, .. } => Some(*kind),
            Self::Success | Self::Ignore { .. } => None,
        }
    }

    /// Whether the request may be sent again.
    #[must_use]
    pub const fn retryable(&self) -> Retryable {
        match self {
            Self::Success => Retryable::Never,
            Self::Failure { retry, .. } | Self::Ignore { retry, .. } => *retry,
        }
    }

    /// When the next attempt makes sense, if that is known.
    #[must_use]
    pub const fn after(&self) -> Option<RetryAfter> {
        match self {
            Self::Success => None,
            Self::Failure { retry_after, .. } | Self::Ignore { retry_after, .. } => *retry_after,
        }
    }
}

/// Says what an outcome means.
///
/// A closure `Fn(Result<&Res, &E>) -> Verdict` is the common form. A type of its own can also
/// look at the request, of which it keeps what it needs before the request is sent.
pub trait Classify<Req, Res, E> {
    /// What is kept of the request until its outcome is there.
    type Kept;

    /// Looks at the request before it is sent.
    fn keep(&self, request: &Req) -> Self::Kept;

    /// Says what the outcome means.
    fn verdict(&self, kept: &Self::Kept, outcome: Result<&Res, &E>) -> Verdict;
}

impl<F, Req, Res, E> Classify<Req, Res, E> for F
where
    F: Fn(Result<&Res, &E>) -> Verdict,
{
    type Kept = ();

    fn keep(&self, _: &Req) {}

    fn verdict(&self, (): &(), outcome: Result<&Res, &E>) -> Verdict {
        self(outcome)
    }
}

/// The classifier that needs to know nothing: `Ok` is a success, `Err` a passing failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByResult;

impl<Req, Res, E> Classify<Req, Res, E> for ByResult {
    type Kept = ();

    fn keep(&self, _: &Req) {}

    fn verdict(&self, (): &(), outcome: Result<&Res, &E>) -> Verdict {
        match outcome {
            Ok(_) => Verdict::Success,
            Err(_) => Verdict::transient(),
        }
    }
}

/// The verdict on an outcome, as every layer reaches it: our own rejections speak for themselves,
/// and only other outcomes are put to the classifier.
///
/// ```
/// use tower_ballast_core::{judge, BoxError, ByResult, Classify, Reason, Rejected, Verdict};
///
/// let refused: BoxError = Rejected::new(Reason::CircuitOpen).into();
/// let outcome: Result<(), BoxError> = Err(refused);
/// let verdict = judge::<(), _, _, _>(&ByResult, &(), outcome.as_ref());
/// assert_eq!(verdict, Verdict::ignore());
/// ```
pub fn judge<Req, Res, E, C>(classify: &C, kept: &C::Kept, outcome: Result<&Res, &E>) -> Verdict
where
    C: Classify<Req, Res, E>,
    E: 'static,
{
    match outcome.err().and_then(Rejected::find_in) {
        Some(rejected) => rejected.verdict(),
        None => classify.verdict(kept, outcome),
    }
}
