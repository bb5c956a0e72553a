use std::{task::Poll, time::Duration};

use super::{
    Mount, broken,
    crowd::{Crowd, finish},
    mount::{AnyService, HOUR, Response, ask, ask_own, asked},
    outcome::Outcome,
    subject::Testable,
};
use crate::{Probe, Readiness, Step, time};

/// The inner service is called only on the very instance whose `poll_ready` said ready, once per
/// readiness; and an instance that was asked but is not called is dropped, not kept.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn calls_only_what_is_ready(subject: &dyn Testable) {
    const LAW: &str = "the inner service is called only on the instance that said it is ready, \
                       and no instance that was asked is kept beside the call";
    time::drive(async {
        for ready in [Readiness::now(), Readiness::now().pending(1), Readiness::now().pending(3)] {
            for step in [Step::answer(), Step::answer().yields(3), Step::fail()] {
                let mount = subject.mount();
                mount.script.always(step);
                mount.script.always_ready(ready);
                let mut service = mount.service();
                let mut crowd = Crowd::new();
                for number in 0..8 {
                    crowd.add(ask_own(service.cloned(), number));
                }
                let _ = crowd.run(HOUR).await;
                drop(crowd);
                let mut may_keep = 0;
                for number in 0..8 {
                    // Who refuses without a clone to put in its place keeps what was ready.
                    let refused =
                        matches!(asked(&mut service, number).await, Ok(Outcome::Refused(_)));
                    may_keep = usize::from(refused);
                }
                no_breach(LAW, &mount);
                nothing_kept(LAW, &mount, may_keep, "between two calls");
            }
        }
        keeps_nothing_beside_a_call(LAW, &subject.mount()).await;
        waits_with_one_instance_at_most(LAW, &subject.mount()).await;
    });
}

async fn keeps_nothing_beside_a_call(law: &str, mount: &Mount) {
    mount.script.always(Step::hang());
    let mut service = mount.service();
    let mut response = ready_and_call(law, mount, &mut service).await;
    let _ = Probe::new().poll(response.as_mut());
    nothing_kept(law, mount, 0, "while a call is in flight");
}

async fn waits_with_one_instance_at_most(law: &str, mount: &Mount) {
    mount.script.always_ready(Readiness::held());
    let mut service = mount.service();
    let probe = Probe::new();
    let response = match probe.with(|cx| service.poll_ready(cx)) {
        Poll::Ready(Ok(())) => {
            let mut response = service.call(1);
            let _ = probe.poll(response.as_mut());
            Some(response)
        }
        _ => None,
    };
    nothing_kept(law, mount, 1, "while one request waits for the inner service");
    mount.script.release_ready();
    if let Some(response) = response {
        let _ = finish(response, HOUR).await;
        nothing_kept(law, mount, 0, "after a request that had to wait");
    }
    no_breach(law, mount);
}

/// A clone of the service carries no readiness: it is asked and called on its own, and the
/// service that was ready before it was cloned still is.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn gives_clones_no_readiness(subject: &dyn Testable) {
    const LAW: &str = "a clone carries no readiness, and takes none away";
    time::drive(async {
        let mount = subject.mount();
        let mut first = mount.service();
        // What frameworks do: they make one ready, leave a clone in its place, and call it.
        for number in 0..5 {
            let response = {
                make_ready(LAW, &mount, &mut first).await;
                let clone = first.cloned();
                let mut ready = std::mem::replace(&mut first, clone);
                ready.call(number)
            };
            answered(LAW, response, number).await;
        }
        make_ready(LAW, &mount, &mut first).await;
        let mut second = first.cloned();
        match asked(&mut second, 6).await {
            Ok(Outcome::Answer(6)) => {}
            Ok(outcome) => broken(LAW, format!("the clone of a ready service got {outcome}")),
            Err(stuck) => broken(LAW, format!("the clone of a ready service got {stuck}")),
        }
        let response = first.call(7);
        answered(LAW, response, 7).await;
        no_breach(LAW, &mount);
    });
}

/// While the inner service is not ready nothing is called, for however long, and the waiting task
/// is woken at most four times.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn waits_quietly_for_readiness(subject: &dyn Testable) {
    const LAW: &str = "while the inner service is not ready nothing is called, and nobody is \
                       woken in vain";
    time::drive(async {
        let mount = subject.mount();
        mount.script.always_ready(Readiness::held());
        let mut service = mount.service();
        let mut call = Box::pin(ask(&mut service, 1));
        let probe = Probe::new();
        let mut ended = probe.poll(call.as_mut()).is_ready();
        for _ in 0..100 {
            time::jump(Duration::from_secs(36)).await;
            if !ended && probe.was_woken() {
                ended = probe.poll(call.as_mut()).is_ready();
            }
        }
        let calls = mount.script.tally().calls;
        if calls != 0 {
            broken(LAW, format!("{calls} inner call(s) within an hour of pending readiness"));
        }
        if probe.wakes() > 4 {
            broken(LAW, format!("{} wake-ups within an hour of pending readiness", probe.wakes()));
        }
        drop(call);
        mount.script.calm();
        mount.rest().await;
        for mut service in [service, mount.service()] {
            mount.script.release_ready();
            if let Err(seen) = mount.serves_ten(&mut service).await {
                broken(LAW, format!("afterwards, {seen}"));
            }
        }
    });
}

pub(super) fn no_breach(law: &str, mount: &Mount) {
    if let Some(violation) = mount.script.violations().first() {
        broken(law, violation);
    }
}

fn nothing_kept(law: &str, mount: &Mount, most: usize, when: &str) {
    let polled = mount.script.tally().polled;
    if polled > most {
        let seen =
            format!("{when}, {polled} instance(s) were asked but neither called nor dropped");
        broken(law, seen);
    }
}

async fn make_ready(law: &str, mount: &Mount, service: &mut AnyService) {
    match finish(std::future::poll_fn(|cx| service.poll_ready(cx)), HOUR).await {
        Ok(Ok(())) => {}
        Ok(Err(outcome)) => broken(law, format!("readiness ended in {outcome}")),
        Err(stuck) => broken(law, format!("readiness gave {stuck}; {:?}", mount.script.tally())),
    }
}

async fn ready_and_call(law: &str, mount: &Mount, service: &mut AnyService) -> Response {
    make_ready(law, mount, service).await;
    service.call(1)
}

pub(super) async fn answered(law: &str, response: Response, number: u32) {
    match finish(response, HOUR).await {
        Ok(Outcome::Answer(answer)) if answer == number => {}
        Ok(outcome) => broken(law, format!("request {number} got {outcome}")),
        Err(stuck) => broken(law, format!("request {number} got {stuck}")),
    }
}
