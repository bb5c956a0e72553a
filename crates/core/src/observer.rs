//! Who is told of events.

use std::{fmt, sync::Arc};

use crate::Event;

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
