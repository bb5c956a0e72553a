use std::task::Poll;

use super::{
    Mount, broken,
    mount::AnyService,
    readiness::{answered, no_breach},
    subject::{Readiness as Mode, Testable},
};
use crate::{Probe, Readiness, time};

/// `poll_ready` does what its mode promises ([`Readiness`](Mode)).
///
/// # Panics
///
/// When the layer breaks this law.
pub fn keeps_its_readiness_mode(subject: &dyn Testable) {
    time::drive(async {
        match subject.mount().settings.readiness {
            Mode::PassThrough | Mode::FirstAttempt => passes_readiness_through(&subject.mount()),
            Mode::Optimistic => is_optimistic(subject).await,
            Mode::Always => is_always_ready(subject).await,
        }
    });
}

fn passes_readiness_through(mount: &Mount) {
    const LAW: &str = "a layer that passes readiness through is ready when the inner service is, \
                       and calls that instance at once";
    mount.script.then_ready(Readiness::held());
    let (mut service, probe) = (mount.service(), Probe::new());
    if probe.with(|cx| service.poll_ready(cx)).is_ready() {
        broken(LAW, "it said ready while the inner service was not");
    }
    mount.script.release_ready();
    match probe.with(|cx| service.poll_ready(cx)) {
        Poll::Ready(Ok(())) => {}
        other => broken(LAW, format!("once the inner service was ready, it said {other:?}")),
    }
    calls_at_once(LAW, mount, &mut service);
}

async fn is_optimistic(subject: &dyn Testable) {
    const LAW: &str = "an optimistic layer always says ready, calls at once when the inner \
                       service was ready, and waits for it in the response otherwise";
    let mount = subject.mount();
    let (mut service, probe) = (mount.service(), Probe::new());
    if !matches!(probe.with(|cx| service.poll_ready(cx)), Poll::Ready(Ok(()))) {
        broken(LAW, "over a ready inner service it did not say ready");
    }
    if mount.script.tally().ready_polls == 0 {
        broken(LAW, "it did not ask the inner service");
    }
    calls_at_once(LAW, &mount, &mut service);
    waits_in_the_response(LAW, subject).await;
}

async fn is_always_ready(subject: &dyn Testable) {
    const LAW: &str = "a layer that is always ready says so without asking the inner service";
    let mount = subject.mount();
    let mut service = mount.service();
    if !matches!(Probe::new().with(|cx| service.poll_ready(cx)), Poll::Ready(Ok(()))) {
        broken(LAW, "it did not say ready");
    }
    let polls = mount.script.tally().ready_polls;
    if polls != 0 {
        broken(LAW, format!("`poll_ready` asked the inner service {polls} time(s)"));
    }
    waits_in_the_response(LAW, subject).await;
}

async fn waits_in_the_response(law: &str, subject: &dyn Testable) {
    let mount = subject.mount();
    mount.script.always_ready(Readiness::held());
    let (mut service, probe) = (mount.service(), Probe::new());
    if !matches!(probe.with(|cx| service.poll_ready(cx)), Poll::Ready(Ok(()))) {
        broken(law, "it did not say ready while the inner service was not");
    }
    let mut response = service.call(1);
    if let Poll::Ready(outcome) = probe.poll(response.as_mut()) {
        broken(law, format!("while the inner service was not ready, the caller got {outcome}"));
    }
    let calls = mount.script.tally().calls;
    if calls != 0 {
        broken(law, format!("{calls} inner call(s) were made before the inner service was ready"));
    }
    mount.script.always_ready(Readiness::now());
    mount.script.release_ready();
    answered(law, response, 1).await;
}

fn calls_at_once(law: &str, mount: &Mount, service: &mut AnyService) {
    let polls = mount.script.tally().ready_polls;
    let mut response = service.call(1);
    let _ = Probe::new().poll(response.as_mut());
    let tally = mount.script.tally();
    if tally.calls != 1 {
        broken(law, format!("{} inner calls after one call on a ready service", tally.calls));
    }
    if tally.ready_polls != polls {
        broken(law, "the call asked for readiness once more, so another instance was called");
    }
    no_breach(law, mount);
}
