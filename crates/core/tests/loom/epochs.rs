//! A purge while an answer is on its way.

use std::sync::Arc;

use loom::{model, sync::Mutex, thread};
use tower_ballast_core::epochs::{Epoch, Epochs, Settled};

/// What an origin has, and what a store keeps of it, as both caches do.
struct Site {
    epochs: Epochs,
    origin: Mutex<u8>,
    store: Mutex<Option<Arc<Stored>>>,
}

struct Stored {
    answer: u8,
    settled: Settled,
}

impl Site {
    fn new() -> Arc<Self> {
        let (origin, store) = (Mutex::new(1), Mutex::new(None));
        Arc::new(Self { epochs: Epochs::new(), origin, store })
    }

    fn fill(&self) {
        let epoch = self.epochs.mark(&"key");
        let answer = *self.origin.lock().unwrap();
        self.put(epoch, answer);
    }

    fn put(&self, epoch: Epoch, answer: u8) {
        let stored = Arc::new(Stored { answer, settled: Settled::new() });
        let put = || {
            *self.store.lock().unwrap() = Some(Arc::clone(&stored));
            true
        };
        self.epochs.keep(epoch, &stored.settled, put, || *self.store.lock().unwrap() = None);
    }

    /// What is served.
    fn look(&self) -> Option<u8> {
        let stored = self.store.lock().unwrap().clone()?;
        stored.settled.is_settled().then_some(stored.answer)
    }

    fn change(&self) {
        *self.origin.lock().unwrap() = 2;
        self.epochs.purge(&"key");
        *self.store.lock().unwrap() = None;
    }

    fn change_all(&self) {
        *self.origin.lock().unwrap() = 2;
        self.epochs.purge_all();
        *self.store.lock().unwrap() = None;
    }
}

#[test]
fn what_was_there_before_a_purge_is_not_kept_after_it() {
    for change in [Site::change, Site::change_all] {
        model(move || {
            let site = Site::new();
            let (filling, purging) = (spawn(&site, Site::fill), spawn(&site, change));
            purging.join().unwrap();
            // The other one may still be putting it.
            assert_ne!(site.look(), Some(1));
            filling.join().unwrap();
            assert!(site.store.lock().unwrap().as_ref().is_none_or(|stored| stored.answer == 2));
        });
    }
}

#[test]
fn one_that_replaces_what_is_there_is_purged_like_any_other() {
    model(|| {
        let site = Site::new();
        let replacing = spawn(&site, |site| {
            let epoch = site.epochs.mark(&"key");
            let answer = *site.origin.lock().unwrap();
            // Its own purge, after which it goes on only if there was no other.
            let Some(epoch) = site.epochs.purge_since(epoch) else { return };
            site.put(epoch, answer);
        });
        let purging = spawn(&site, Site::change);
        purging.join().unwrap();
        assert_ne!(site.look(), Some(1));
        replacing.join().unwrap();
        assert!(site.store.lock().unwrap().as_ref().is_none_or(|stored| stored.answer == 2));
    });
}

fn spawn(site: &Arc<Site>, act: fn(&Site)) -> thread::JoinHandle<()> {
    let site = Arc::clone(site);
    thread::spawn(move || act(&site))
}
