//! A purge while an answer is on its way.

use std::sync::Arc;

use loom::{model, sync::Mutex, thread};
use tower_ballast_core::epochs::Epochs;

/// What an origin has, and what a store keeps of it.
struct Site {
    epochs: Epochs,
    origin: Mutex<u8>,
    store: Mutex<Option<u8>>,
}

impl Site {
    fn new() -> Arc<Self> {
        let (origin, store) = (Mutex::new(1), Mutex::new(None));
        Arc::new(Self { epochs: Epochs::new(), origin, store })
    }

    fn fill(&self) {
        let epoch = self.epochs.mark(&"key");
        let answer = *self.origin.lock().unwrap();
        let put = || {
            *self.store.lock().unwrap() = Some(answer);
            true
        };
        self.epochs.keep(epoch, put, || *self.store.lock().unwrap() = None);
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
            let other = Arc::clone(&site);
            let filling = thread::spawn(move || other.fill());
            change(&site);
            filling.join().unwrap();
            assert_ne!(*site.store.lock().unwrap(), Some(1));
        });
    }
}

#[test]
fn one_that_replaces_what_is_there_is_purged_like_any_other() {
    model(|| {
        let site = Site::new();
        let other = Arc::clone(&site);
        let replacing = thread::spawn(move || {
            let epoch = other.epochs.mark(&"key");
            let answer = *other.origin.lock().unwrap();
            // Its own purge, after which it goes on only if there was no other.
            let Some(epoch) = other.epochs.purge_since(epoch) else { return };
            *other.store.lock().unwrap() = Some(answer);
            if !other.epochs.is_now(epoch) {
                *other.store.lock().unwrap() = None;
            }
        });
        site.change();
        replacing.join().unwrap();
        assert_ne!(*site.store.lock().unwrap(), Some(1));
    });
}
