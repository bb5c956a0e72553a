//! A handler that can be held up, and knows how many were in it at once.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use tokio::sync::{Semaphore, mpsc};

/// Where requests stop until they are let go.
#[derive(Debug, Clone)]
pub(super) struct Station {
    inside: Arc<AtomicU32>,
    most: Arc<AtomicU32>,
    exit: Arc<Semaphore>,
    arrivals: mpsc::UnboundedSender<()>,
}

impl Station {
    /// The station, and a word for everyone who arrives.
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<()>) {
        let (arrivals, arrived) = mpsc::unbounded_channel();
        let (inside, most, exit) = (Arc::default(), Arc::default(), Arc::new(Semaphore::new(0)));
        (Self { inside, most, exit, arrivals }, arrived)
    }

    /// Stays until it is let go.
    pub(super) async fn stop(&self) {
        let inside = self.inside.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(inside, SeqCst);
        let _ = self.arrivals.send(());
        self.exit.acquire().await.unwrap().forget();
        self.inside.fetch_sub(1, SeqCst);
    }

    /// Lets so many go, now or when they come.
    pub(super) fn release(&self, count: usize) {
        self.exit.add_permits(count);
    }

    /// The most that were there at once.
    pub(super) fn most(&self) -> u32 {
        self.most.load(SeqCst)
    }
}
