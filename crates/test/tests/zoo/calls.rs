//! Wrong in what they call and what they answer.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
};

use tower::Service;
use tower_ballast_test::{
    ScriptError,
    laws::{Readiness, Subject, Trip},
};

use super::{beast::Beast, breaks};

#[test]
fn one_that_calls_twice() {
    let beast = || {
        Beast::new(()).call(|cage, request| {
            let first = cage.inner.call(request);
            let mut again = cage.inner.clone();
            Box::pin(async move {
                let _ = first.await;
                poll_fn(|cx| again.poll_ready(cx)).await?;
                again.call(request).await
            })
        })
    };
    breaks(
        &Subject::new(beast).readiness(Readiness::FirstAttempt),
        &[
            "answers_with_the_inner_response",
            "gives_each_caller_its_own_answer",
            "keeps_its_readiness_mode",
        ],
        "2 inner calls after 1 requests",
    );
}

#[test]
fn one_that_gives_the_last_request_to_all() {
    let beast = || {
        Beast::new(Arc::new(AtomicU32::new(0))).call(|cage, request| {
            cage.kept.store(request, Ordering::SeqCst);
            let (response, last) = (cage.inner.call(request), cage.kept.clone());
            Box::pin(async move {
                response.await?;
                Ok(last.load(Ordering::SeqCst))
            })
        })
    };
    breaks(
        &Subject::new(beast),
        &["gives_each_caller_its_own_answer", "lives_over_a_limit", "lives_under_a_limit"],
        "request 1 got the response to request 63",
    );
}

#[test]
fn one_that_swallows_errors() {
    let beast = || {
        Beast::new(()).call(|cage, request| {
            let response = cage.inner.call(request);
            Box::pin(async move { Ok(response.await.unwrap_or(0)) })
        })
    };
    breaks(
        &Subject::new(beast),
        &["hands_on_inner_errors"],
        "the caller got the response to request 0",
    );
}

#[test]
fn one_that_ignores_errors_of_readiness() {
    let beast = || Beast::new(()).poll_ready(|cage, cx| cage.inner.poll_ready(cx).map(|_| Ok(())));
    breaks(
        &Subject::new(beast),
        &["reports_readiness_errors", "survives_random_drops_and_panics"],
        "readiness error 1 became the response to request 1",
    );
}

#[test]
fn one_that_never_forgets_an_error_of_readiness() {
    let beast = || {
        Beast::new(None).poll_ready(|cage, cx| {
            if let Some(error) = cage.kept {
                return Poll::Ready(Err(error));
            }
            let ready = cage.inner.poll_ready(cx);
            if let Poll::Ready(Err(error)) = ready {
                cage.kept = Some(error);
            }
            ready
        })
    };
    breaks(
        &Subject::new(beast),
        &["reports_readiness_errors"],
        "afterwards, of ten calls that should be answered, number 0 got the inner service's error",
    );
}

#[test]
fn one_that_keeps_its_state_in_the_service() {
    let beast = || {
        Beast::new(0).call(|cage, request| {
            cage.kept += 1;
            if cage.kept > 100 {
                return Box::pin(std::future::ready(Err(ScriptError)));
            }
            Box::pin(cage.inner.call(request))
        })
    };
    breaks(
        &Subject::new(beast).trip(Trip::Answered(100)),
        &["keeps_its_state_in_the_layer", "takes_no_cooperation_for_overload"],
        "and 1 through a second service of the layer",
    );
}

#[test]
fn one_that_is_not_tripped_at_all() {
    breaks(
        &Subject::new(|| Beast::new(())).trip(Trip::Failing(5)),
        &["keeps_its_state_in_the_layer"],
        "still made 1 inner call(s)",
    );
}

#[test]
fn one_that_calls_a_clone_that_is_not_ready() {
    let beast = || Beast::new(()).call(|cage, request| Box::pin(cage.inner.clone().call(request)));
    breaks(
        &Subject::new(beast),
        &[
            "calls_only_what_is_ready",
            "gives_all_back_on_drop",
            "gives_clones_no_readiness",
            "keeps_its_readiness_mode",
            "lives_over_a_limit",
            "lives_under_a_limit",
            "moves_between_threads",
            "outlives_its_runtime",
            "outlives_ten_thousand_clones",
            "panics_break_nothing",
            "serves_on_after_a_year",
            "survives_random_drops_and_panics",
        ],
        "was made on an instance that had not said it is ready",
    );
}

#[test]
fn one_that_keeps_what_it_asked_beside_what_it_calls() {
    let beast = || {
        Beast::new(())
            .poll_ready(|cage, cx| {
                let _ = cage.inner.poll_ready(cx);
                Poll::Ready(Ok(()))
            })
            .call(|cage, request| {
                let mut clone = cage.inner.clone();
                Box::pin(async move {
                    poll_fn(|cx| clone.poll_ready(cx)).await?;
                    clone.call(request).await
                })
            })
    };
    breaks(
        &Subject::new(beast).readiness(Readiness::Optimistic),
        &[
            "calls_only_what_is_ready",
            "gives_all_back_on_drop",
            "keeps_its_readiness_mode",
            "lives_over_a_limit",
            "panics_break_nothing",
            "serves_on_after_a_year",
        ],
        "1 instance(s) were asked but neither called nor dropped",
    );
}

#[test]
fn one_whose_clones_believe_they_are_ready() {
    let beast = || {
        Beast::new(false)
            .poll_ready(|cage, cx| {
                if !cage.kept {
                    std::task::ready!(cage.inner.poll_ready(cx))?;
                    cage.kept = true;
                }
                Poll::Ready(Ok(()))
            })
            .call(|cage, request| {
                cage.kept = false;
                Box::pin(cage.inner.call(request))
            })
    };
    breaks(
        &Subject::new(beast),
        &["gives_clones_no_readiness"],
        "was made on an instance that had not said it is ready",
    );
}

#[test]
fn one_whose_readiness_is_not_what_it_promises() {
    let modes = [Readiness::Optimistic, Readiness::Always];
    let texts =
        ["did not say ready while the inner service was not", "asked the inner service 1 time"];
    for (mode, text) in modes.into_iter().zip(texts) {
        let subject = Subject::new(|| Beast::new(())).readiness(mode);
        breaks(&subject, &["keeps_its_readiness_mode"], text);
    }
    let eager = || {
        Beast::new(()).poll_ready(|_, _| Poll::Ready(Ok(()))).call(|cage, request| {
            let mut clone = cage.inner.clone();
            Box::pin(async move {
                poll_fn(|cx| clone.poll_ready(cx)).await?;
                clone.call(request).await
            })
        })
    };
    let text = "it said ready while the inner service was not";
    breaks(&Subject::new(eager), &["keeps_its_readiness_mode"], text);
}
