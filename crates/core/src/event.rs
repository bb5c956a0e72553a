//! What layers tell of themselves.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use crate::{Name, Rejected};

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
    /// An error was hidden from the client; its text is [`Event::detail`].
    ErrorHidden,
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
            Self::ErrorHidden => "error_hidden",
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
    /// Which attempt it was about, counted from 1.
    pub attempt: u32,
    /// How long something will or did take.
    pub delay: Duration,
    /// Puts changes of state in the order in which they happened, from 1; racing threads may
    /// tell them in another.
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
        let delay = match rejected.after() {
            Some(after) => after.delay,
            None => Duration::ZERO,
        };
        Self::new(EventKind::Refused).reason(rejected.reason().as_str()).delay(delay)
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

    /// Says which change of state it was.
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

/// Someone who is told what layers do.
///
/// Closures `Fn(&Event)` are observers, and so is a pair of observers. An observer is called on
/// the request's own path: it must be quick, and must not block.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use tower_ballast_core::{Event, EventKind, Observer, Reporter};
///
/// let seen = Arc::new(Mutex::new(Vec::new()));
/// let log = Arc::clone(&seen);
///
/// let reporter = Reporter::new("payments");
/// reporter.observe(move |event: &Event<'_>| log.lock().unwrap().push(event.to_string()));
/// reporter.tell(|| Event::new(EventKind::Retrying).attempt(2));
///
/// assert_eq!(*seen.lock().unwrap(), ["payments retrying attempt=2"]);
/// ```
pub trait Observer {
    /// Is told one event.
    fn on_event(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>)> Observer for F {
    fn on_event(&self, event: &Event<'_>) {
        self(event);
    }
}

/// An observer that can be given to several layers.
///
/// ```
/// use tower_ballast_core::{Event, Reporter, SharedObserver};
///
/// let log = SharedObserver::new(|event: &Event<'_>| println!("{event}"));
/// Reporter::new("one").observe_with(log.clone());
/// Reporter::new("other").observe_with(log);
/// ```
#[derive(Clone)]
pub struct SharedObserver(Arc<dyn Observer + Send + Sync>);

impl SharedObserver {
    /// Shares `observer`.
    pub fn new<O: Observer + Send + Sync + 'static>(observer: O) -> Self {
        Self(Arc::new(observer))
    }
}

impl Observer for SharedObserver {
    fn on_event(&self, event: &Event<'_>) {
        self.0.on_event(event);
    }
}

impl fmt::Debug for SharedObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedObserver")
    }
}

/// Tells each of two observers, the first one first.
#[derive(Debug, Clone, Copy)]
pub struct Both<A, B>(pub A, pub B);

impl<A: Observer, B: Observer> Observer for Both<A, B> {
    fn on_event(&self, event: &Event<'_>) {
        self.0.on_event(event);
        self.1.on_event(event);
    }
}

/// A layer's name and its observer: the part of its shared state that speaks.
///
/// Both are set once, before traffic flows; a later word is not heard. Without an observer,
/// telling costs one load and a branch, and the event is not even made.
pub struct Reporter {
    default: &'static str,
    name: OnceLock<Name>,
    observer: OnceLock<Box<dyn Observer + Send + Sync>>,
}

impl Reporter {
    /// For a layer whose name is `default` until it is given one.
    #[must_use]
    pub const fn new(default: &'static str) -> Self {
        Self { default, name: OnceLock::new(), observer: OnceLock::new() }
    }

    /// Names the layer. The first name stays.
    pub fn rename(&self, name: impl Into<Name>) {
        let _ = self.name.set(name.into());
    }

    /// The layer's name.
    #[inline]
    #[must_use]
    pub fn name(&self) -> Name {
        self.name.get().cloned().unwrap_or(Name::literal(self.default))
    }

    /// The layer's name, if it is a literal.
    #[inline]
    #[must_use]
    pub fn literal_name(&self) -> Option<&'static str> {
        match self.name.get() {
            Some(name) => name.as_literal(),
            None => Some(self.default),
        }
    }

    /// Tells a closure from now on. The first observer stays.
    pub fn observe<F>(&self, on_event: F)
    where
        F: Fn(&Event<'_>) + Send + Sync + 'static,
    {
        self.observe_with(on_event);
    }

    /// Tells `observer` from now on. The first observer stays.
    pub fn observe_with<O: Observer + Send + Sync + 'static>(&self, observer: O) {
        let _ = self.observer.set(Box::new(observer));
    }

    /// Whether anyone listens.
    #[inline]
    #[must_use]
    pub fn is_observed(&self) -> bool {
        self.observer.get().is_some()
    }

    /// Tells the event that `event` makes, if anyone listens and the thread is not panicking.
    #[inline]
    pub fn tell<'a>(&'a self, event: impl FnOnce() -> Event<'a>) {
        if let Some(observer) = self.observer.get() {
            self.tell_someone(&**observer, event());
        }
    }

    #[cold]
    fn tell_someone<'a>(&'a self, observer: &dyn Observer, mut event: Event<'a>) {
        if !std::thread::panicking() {
            event.layer = self.name.get().map_or(self.default, |name| name);
            observer.on_event(&event);
        }
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter")
            .field("name", &self.name())
            .field("observed", &self.is_observed())
            .finish_non_exhaustive()
    }
}
