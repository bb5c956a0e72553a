use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// A waker that counts how often it was woken.
///
/// Poll a future with one probe and then with another, and you see which of the two it remembers:
/// the last waker must win.
///
/// ```
/// use std::{pin::pin, task::Poll};
/// use tower_ballast_test::Probe;
///
/// let (first, last) = (Probe::new(), Probe::new());
/// let (send, receive) = tokio::sync::oneshot::channel();
/// let mut receive = pin!(receive);
///
/// assert!(first.poll(receive.as_mut()).is_pending());
/// assert!(last.poll(receive.as_mut()).is_pending());
/// send.send(7).unwrap();
///
/// assert_eq!((first.wakes(), last.wakes()), (0, 1));
/// assert_eq!(last.poll(receive.as_mut()), Poll::Ready(Ok(7)));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Probe {
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    wakes: AtomicUsize,
    woken: AtomicBool,
}

impl Probe {
    /// A probe that nobody has woken yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How often this probe was woken so far.
    #[must_use]
    pub fn wakes(&self) -> usize {
        self.seen.wakes.load(Ordering::SeqCst)
    }

    /// Whether it was woken since the last time this was asked.
    #[must_use]
    pub fn was_woken(&self) -> bool {
        self.seen.woken.swap(false, Ordering::SeqCst)
    }

    /// The waker itself, for a [`Context`] of your own.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.seen))
    }

    /// Polls a future once, with this probe as its waker.
    pub fn poll<F: Future + ?Sized>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        self.with(|cx| future.poll(cx))
    }

    /// Runs `ask` with a context that holds this probe, for `poll_ready` and its kind.
    ///
    /// ```
    /// use tower_ballast_test::{Probe, Readiness, Scripted};
    /// use tower_service::Service;
    ///
    /// let mut backend = Scripted::echo();
    /// backend.script().then_ready(Readiness::held());
    ///
    /// let probe = Probe::new();
    /// assert!(probe.with(|cx| backend.poll_ready(cx)).is_pending());
    /// backend.script().release_ready();
    /// assert_eq!(probe.wakes(), 1);
    /// assert!(probe.with(|cx| backend.poll_ready(cx)).is_ready());
    /// ```
    pub fn with<T>(&self, ask: impl FnOnce(&mut Context<'_>) -> T) -> T {
        ask(&mut Context::from_waker(&self.waker()))
    }
}

impl Wake for Seen {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        self.woken.store(true, Ordering::SeqCst);
    }
}
