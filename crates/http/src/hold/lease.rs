//! Something held for as long as frames come.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Wake, Waker},
    time::Duration,
};

use tokio::{task::unconstrained, time::Sleep};
use tower_ballast_core::{
    Held,
    clock::{self, Nanos},
};

/// Something held until it is dropped, or until too long after it was last renewed.
///
/// The timer does not wake whoever reads the body, which may be stuck with its client, but takes back
/// what is held itself.
pub(super) struct Lease<G> {
    given: Arc<Given<G>>,
    waker: Waker,
    timer: Pin<Box<Sleep>>,
}

struct Given<G> {
    held: Mutex<Option<G>>,
    idle: Duration,
}

impl<G: Held + Send + 'static> Lease<G> {
    pub(super) fn new(held: G, idle: Duration) -> Self {
        let given = Arc::new(Given { held: Mutex::new(Some(held)), idle });
        let waker = Waker::from(Arc::clone(&given));
        let mut lease = Self { given, waker, timer: Box::pin(clock::sleep(idle)) };
        lease.arm();
        lease
    }

    /// Begins the time anew.
    pub(super) fn renew(&mut self) {
        let end: Nanos = clock::now() + self.given.idle;
        self.timer.as_mut().reset(clock::instant(end));
        self.arm();
    }

    fn arm(&mut self) {
        // A task that has used up its turn would be woken at once, which here means that time is up.
        let timer = pin!(unconstrained(self.timer.as_mut()));
        if timer.poll(&mut Context::from_waker(&self.waker)).is_ready() {
            // It will not wake any more.
            self.waker.wake_by_ref();
        }
    }
}

impl<G> Given<G> {
    fn take(&self) -> Option<G> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<G> Drop for Lease<G> {
    fn drop(&mut self) {
        drop(self.given.take());
    }
}

impl<G: Held + Send + 'static> Wake for Given<G> {
    fn wake(self: Arc<Self>) {
        if let Some(held) = self.take() {
            // An observer that panics must not take the runtime's timers along.
            let _ = catch_unwind(AssertUnwindSafe(|| held.expire(self.idle)));
        }
    }
}
