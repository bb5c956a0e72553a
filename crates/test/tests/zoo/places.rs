//! Wrong about when and where they are used.

use std::{
    sync::{Arc, Mutex, OnceLock},
    thread,
    time::Duration,
};

use tokio::runtime::Handle;
use tower::Service;
use tower_ballast_core::clock::{self, Nanos};
use tower_ballast_test::{ScriptError, laws::Subject};

use super::{
    beast::{Beast, polled},
    breaks,
};

#[test]
fn one_that_is_stale_after_a_year() {
    let beast = || {
        Beast::new(Arc::new(Mutex::new(None::<Nanos>))).call(|cage, request| {
            let now = clock::now();
            let last = cage.kept.lock().unwrap().replace(now).unwrap_or(now);
            if now.since(last) > Duration::from_secs(300 * 24 * 3600) {
                return Box::pin(std::future::ready(Err(ScriptError)));
            }
            Box::pin(cage.inner.call(request))
        })
    };
    breaks(
        &Subject::new(beast),
        &["serves_on_after_a_year"],
        "after 400 day(s) of ten calls that should be answered, number 0 got",
    );
}

#[test]
fn one_that_knows_one_thread_only() {
    let beast = || {
        Beast::new(()).call(|cage, request| {
            polled(cage.inner.call(request), thread::current().id(), |response, home, cx| {
                if thread::current().id() == *home {
                    response.poll(cx)
                } else {
                    std::task::Poll::Ready(Err(ScriptError))
                }
            })
        })
    };
    breaks(
        &Subject::new(beast),
        &["moves_between_threads"],
        "on its second thread a response gave",
    );
}

#[test]
fn one_that_lives_on_its_first_runtime() {
    let beast = || {
        Beast::new(Arc::new(OnceLock::new())).call(|cage, request| {
            let home = cage.kept.get_or_init(|| Handle::current().id());
            if *home != Handle::current().id() {
                return Box::pin(std::future::ready(Err(ScriptError)));
            }
            Box::pin(cage.inner.call(request))
        })
    };
    breaks(&Subject::new(beast), &["outlives_its_runtime"], "after shutdown 0 of ten calls");
}
