//! The one error that layers make.

use std::{any::Any, error::Error, fmt, io};

use crate::{FailureKind, Name, RetryAfter, Retryable, Verdict};

/// An error of any kind, as tower uses it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a layer answered instead of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// An attempt that had begun took longer than it may.
    Timeout,
    /// The deadline of the whole request passed, or had passed before anything was sent.
    DeadlinePassed,
    /// The circuit is open: the service has failed too often.
    CircuitOpen,
    /// The circuit tries whether the service has recovered, and all trials are taken.
    CircuitHalfOpen,
    /// The circuit lets calls back in step by step, and the present step is full.
    CircuitRecovering,
    /// Somebody opened the circuit by hand.
    CircuitForcedOpen,
    /// As many requests as may be are in flight.
    BulkheadFull,
    /// As many requests as may be wait for their turn.
    QueueFull,
    /// The request waited for its turn as long as it may.
    QueueTimeout,
    /// The request would have to wait longer for its turn than makes sense.
    WaitTooLong,
    /// The service was not ready for longer than it may be.
    NotReady,
    /// More requests have come than may come in this time.
    RateLimited,
    /// The server refuses so much that some is not even sent.
    Throttled,
    /// The machine has too much to do for a request of this priority.
    Overloaded,
}

impl Reason {
    /// The name used in events, metrics and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::DeadlinePassed => "deadline_passed",
            Self::CircuitOpen => "circuit_open",
            Self::CircuitHalfOpen => "circuit_half_open",
            Self::CircuitRecovering => "circuit_recovering",
            Self::CircuitForcedOpen => "circuit_forced_open",
            Self::BulkheadFull => "bulkhead_full",
            Self::QueueFull => "queue_full",
            Self::QueueTimeout => "queue_timeout",
            Self::WaitTooLong => "wait_too_long",
            Self::NotReady => "not_ready",
            Self::RateLimited => "rate_limited",
            Self::Throttled => "throttled",
            Self::Overloaded => "overloaded",
        }
    }

    /// Whether it says that there is too much to do, and not that something is broken or late.
    #[must_use]
    pub const fn is_overload(self) -> bool {
        matches!(
            self,
            Self::BulkheadFull
                | Self::QueueFull
                | Self::QueueTimeout
                | Self::WaitTooLong
                | Self::NotReady
                | Self::RateLimited
                | Self::Throttled
                | Self::Overloaded
        )
    }

    const fn fact(self) -> &'static str {
        match self {
            Self::Timeout => "the attempt took longer than it may",
            Self::DeadlinePassed => "the deadline has passed",
            Self::CircuitOpen => "the circuit is open",
            Self::CircuitHalfOpen => "the circuit is half-open and all its trials are taken",
            Self::CircuitRecovering => "the circuit is recovering and its present step is full",
            Self::CircuitForcedOpen => "the circuit was opened by hand",
            Self::BulkheadFull => "as many requests as may be are in flight",
            Self::QueueFull => "as many requests as may be are waiting",
            Self::QueueTimeout => "the request has waited as long as it may",
            Self::WaitTooLong => "the request would have to wait too long",
            Self::NotReady => "the service has not been ready for too long",
            Self::RateLimited => "more requests have come than may come in this time",
            Self::Throttled => "the server refuses too much of what it is sent",
            Self::Overloaded => "the machine has too much to do for this priority",
        }
    }
}

/// The one error that layers make: a request was refused, or given up.
///
/// It says why, by which layer, when another attempt makes sense, and whether the request was
/// certainly never sent. [`Rejected::find`] finds it in any error that carries it as a source.
///
/// ```
/// use std::time::Duration;
/// use tower_ballast_core::{BoxError, Reason, Rejected, RetryAfter};
///
/// let error: BoxError = Rejected::new(Reason::CircuitOpen)
///     .layer("payments")
///     .retry_after(RetryAfter::hint(Duration::from_secs(3)))
///     .into();
///
/// assert_eq!(error.to_string(), "payments: the circuit is open, retry after 3s");
/// let rejected = Rejected::find(&*error).unwrap();
/// assert_eq!(rejected.reason(), Reason::CircuitOpen);
/// assert!(rejected.is_unsent());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    layer: Name,
    reason: Reason,
    unsent: bool,
    retry_after: Option<RetryAfter>,
}

impl Rejected {
    /// A rejection for this reason. Only a [`Reason::Timeout`] may have been sent.
    #[inline]
    #[must_use]
    pub const fn new(reason: Reason) -> Self {
        Self::by(Name::literal("tower-ballast"), reason, None)
    }

