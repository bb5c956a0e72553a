use std::{sync::Arc, time::Duration};

use tokio::sync::{Semaphore, mpsc};

use super::{
    Mount, Scene, broken,
    crowd::Crowd,
    drops::all_given_back,
    mount::{AnyService, HOUR, Response, ask, ask_own},
    outcome::Outcome,
    readiness::no_breach,
    subject::Testable,
};
use crate::{Probe, Step, time};

const CALLERS: u32 = 32;

/// Over an inner service whose readiness is a scarce thing that is held, as that of tower's
/// `concurrency_limit(1)` and `buffer(1)`, every caller is answered, though others are dropped
/// while they wait or when they are ready.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn lives_over_a_limit(subject: &dyn Testable) {
    const LAW: &str = "over an inner service whose readiness holds its only slot, all callers \
                       are answered";
    let limits: [Scene; 2] = [
        ("concurrency_limit(1)", |script| script.slots(1)),
        ("buffer(1)", |script| script.places(1)),
    ];
    time::drive(async {
        for (name, limit) in limits {
            for step in [Step::answer(), Step::answer().yields(2), Step::answer().after(TICK)] {
                let mount = subject.mount();
                limit(&mount.script);
                mount.script.always(step);
                let baseline = mount.counts();
                let service = mount.service();
                rude_callers(&service);
                let mut crowd = Crowd::new();
                for number in 0..CALLERS {
                    crowd.add(ask_own(service.cloned(), number));
                }
                all_answered(LAW, name, &mount, crowd).await;
                if let Err(seen) = all_given_back(LAW, &mount, &baseline, service).await {
                    broken(LAW, format!("over {name}, {seen}"));
                }
            }
        }
    });
}

/// Under a service that lets one call through at a time, as tower's `concurrency_limit(1)`, and
/// behind a worker that owns the only instance, as under tower's `buffer(1)`, every caller is
/// answered.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn lives_under_a_limit(subject: &dyn Testable) {
    const LAW: &str = "under a limit of one call at a time, and behind a worker, all callers are \
                       answered";
    time::drive(async {
        for step in [Step::answer(), Step::answer().yields(2), Step::answer().after(TICK)] {
            let mount = subject.mount();
            mount.script.always(step);
            let (service, gate) = (mount.service(), Arc::new(Semaphore::new(1)));
            let mut crowd = Crowd::new();
            for number in 0..CALLERS {
                crowd.add(under_gate(Arc::clone(&gate), service.cloned(), number));
            }
            all_answered(LAW, "concurrency_limit(1)", &mount, crowd).await;
            if mount.script.tally().peak > 1 {
                broken(LAW, "a response outlived its call, so two were in flight");
            }

            let mount = subject.mount();
            mount.script.always(step);
            let (send, receive) = mpsc::channel(1);
            let worker = tokio::spawn(work(mount.service(), receive));
            let mut crowd = Crowd::new();
            for number in 0..CALLERS {
                crowd.add(through_worker(send.clone(), number));
            }
            all_answered(LAW, "buffer(1)", &mount, crowd).await;
            worker.abort();
        }
    });
}

const TICK: Duration = Duration::from_millis(10);

/// Some who become ready and go, and some who go while they wait.
fn rude_callers(service: &AnyService) {
    let probe = Probe::new();
    let mut rude = Vec::new();
    for number in 0..8 {
        let mut call: Response = Box::pin(ask_own(service.cloned(), number));
        let _ = probe.poll(call.as_mut());
        rude.push(call);
    }
    let mut ready = service.cloned();
    let _ = probe.with(|cx| ready.poll_ready(cx));
    // The last to come is the first to go, so that each leaves others behind that wait.
    while rude.pop().is_some() {}
}

async fn under_gate(gate: Arc<Semaphore>, mut service: AnyService, number: u32) -> Outcome {
    let _slot = gate.acquire().await.expect("nobody closes the gate");
    ask(&mut service, number).await
}

type Message = (u32, tokio::sync::oneshot::Sender<Result<Response, Outcome>>);

/// tower's buffer in small: one task owns the service and calls it, the callers poll.
async fn work(mut service: AnyService, mut messages: mpsc::Receiver<Message>) {
    while let Some((number, caller)) = messages.recv().await {
        let ready = std::future::poll_fn(|cx| service.poll_ready(cx)).await;
        let _ = caller.send(ready.map(|()| service.call(number)));
    }
}

async fn through_worker(worker: mpsc::Sender<Message>, number: u32) -> Outcome {
    let gone = || Outcome::Refused("the worker is gone".to_owned());
    let (send, receive) = tokio::sync::oneshot::channel();
    if worker.send((number, send)).await.is_err() {
        return gone();
    }
    match receive.await {
        Ok(Ok(response)) => response.await,
        Ok(Err(outcome)) => outcome,
        Err(_) => gone(),
    }
}

async fn all_answered(law: &str, name: &str, mount: &Mount, mut crowd: Crowd<'_, Outcome>) {
    if let Err(stuck) = crowd.run(HOUR).await {
        let tally = mount.script.tally();
        broken(law, format!("with {name}, after {} inner calls: {stuck}", tally.calls));
    }
    for (number, outcome) in (0..CALLERS).zip(crowd.outputs()) {
        match outcome {
            Some(Outcome::Answer(answer)) if answer == number => {}
            Some(outcome) => broken(law, format!("with {name}, request {number} got {outcome}")),
            None => broken(law, format!("with {name}, request {number} got nothing")),
        }
    }
    no_breach(law, mount);
}
