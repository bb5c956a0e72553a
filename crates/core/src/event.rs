//! What layers tell of themselves.

use std::{fmt, time::Duration};

use crate::{Reason, Rejected, RetryAfter};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A request was refused, or would have been (see [`Event::shadow`]).
    Refused,
    /// A failed request will be sent again, after [`Event::delay`].
    Retrying,
    /// A failed request could have been sent again and is not, for [`Event::reason`].
    RetryStopped,
    /// The layer went from one state to another: [`Event::from`] and [`Event::to`].
    StateChanged,
    /// A request was given up because it took too long.
    TimedOut,
    /// A person or program changed a setting.
    SettingsChanged,
    /// A limit that finds itself moved, from [`Event::limit_from`] to [`Event::limit_to`], for
    /// [`Event::reason`].
    LimitChanged,
    /// An error was hidden from the client; its text is [`Event::detail`].
    ErrorHidden,
    /// A fallback took the place of an outcome, for [`Event::reason`].
    FellBack,
    /// A fallback was wanted and not to be had, for [`Event::reason`].
    FallbackMissed,
    /// A response goes on without what it held, such as a permit: nothing of it had come for
    /// [`Event::delay`].
    HoldExpired,
}

impl EventKind {
    /// The name used in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Retrying => "retrying",
            Self::RetryStopped => "retry_stopped",
            Self::StateChanged => "state_changed",
            Self::TimedOut => "timed_out",
            Self::SettingsChanged => "settings_changed",
            Self::LimitChanged => "limit_changed",
            Self::ErrorHidden => "error_hidden",
            Self::FellBack => "fell_back",
            Self::FallbackMissed => "fallback_missed",
            Self::HoldExpired => "hold_expired",
        }
    }
}

/// One thing that a layer tells of itself: a flat record, the same for all layers.
///
/// Fields that make no sense for its [`kind`](Event::kind) are empty or zero.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Event<'a> {
    /// What happened.
    pub kind: EventKind,
    /// The name of the layer.
    pub layer: &'a str,
    /// Why, as a word with a bounded set of values: good for a metric's label.
    pub reason: &'static str,
    /// The state that was left.
    pub from: &'static str,
    /// The state that was entered.
    pub to: &'static str,
    /// The limit that was left.
    pub limit_from: u32,
    /// The limit that holds now.
    pub limit_to: u32,
    /// Which attempt it was about, counted from 1.
    pub attempt: u32,
    /// How long something will or did take.
    pub delay: Duration,
    /// Puts changes of state, or of a limit, in the order in which they happened, from 1; racing
    /// threads may tell them in another.
    pub sequence: u64,
    /// Whether a refusal was only reported and not carried out.
    pub shadow: bool,
    /// An error's text, only where it is hidden from clients.
    pub detail: Option<&'a dyn fmt::Display>,
}

impl<'a> Event<'a> {
    /// An event of this kind about which nothing else is known yet.
    #[must_use]
    pub const fn new(kind: EventKind) -> Self {
        Self {
            kind,
            layer: "",
            reason: "",
            from: "",
            to: "",
            limit_from: 0,
            limit_to: 0,
            attempt: 0,
            delay: Duration::ZERO,
            sequence: 0,
            shadow: false,
            detail: None,
        }
    }

    /// The refusal that `rejected` stands for.
    #[must_use]
    pub const fn refused(rejected: &Rejected) -> Self {
        Self::refusal(rejected.reason(), rejected.after())
    }

    pub(crate) const fn refusal(reason: Reason, after: Option<RetryAfter>) -> Self {
        let delay = match after {
            Some(after) => after.delay,
            None => Duration::ZERO,
        };
        Self::new(EventKind::Refused).reason(reason.as_str()).delay(delay)
    }

    /// Says why.
    #[must_use]
    pub const fn reason(mut self, reason: &'static str) -> Self {
        self.reason = reason;
        self
    }

    /// Says which state was left and which was entered.
    #[must_use]
    pub const fn states(mut self, from: &'static str, to: &'static str) -> Self {
        self.from = from;
        self.to = to;
        self
    }

    /// Says which limit was left and which holds now.
    #[must_use]
    pub const fn limits(mut self, from: u32, to: u32) -> Self {
        self.limit_from = from;
        self.limit_to = to;
        self
    }

    /// Says which attempt it was about.
    #[must_use]
    pub const fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// Says how long something will or did take.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Says which change it was.
    #[must_use]
    pub const fn sequence(mut self, sequence: u64) -> Self {
        self.sequence = sequence;
        self
    }

    /// Says whether it was only reported.
    #[must_use]
    pub const fn shadow(mut self, shadow: bool) -> Self {
        self.shadow = shadow;
        self
    }

    /// Adds the text of an error.
    #[must_use]
    pub const fn detail(mut self, detail: &'a dyn fmt::Display) -> Self {
        self.detail = Some(detail);
        self
    }
}

/// Written as one line, each field only when it says something.
impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.layer, self.kind.as_str())?;
        for (name, value) in [("reason", self.reason), ("from", self.from), ("to", self.to)] {
            if !value.is_empty() {
                write!(f, " {name}={value}")?;
            }
        }
        if self.limit_from != self.limit_to {
            write!(f, " limit_from={} limit_to={}", self.limit_from, self.limit_to)?;
        }
        if self.attempt > 0 {
            write!(f, " attempt={}", self.attempt)?;
        }
        if !self.delay.is_zero() {
            write!(f, " delay={:?}", self.delay)?;
        }
        if self.shadow {
            write!(f, " shadow")?;
        }
        match self.detail {
            // Escaped, so that a hostile text cannot start a line of its own.
            Some(detail) => write!(f, " detail={:?}", detail.to_string()),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Event({self})")
    }
}