    #[inline]
    pub(crate) const fn by(layer: Name, reason: Reason, retry_after: Option<RetryAfter>) -> Self {
        Self { layer, reason, unsent: !matches!(reason, Reason::Timeout), retry_after }
    }

    /// Names the layer that rejects.
    #[must_use]
    pub fn layer(mut self, layer: impl Into<Name>) -> Self {
        self.layer = layer.into();
        self
    }

    /// Says when another attempt makes sense.
    #[must_use]
    pub const fn retry_after(mut self, after: RetryAfter) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Says that the request may have reached the service.
    #[must_use]
    pub const fn sent(mut self) -> Self {
        self.unsent = false;
        self
    }

    /// Why the request was rejected.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The name of the layer that rejected it.
    #[must_use]
    pub fn layer_name(&self) -> &str {
        &self.layer
    }

    /// When another attempt makes sense, if the layer knows.
    #[must_use]
    pub const fn after(&self) -> Option<RetryAfter> {
        self.retry_after
    }

    /// Whether the request certainly never reached the service.
    #[must_use]
    pub const fn is_unsent(&self) -> bool {
        self.unsent
    }

    /// What the rejection means to other layers.
    ///
    /// The timeout of an attempt is a failure of the service. Every other rejection says nothing
    /// about it; such a request is repeated only when the layer said when.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        let retry = match (self.reason, self.retry_after) {
            (Reason::Timeout, _) => return Verdict::failure(FailureKind::Timeout),
            (Reason::DeadlinePassed, _) | (_, None) => Retryable::Never,
            (_, Some(_)) => Retryable::Unsent,
        };
        Verdict::Ignore { retry, retry_after: self.retry_after }
    }

    /// The rejection in an error or in one of its sources.
    #[must_use]
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut error = Some(error);
        while let Some(present) = error {
            if let Some(rejected) = present.downcast_ref::<Self>() {
                return Some(rejected);
            }
            // An I/O error that was made from another hides that one from its sources.
            let carried = present.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            error = match carried {
                Some(carried) => Some(carried),
                None => present.source(),
            };
        }
        None
    }

    /// The rejection in an error of any type, `Error` or not; costs nothing for a type that
    /// cannot hold one.
    #[must_use]
    #[inline]
    pub fn find_in<E: 'static>(error: &E) -> Option<&Self> {
        let error = error as &dyn Any;
        match error.downcast_ref::<BoxError>() {
            Some(boxed) => Self::find(&**boxed),
            None => error.downcast_ref::<Self>(),
        }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.layer, self.reason.fact())?;
        match self.retry_after {
            Some(after) => write!(f, ", retry after {:?}", after.delay),
            None => Ok(()),
        }
    }
}

impl Error for Rejected {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] BoxError);

    #[test]
    fn a_rejection_is_at_most_64_bytes() {
        assert!(size_of::<Rejected>() <= 64, "{} bytes", size_of::<Rejected>());
    }

    #[test]
    fn a_rejection_is_found_under_foreign_errors() {
        let inner: BoxError = Rejected::new(Reason::CircuitOpen).into();
        let outer: BoxError = Outer(Outer(inner).into()).into();
        assert_eq!(Rejected::find_in(&outer).unwrap().reason(), Reason::CircuitOpen);
        let carried = io::Error::other(BoxError::from(Rejected::new(Reason::CircuitOpen)));
        assert!(Rejected::find_in::<BoxError>(&Outer(carried.into()).into()).is_some());
        assert!(Rejected::find_in(&String::from("no error at all")).is_none());
        assert!(Rejected::find_in(&Rejected::new(Reason::Timeout)).is_some());
    }

    #[test]
    fn only_the_timeout_of_an_attempt_counts_as_a_failure() {
        assert_eq!(Rejected::new(Reason::Timeout).verdict(), Verdict::timeout());
        assert_eq!(Rejected::new(Reason::DeadlinePassed).verdict(), Verdict::ignore());
    }

    #[test]
    fn our_refusals_are_repeated_only_at_the_moment_they_name() {
        let after = RetryAfter::reserved(Duration::from_millis(20));
        let open = Rejected::new(Reason::CircuitOpen);
        assert_eq!(open.verdict().retryable(), Retryable::Never);
        let verdict = open.retry_after(after).verdict();
        assert_eq!(verdict.retryable(), Retryable::Unsent);
        assert_eq!(verdict.after(), Some(after));
    }
}
