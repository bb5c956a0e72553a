//! Wrong in how they wait and wake.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use tower::Service;
use tower_ballast_test::{ScriptError, laws::Subject};

use super::{
    beast::{Beast, polled},
    breaks,
};

#[test]
fn one_that_wakes_while_the_inner_service_is_not_ready() {
    let beast = || {
        Beast::new(()).poll_ready(|cage, cx| {
            let ready = cage.inner.poll_ready(cx);
            if ready.is_pending() {
                cx.waker().wake_by_ref();
            }
            ready
        })
    };
    breaks(
        &Subject::new(beast),
        &["waits_quietly_for_readiness", "lives_over_a_limit"],
        "wake-ups within an hour of pending readiness",
    );
}

#[test]
fn one_that_forgets_that_the_inner_service_is_not_ready() {
    let beast = || {
        Beast::new(()).poll_ready(|cage, cx| {
            let _ = cage.inner.poll_ready(cx);
            Poll::Ready(Ok(()))
        })
    };
    breaks(
        &Subject::new(beast),
        &[
            "waits_quietly_for_readiness",
            "calls_only_what_is_ready",
            "gives_all_back_on_drop",
            "keeps_its_readiness_mode",
            "lives_over_a_limit",
            "reports_readiness_errors",
            "survives_random_drops_and_panics",
            "wakes_the_last_waker",
        ],
        "1 inner call(s) within an hour of pending readiness",
    );
}

#[test]
fn one_that_remembers_its_first_waker() {
    let beast = || {
        Beast::new(()).call(|cage, request| {
            polled(cage.inner.call(request), None::<Waker>, |response, first, cx| {
                let waker = first.get_or_insert_with(|| cx.waker().clone()).clone();
                response.poll(&mut Context::from_waker(&waker))
            })
        })
    };
    breaks(
        &Subject::new(beast),
        &["wakes_the_last_waker", "takes_no_cooperation_for_overload"],
        "the inner response went on, and the task that had polled last was not woken",
    );
}

#[test]
fn one_that_spins() {
    let beast = || {
        Beast::new(()).call(|cage, request| {
            polled(cage.inner.call(request), (), |response, (), cx| {
                cx.waker().wake_by_ref();
                response.poll(cx)
            })
        })
    };
    breaks(
        &Subject::new(beast),
        &[
            "never_spins",
            "gives_each_caller_its_own_answer",
            "lives_over_a_limit",
            "lives_under_a_limit",
        ],
        "wake-ups within a minute",
    );
}

#[test]
fn one_that_loses_wake_ups() {
    let beast = || {
        Beast::new(()).call(|cage, request| {
            polled(cage.inner.call(request), (), |response, (), _| {
                response.poll(&mut Context::from_waker(Waker::noop()))
            })
        })
    };
    breaks(
        &Subject::new(beast),
        &[
            "lives_over_a_limit",
            "wakes_the_last_waker",
            "gives_each_caller_its_own_answer",
            "lives_under_a_limit",
            "panics_break_nothing",
            "takes_no_cooperation_for_overload",
        ],
        "with concurrency_limit(1), after 2 inner calls: no answer: nothing woke its task",
    );
}

#[test]
fn one_that_takes_a_spent_budget_for_overload() {
    let beast = || {
        Beast::new(()).call(|cage, request| {
            if !tokio::task::coop::has_budget_remaining() {
                return Box::pin(std::future::ready(Err(ScriptError)));
            }
            Box::pin(cage.inner.call(request))
        })
    };
    breaks(
        &Subject::new(beast),
        &["takes_no_cooperation_for_overload"],
        "request 0 got the inner service's error",
    );
}

#[test]
fn one_that_is_busy_and_wakes_nobody_when_it_is_free() {
    let beast = || {
        Beast::new(Busy::default())
            .poll_ready(|cage, cx| {
                if cage.kept.0.load(Ordering::SeqCst) {
                    return Poll::Pending;
                }
                cage.inner.poll_ready(cx)
            })
            .call(|cage, request| {
                cage.kept.0.store(true, Ordering::SeqCst);
                let busy = BusyUntilDrop(Arc::clone(&cage.kept.0));
                polled(cage.inner.call(request), busy, |response, _, cx| response.poll(cx))
            })
    };
    breaks(
        &Subject::new(beast),
        &["lives_under_a_limit"],
        "with buffer(1), after 1 inner calls: no answer: nothing woke its task",
    );
}

/// Each clone has its own work.
#[derive(Default)]
struct Busy(Arc<AtomicBool>);

impl Clone for Busy {
    fn clone(&self) -> Self {
        Self::default()
    }
}

struct BusyUntilDrop(Arc<AtomicBool>);

impl Drop for BusyUntilDrop {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}
