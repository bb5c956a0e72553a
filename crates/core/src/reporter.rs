//! The part of a layer's state that speaks.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use crate::{BoxError, Event, Name, Observer, Reason, Rejected, RetryAfter};

/// A layer's name and its observer: the part of its shared state that speaks.
///
/// Both are set once, before traffic flows; a later word is not heard. Without an observer,
/// telling costs one load and a branch, and the event is not even made.
pub struct Reporter {
    default: &'static str,
    name: OnceLock<Name>,
    observer: OnceLock<Arc<dyn Observer + Send + Sync>>,
}

impl Reporter {
    /// For a layer whose name is `default` until it is given one.
    #[must_use]
    pub const fn new(default: &'static str) -> Self {
        Self { default, name: OnceLock::new(), observer: OnceLock::new() }
    }

    /// The same name and the same observer, for a layer whose state is a copy.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self { default: self.default, name: self.name.clone(), observer: self.observer.clone() }
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
        let _ = self.observer.set(Arc::new(observer));
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

    /// Tells that this layer refuses a request, and makes the error for its caller: in its box at
    /// once, since each move of a rejection costs as much as the box.
    ///
    /// ```
    /// use tower_ballast_core::{Reason, Rejected, Reporter};
    ///
    /// let error = Reporter::new("reports").reject(Reason::BulkheadFull, None);
    /// assert_eq!(Rejected::find(&*error).unwrap().layer_name(), "reports");
    /// ```
    #[inline]
    pub fn reject(&self, reason: Reason, after: Option<RetryAfter>) -> BoxError {
        self.tell(|| Event::refusal(reason, after));
        Box::new(Rejected::by(self.name(), reason, after))
    }

    /// Tells that this layer would refuse a request, which it lets through.
    #[cold]
    pub fn spare(&self, reason: Reason, after: Option<RetryAfter>) {
        self.tell(|| Event::refusal(reason, after).shadow(true));
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
