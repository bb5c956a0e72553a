use std::{task::Poll, time::Duration};

use super::{
    Mount, broken,
    mount::{AnyService, ask_own},
    readiness::no_breach,
    subject::Testable,
};
use crate::{Probe, Readiness, Step, time};

/// Dropping a response at any moment, after 0 to 12 polls, gives back everything: no inner call is
/// alive, no slot below is held, every number of the layer is what it was, and the next ten calls
/// are served.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn gives_all_back_on_drop(subject: &dyn Testable) {
    const LAW: &str = "dropping a response at any moment gives back everything";
    let steps = [
        ("yields", Step::answer().yields(40)),
        ("hangs", Step::hang()),
        ("is slow", Step::answer().after(Duration::from_secs(5))),
        ("answers late", Step::answer().yields(4)),
        ("fails late", Step::fail().yields(3)),
        ("fails", Step::fail()),
    ];
    let readinesses = [Readiness::now(), Readiness::now().pending(5), Readiness::held()];
    time::drive(async {
        for (name, step) in steps {
            for ready in readinesses {
                for polls in 0..=12 {
                    let mount = subject.mount();
                    mount.script.slots(1);
                    mount.script.always(step);
                    mount.script.always_ready(ready);
                    let baseline = mount.counts();
                    let service = mount.service();
                    drop_after(polls, service.cloned()).await;
                    all_given_back(LAW, &mount, &baseline, service).await.unwrap_or_else(|seen| {
                        broken(
                            LAW,
                            format!("dropped after {polls} polls of a call that {name}, {seen}"),
                        )
                    });
                }
            }
        }
        drops_the_ready(LAW, &subject.mount()).await;
    });
}

/// Polls a whole call so often, letting everything else go on in between, and drops it.
async fn drop_after(polls: usize, service: AnyService) {
    let mut call = Box::pin(ask_own(service, 1));
    let probe = Probe::new();
    for _ in 0..polls {
        if probe.poll(call.as_mut()).is_ready() {
            break;
        }
        if !probe.was_woken() {
            // Backoffs and latencies go by in parts, so the drop hits them in their midst.
            tokio::time::advance(Duration::from_millis(70)).await;
        }
    }
}

async fn drops_the_ready(law: &str, mount: &Mount) {
    mount.script.slots(1);
    let baseline = mount.counts();
    let service = mount.service();
    let mut ready = service.cloned();
    let _ = Probe::new().with(|cx| ready.poll_ready(cx));
    drop(ready);
    // Called, and its response never polled.
    let mut called = service.cloned();
    if let Poll::Ready(Ok(())) = Probe::new().with(|cx| called.poll_ready(cx)) {
        drop(called.call(1));
    }
    drop(called);
    if let Err(seen) = all_given_back(law, mount, &baseline, service).await {
        broken(law, format!("after a ready service and an unpolled response were dropped, {seen}"));
    }
}

pub(super) async fn all_given_back(
    law: &str,
    mount: &Mount,
    baseline: &str,
    service: AnyService,
) -> Result<(), String> {
    time::settle().await;
    let tally = mount.script.tally();
    if tally.alive != 0 {
        return Err(format!("{} inner call(s) were still alive", tally.alive));
    }
    if tally.polled != 0 {
        return Err(format!("{} inner instance(s) still held their readiness", tally.polled));
    }
    let counts = mount.counts();
    if counts != baseline {
        return Err(format!("the layer counts {counts} where it began with {baseline}"));
    }
    no_breach(law, mount);
    mount.script.calm();
    mount.rest().await;
    for mut service in [service, mount.service()] {
        mount.serves_ten(&mut service).await?;
    }
    Ok(())
}

/// Ten thousand clones, some of them ready and some called, are dropped, and every count is back.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn outlives_ten_thousand_clones(subject: &dyn Testable) {
    const LAW: &str = "ten thousand clones leave nothing behind";
    time::drive(async {
        let mount = subject.mount();
        mount.script.always(Step::hang());
        let baseline = mount.counts();
        let service = mount.service();
        let (mut clones, mut responses) = (Vec::new(), Vec::new());
        for number in 0..10_000 {
            let mut clone = service.cloned();
            if number % 100 == 0
                && let Poll::Ready(Ok(())) = Probe::new().with(|cx| clone.poll_ready(cx))
                && number % 200 == 0
            {
                let mut response = clone.call(number);
                let _ = Probe::new().poll(response.as_mut());
                responses.push(response);
            }
            clones.push(clone);
        }
        drop(clones);
        drop(responses);
        if let Err(seen) = all_given_back(LAW, &mount, &baseline, service).await {
            broken(LAW, seen);
        }
    });
}
