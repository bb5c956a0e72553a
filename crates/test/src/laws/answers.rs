use std::time::Duration;

use super::{
    broken,
    crowd::Crowd,
    mount::{HOUR, ask_own, asked},
    outcome::Outcome,
    subject::Testable,
};
use crate::{Readiness, Step, time};

/// On the happy path the inner service is called exactly once, and the caller gets its response.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn answers_with_the_inner_response(subject: &dyn Testable) {
    const LAW: &str = "on the happy path the inner service is called exactly once and the caller \
                       gets its response";
    time::drive(async {
        let mount = subject.mount();
        let mut service = mount.service();
        for number in 0..10 {
            match asked(&mut service, number).await {
                Ok(Outcome::Answer(answer)) if answer == number => {}
                Ok(outcome) => broken(LAW, format!("request {number} got {outcome}")),
                Err(stuck) => broken(LAW, format!("request {number} got {stuck}")),
            }
            let (calls, expected) = (mount.script.tally().calls, number as usize + 1);
            if calls != expected {
                broken(LAW, format!("{calls} inner calls after {expected} requests"));
            }
        }
    });
}

/// Of many callers at once, each gets the response to its own request, and gets it once.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn gives_each_caller_its_own_answer(subject: &dyn Testable) {
    const LAW: &str = "of many callers at once, each gets the response to its own request";
    const CALLERS: u32 = 64;
    time::drive(async {
        let mount = subject.mount();
        for number in 0..CALLERS {
            let late = Duration::from_millis(u64::from(number * 7 % 13));
            mount.script.then(Step::answer().yields(number % 5).after(late));
        }
        let mut crowd = Crowd::new();
        let service = mount.service();
        for number in 0..CALLERS {
            crowd.add(ask_own(service.cloned(), number));
        }
        if let Err(stuck) = crowd.run(HOUR).await {
            broken(LAW, stuck);
        }
        for (number, outcome) in (0..CALLERS).zip(crowd.outputs()) {
            match outcome {
                Some(Outcome::Answer(answer)) if answer == number => {}
                Some(outcome) => broken(LAW, format!("request {number} got {outcome}")),
                None => broken(LAW, format!("request {number} got nothing")),
            }
        }
        let calls = mount.script.tally().calls;
        if calls != CALLERS as usize {
            broken(LAW, format!("{calls} inner calls for {CALLERS} requests"));
        }
    });
}

/// An error of the inner service arrives unchanged, or as a `source()` of the layer's error.
///
/// A layer that answers errors ([`Subject::answers_errors`](super::Subject::answers_errors)) must
/// answer them, with whatever it likes.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn hands_on_inner_errors(subject: &dyn Testable) {
    const LAW: &str = "an inner error arrives unchanged or as a source";
    time::drive(async {
        let mount = subject.mount();
        mount.script.always(Step::fail());
        let mut service = mount.service();
        match asked(&mut service, 1).await {
            Ok(Outcome::Inner) => {}
            Ok(Outcome::Answer(_) | Outcome::Refused(_)) if mount.answers_errors => {}
            Ok(outcome) => broken(LAW, format!("the caller got {outcome}")),
            Err(stuck) => broken(LAW, stuck),
        }
        if mount.script.tally().calls == 0 {
            broken(LAW, "no inner call was made at all");
        }
    });
}

/// An error of the inner service's readiness is reported, twenty times over, without a call being
/// made; and when the inner service is ready again, the layer serves as before.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn reports_readiness_errors(subject: &dyn Testable) {
    const LAW: &str = "errors of the inner readiness are reported, then all is as before";
    time::drive(async {
        let mount = subject.mount();
        let mut service = mount.service();
        mount.script.always_ready(Readiness::fail());
        for round in 1..=20 {
            match asked(&mut service, round).await {
                Ok(Outcome::Inner) => {}
                Ok(Outcome::Answer(_) | Outcome::Refused(_)) if mount.answers_errors => {}
                Ok(outcome) => broken(LAW, format!("readiness error {round} became {outcome}")),
                Err(stuck) => broken(LAW, format!("readiness error {round} became {stuck}")),
            }
        }
        let calls = mount.script.tally().calls;
        if calls != 0 {
            broken(LAW, format!("{calls} calls were made on an inner service that was not ready"));
        }
        mount.script.calm();
        mount.rest().await;
        for mut service in [service, mount.service()] {
            if let Err(seen) = mount.serves_ten(&mut service).await {
                broken(LAW, format!("afterwards, {seen}"));
            }
        }
    });
}
