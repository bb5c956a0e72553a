//! Wrong in what they leave behind.

use std::{
    mem::ManuallyDrop,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicI32, AtomicU32, Ordering},
    },
};

use tower::Service;
use tower_ballast_test::{
    ScriptError,
    laws::{self, Fuse, Subject},
};

use super::{beast::Beast, breaks};

#[test]
fn one_that_goes_on_when_its_caller_has_gone() {
    let beast = || {
        Beast::new(()).call(|cage, request| {
            let response = cage.inner.call(request);
            Box::pin(async move { tokio::spawn(response).await.unwrap_or(Err(ScriptError)) })
        })
    };
    breaks(
        &Subject::new(beast),
        &[
            "gives_all_back_on_drop",
            "outlives_ten_thousand_clones",
            "survives_random_drops_and_panics",
        ],
        "1 inner call(s) were still alive",
    );
}

#[test]
fn one_that_counts_down_after_an_await() {
    let beast = || {
        Beast::new(Arc::new(AtomicI32::new(0))).call(|cage, request| {
            let (response, count) = (cage.inner.call(request), cage.kept.clone());
            Box::pin(async move {
                count.fetch_add(1, Ordering::SeqCst);
                let outcome = response.await;
                count.fetch_sub(1, Ordering::SeqCst);
                outcome
            })
        })
    };
    let subject = Subject::new(beast).counts(|beast| beast.kept().load(Ordering::SeqCst));
    breaks(
        &subject,
        &[
            "gives_all_back_on_drop",
            "lives_over_a_limit",
            "outlives_its_runtime",
            "outlives_ten_thousand_clones",
            "panics_break_nothing",
            "survives_random_drops_and_panics",
        ],
        "the layer counts 1 where it began with 0",
    );
}

#[test]
fn one_that_leaks_only_in_a_crowd() {
    let beast = || {
        Beast::new(Arc::new(AtomicU32::new(0))).call(|cage, request| {
            let (response, alive) = (cage.inner.call(request), Guest::new(&cage.kept));
            Box::pin(async move {
                let outcome = response.await;
                drop(alive);
                outcome
            })
        })
    };
    let subject = Subject::new(beast).counts(|beast| beast.kept().load(Ordering::SeqCst));
    breaks(
        &subject,
        &["survives_random_drops_and_panics", "lives_over_a_limit", "outlives_ten_thousand_clones"],
        "the layer counts",
    );
}

/// A guest that is not counted out when it leaves while just six others are there.
struct Guest(Arc<AtomicU32>);

impl Guest {
    fn new(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if self.0.load(Ordering::SeqCst) != 7 {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

#[test]
fn one_that_counts_its_clones() {
    let beast = || {
        Beast::new(Census::default()).call(|cage, request| {
            if cage.kept.clones.load(Ordering::SeqCst) > 5_000 {
                return Box::pin(std::future::ready(Err(ScriptError)));
            }
            Box::pin(cage.inner.call(request))
        })
    };
    breaks(
        &Subject::new(beast),
        &["outlives_ten_thousand_clones", "survives_random_drops_and_panics"],
        "number 0 got the inner service's error",
    );
}

#[derive(Default)]
struct Census {
    clones: Arc<AtomicU32>,
}

impl Clone for Census {
    fn clone(&self) -> Self {
        self.clones.fetch_add(1, Ordering::SeqCst);
        Self { clones: Arc::clone(&self.clones) }
    }
}

#[test]
fn one_that_is_poisoned_by_a_panic() {
    let beast = || {
        Beast::new(Arc::new(Mutex::new(()))).call(|cage, request| {
            let _locked = cage.kept.lock().unwrap();
            Box::pin(cage.inner.call(request))
        })
    };
    breaks(
        &Subject::new(beast),
        &["panics_break_nothing", "survives_random_drops_and_panics"],
        "after a panic in call of ten calls that should be answered, number 0 got a panic",
    );
}

#[test]
fn one_that_forgets_its_responses() {
    let beast = || {
        Beast::new(()).call(|cage, request| {
            let mut response = ManuallyDrop::new(Box::pin(cage.inner.call(request)));
            Box::pin(std::future::poll_fn(move |cx| Future::poll(response.as_mut(), cx)))
        })
    };
    breaks(
        &Subject::new(beast),
        &[
            "gives_all_back_on_drop",
            "lives_over_a_limit",
            "lives_under_a_limit",
            "moves_between_threads",
            "outlives_its_runtime",
            "outlives_ten_thousand_clones",
            "panics_break_nothing",
            "serves_on_after_a_year",
            "survives_random_drops_and_panics",
        ],
        "nothing woke its task",
    );
}

#[test]
fn one_that_is_poisoned_by_a_closure_of_its_user() {
    let fuse = Fuse::new();
    let within = fuse.clone();
    let beast = move || {
        Beast::new((Arc::new(Mutex::new(())), within.clone())).call(|cage, request| {
            let _locked = cage.kept.0.lock().unwrap();
            cage.kept.1.touch();
            Box::pin(cage.inner.call(request))
        })
    };
    let broken = catch_unwind(AssertUnwindSafe(|| {
        laws::panicking_closures_break_nothing(&Subject::new(beast), &fuse);
    }));
    let message = broken.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("after 1 panic(s) of ten calls"), "{message}");
}

#[test]
fn one_that_never_asks_its_closure() {
    let broken = catch_unwind(|| {
        laws::panicking_closures_break_nothing(&Subject::new(|| Beast::new(())), &Fuse::new());
    });
    let message = broken.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("never asked the closure"), "{message}");
}
