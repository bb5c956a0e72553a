use super::{
    Scene, broken, drops::all_given_back, mount::asked, outcome::Outcome, subject::Testable,
};
use crate::{Readiness, Step, time};

/// A panic of the inner service in `poll_ready`, in `call` or in `poll` breaks nothing: it is never
/// reported as a success, nothing is left behind, and the next ten calls are served, through the
/// same service and through others.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn panics_break_nothing(subject: &dyn Testable) {
    const LAW: &str = "a panic of the inner service breaks nothing for the next call";
    let places: [Scene; 4] = [
        ("poll_ready", |script| script.then_ready(Readiness::panic())),
        ("call", |script| script.then(Step::panic_in_call())),
        ("poll", |script| script.then(Step::panic())),
        ("a later poll", |script| script.then(Step::panic().yields(2))),
    ];
    time::drive(async {
        for (place, panic) in places {
            let mount = subject.mount();
            mount.script.slots(1);
            let baseline = mount.counts();
            let mut service = mount.service();
            panic(&mount.script);
            let outcome = asked(&mut service, 1).await;
            match outcome {
                Ok(Outcome::Answer(_)) if mount.script.tally().calls < 2 => {
                    broken(LAW, format!("after a panic in {place} the caller got a response"))
                }
                Err(stuck) => {
                    broken(LAW, format!("after a panic in {place} the caller got {stuck}"))
                }
                Ok(_) => {}
            }
            if let Err(seen) = all_given_back(LAW, &mount, &baseline, service).await {
                broken(LAW, format!("after a panic in {place} {seen}"));
            }
        }
    });
}
