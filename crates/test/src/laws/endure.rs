use std::{task::Poll, thread, time::Duration};

use tokio::runtime::{Builder, Runtime};

use super::{
    Mount, broken,
    crowd::finish,
    drops::all_given_back,
    mount::{AnyService, HOUR, Response, ask_own},
    outcome::Outcome,
    subject::Testable,
};
use crate::{Probe, Step, time};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// When a day, a month and a year pass at once, with a call in flight and without one, the layer
/// serves on.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn serves_on_after_a_year(subject: &dyn Testable) {
    const LAW: &str = "a year that passes at once changes nothing";
    time::drive(async {
        let mount = subject.mount();
        let baseline = mount.counts();
        let mut service = mount.service();
        for days in [1, 30, 400] {
            mount.script.calm();
            mount.script.then(Step::hang());
            let mut held = Box::pin(ask_own(service.cloned(), 1));
            let probe = Probe::new();
            let mut ended = probe.poll(held.as_mut()).is_ready();
            time::jump(DAY * days).await;
            if !ended && probe.was_woken() {
                ended = probe.poll(held.as_mut()).is_ready();
            }
            mount.script.calm();
            mount.script.release();
            if !ended && let Err(stuck) = finish(held.as_mut(), HOUR).await {
                broken(LAW, format!("a call that hung for {days} day(s) got {stuck}"));
            }
            drop(held);
            mount.rest().await;
            for service in [&mut service, &mut mount.service()] {
                if let Err(seen) = mount.serves_ten(service).await {
                    broken(LAW, format!("after {days} day(s) {seen}"));
                }
            }
        }
        if let Err(seen) = all_given_back(LAW, &mount, &baseline, service).await {
            broken(LAW, format!("in the end {seen}"));
        }
    });
}

/// A response may begin on one thread and end on another, and so may a service.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn moves_between_threads(subject: &dyn Testable) {
    const LAW: &str = "responses and services may move between threads";
    let runtime = runtime();
    let mount = subject.mount();
    let baseline = mount.counts();
    let mut service = mount.service();
    for number in 0..20 {
        mount.script.then(Step::hang());
        let begun = begin(&runtime, service.cloned(), number);
        let Err(mut response) = begun else {
            broken(LAW, "a call that hangs was answered");
        };
        mount.script.release();
        runtime.block_on(time::settle());
        let handle = runtime.handle().clone();
        let elsewhere = thread::spawn(move || {
            let _in_the_runtime = handle.enter();
            let polled = Probe::new().poll(response.as_mut());
            // The service is used here, and goes back.
            drop(service.cloned());
            (polled, service)
        });
        let (polled, back) = elsewhere.join().expect("a panic in the layer breaks another law");
        service = back;
        if polled != Poll::Ready(Outcome::Answer(number)) {
            broken(LAW, format!("on its second thread a response gave {polled:?}"));
        }
    }
    if let Err(seen) = runtime.block_on(all_given_back(LAW, &mount, &baseline, service)) {
        broken(LAW, format!("in the end {seen}"));
    }
}

/// When a runtime is shut down with calls in flight, nothing is left of them, and the same service
/// serves on another runtime.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn outlives_its_runtime(subject: &dyn Testable) {
    const LAW: &str = "a service outlives the runtime it was first used on";
    let mount = subject.mount();
    let baseline = mount.counts();
    let service = mount.service();
    for round in 0..3 {
        let first = runtime();
        shut_down_in_flight(&mount, first, &service);
        mount.script.calm();
        mount.script.release();
        let second = runtime();
        let given_back = all_given_back(LAW, &mount, &baseline, service.cloned());
        if let Err(seen) = second.block_on(given_back) {
            broken(LAW, format!("after shutdown {round} {seen}"));
        }
    }
}

/// Leaves calls behind that hang, wait for a retry, and sleep.
fn shut_down_in_flight(mount: &Mount, runtime: Runtime, service: &AnyService) {
    for step in [Step::hang(), Step::fail(), Step::answer().after(HOUR)] {
        mount.script.then(step);
        let call = ask_own(service.cloned(), 1);
        runtime.block_on(async {
            tokio::spawn(call);
            time::settle().await;
        });
    }
    drop(runtime);
}

/// Begins a call and leaves it; the outcome when it is there at once.
fn begin(runtime: &Runtime, service: AnyService, number: u32) -> Result<Outcome, Response> {
    runtime.block_on(async {
        let mut response: Response = Box::pin(ask_own(service, number));
        let polled = Probe::new().poll(response.as_mut());
        time::settle().await;
        match polled {
            Poll::Ready(outcome) => Ok(outcome),
            Poll::Pending => Err(response),
        }
    })
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O asks nothing of the system that could fail")
}
