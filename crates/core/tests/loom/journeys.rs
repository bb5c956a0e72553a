//! The hand-over of a cache's fill: its leader goes away, it fails and is made again, and there is a purge meanwhile.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use loom::{future::block_on, model, sync::Mutex, thread};
use tower_ballast_core::{
    epochs::{Epochs, Settled},
    flights::{Calls, Carrier, Journey, Own, Role, Turn},
};

/// What an origin has, and a cache in front of it that keeps it.
struct Cache {
    calls: Calls<u8, u8>,
    epochs: Epochs,
    origin: Mutex<u8>,
    /// What is kept, and whether it may be served.
    store: Mutex<Option<(u8, Arc<Settled>)>>,
    asked: Mutex<u32>,
    failing: u32,
}

type Fill = Journey<Cache, (), u8, u8>;

impl Cache {
    fn new(failing: u32) -> Arc<Self> {
        Arc::new(Self {
            calls: Calls::new(),
            epochs: Epochs::new(),
            origin: Mutex::new(1),
            store: Mutex::new(None),
            asked: Mutex::new(0),
            failing,
        })
    }

    fn begin(self: &Arc<Self>) -> Fill {
        Journey::begin(self, 7, ())
    }

    fn find(&self) -> Option<u8> {
        let store = self.store.lock().unwrap();
        store.as_ref().filter(|(_, settled)| settled.is_settled()).map(|(kept, _)| *kept)
    }

    fn asked(&self) -> u32 {
        *self.asked.lock().unwrap()
    }

    fn change(&self) {
        *self.origin.lock().unwrap() = 2;
        self.epochs.purge(&7_u8);
        self.calls.detach(&7);
        *self.store.lock().unwrap() = None;
    }
}

impl Carrier<()> for Cache {
    type Key = u8;
    type Value = u8;

    fn calls(&self) -> &Calls<u8, u8> {
        &self.calls
    }

    fn longest_wait(&self) -> Duration {
        Duration::MAX
    }

    async fn call(self: Arc<Self>, key: u8, (): (), _: Turn) -> Own<u8> {
        let epoch = self.epochs.mark(&key);
        let answer = *self.origin.lock().unwrap();
        let number = {
            let mut asked = self.asked.lock().unwrap();
            *asked += 1;
            *asked
        };
        let mut has_come = false;
        poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if std::mem::replace(&mut has_come, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        if number <= self.failing {
            return Own::for_all(Err("as the test wants it".into()));
        }
        let settled = Arc::new(Settled::new());
        let put = || {
            *self.store.lock().unwrap() = Some((answer, Arc::clone(&settled)));
            true
        };
        self.epochs.keep(epoch, &settled, put, || *self.store.lock().unwrap() = None);
        Own::for_all(Ok(answer))
    }

    fn count(&self, _: Role) {}
}

fn poll_once(fill: &mut Fill) {
    let _ = pin!(fill).poll(&mut Context::from_waker(Waker::noop()));
}

#[test]
fn a_fill_outlives_its_leader_and_is_made_once() {
    model(|| {
        let cache = Cache::new(0);
        let (mut leader, follower) = (cache.begin(), cache.begin());
        let leave = thread::spawn(move || {
            poll_once(&mut leader);
            drop(leader);
        });
        assert_eq!(block_on(follower).unwrap(), 1);
        leave.join().unwrap();
        assert_eq!((cache.asked(), cache.find(), cache.calls.len()), (1, Some(1), 0));
    });
}

#[test]
fn a_purge_beside_a_leader_that_leaves_brings_nothing_old_back() {
    model(|| {
        let cache = Cache::new(0);
        let (mut leader, follower) = (cache.begin(), cache.begin());
        poll_once(&mut leader);
        let filling = thread::spawn(move || block_on(follower).unwrap());
        let purging = Arc::clone(&cache);
        let purge = thread::spawn(move || purging.change());
        drop(leader);
        purge.join().unwrap();
        // Who comes after the purge joins nobody who came before, and finds nothing of theirs, not for a moment.
        let late = cache.find().unwrap_or_else(|| block_on(cache.begin()).unwrap());
        assert_eq!((late, filling.join().unwrap()), (2, 1));
        assert_eq!((cache.asked(), cache.calls.len()), (2, 0));
        assert_ne!(cache.find(), Some(1));
    });
}

#[test]
fn a_fill_that_fails_is_made_once_more_for_all_who_waited() {
    model(|| {
        let cache = Cache::new(1);
        let mut leader = cache.begin();
        let (one, other) = (cache.begin(), cache.begin());
        poll_once(&mut leader);
        drop(leader);
        let waiting = thread::spawn(move || block_on(one).unwrap());
        assert_eq!(block_on(other).unwrap(), 1);
        assert_eq!(waiting.join().unwrap(), 1);
        assert_eq!((cache.asked(), cache.find(), cache.calls.len()), (2, Some(1), 0));
    });
}

#[test]
fn a_fill_that_was_purged_and_fails_has_an_heir_that_keeps_what_is_new() {
    model(|| {
        let cache = Cache::new(1);
        let (mut leader, follower) = (cache.begin(), cache.begin());
        poll_once(&mut leader);
        let purging = Arc::clone(&cache);
        let purge = thread::spawn(move || purging.change());
        drop(leader);
        let told = block_on(follower).unwrap();
        purge.join().unwrap();
        assert!([1, 2].contains(&told));
        assert_ne!(cache.find(), Some(1), "{told} was told");
        assert_eq!((cache.asked(), cache.calls.len()), (2, 0));
    });
}
