use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use tokio::task::coop::consume_budget;

use super::{
    Mount, broken,
    crowd::finish,
    mount::{HOUR, ask},
    outcome::Outcome,
    subject::Testable,
};
use crate::{Probe, Readiness, Step, time};

/// `Pending` means that a waker is registered which will fire, and the last waker wins: when a
/// future is polled with another waker, that one is woken.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn wakes_the_last_waker(subject: &dyn Testable) {
    const LAW: &str = "pending means that a waker is registered, and the last waker wins";
    time::drive(async {
        let mount = subject.mount();
        mount.script.always(Step::hang());
        last_waker_wins(LAW, &mount, "response").await;

        let mount = subject.mount();
        mount.script.always_ready(Readiness::held());
        last_waker_wins(LAW, &mount, "readiness").await;
    });
}

async fn last_waker_wins(law: &str, mount: &Mount, what: &str) {
    let mut service = mount.service();
    let mut call = Box::pin(ask(&mut service, 1));
    let probes = [Probe::new(), Probe::new(), Probe::new()];
    for probe in &probes {
        if let Poll::Ready(outcome) = probe.poll(call.as_mut()) {
            broken(law, format!("while the inner {what} was pending, the caller got {outcome}"));
        }
        // Whatever the layer has spawned gets its turn.
        time::settle().await;
    }
    let [.., last] = &probes;
    let _ = last.was_woken();
    mount.script.calm();
    mount.script.release();
    mount.script.release_ready();
    time::settle().await;
    if !last.was_woken() {
        let seen =
            format!("the inner {what} went on, and the task that had polled last was not woken");
        broken(law, seen);
    }
    match finish(call, HOUR).await {
        Ok(Outcome::Answer(1)) => {}
        Ok(outcome) => broken(law, format!("in the end the caller got {outcome}")),
        Err(stuck) => broken(law, format!("in the end the caller got {stuck}")),
    }
}

/// Nobody spins: a task that waits for the inner response is woken in vain at most four times in
/// the meantime, not a hundred. Timers that end an attempt or begin another are not in vain.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn never_spins(subject: &dyn Testable) {
    const LAW: &str = "nobody spins: a task that waits is not woken in vain";
    time::drive(async {
        let mount = subject.mount();
        mount.script.always(Step::hang());
        let mut service = mount.service();
        let mut call = Box::pin(ask(&mut service, 1));
        let probe = Probe::new();
        let mut ended = probe.poll(call.as_mut()).is_ready();
        let (mut in_vain, mut before) = (0, progress(&mount));
        for _ in 0..60 {
            for _ in 0..16 {
                time::settle().await;
                if ended || !probe.was_woken() {
                    break;
                }
                ended = probe.poll(call.as_mut()).is_ready();
                let now = progress(&mount);
                in_vain += usize::from(!ended && now == before);
                before = now;
            }
            time::jump(Duration::from_secs(1)).await;
        }
        if in_vain > 4 {
            broken(LAW, format!("{in_vain} wake-ups within a minute after which nothing happened"));
        }
    });
}

/// What a wake-up may have been good for: the end of an attempt, or the start of another.
fn progress(mount: &Mount) -> (usize, usize, usize) {
    let tally = mount.script.tally();
    (tally.calls, tally.alive, tally.polled)
}

/// tokio's cooperative `Pending` is no overload: a task that has used up its budget is served, a
/// little later, and not refused.
///
/// # Panics
///
/// When the layer breaks this law.
pub fn takes_no_cooperation_for_overload(subject: &dyn Testable) {
    const LAW: &str = "a task that has used up tokio's cooperative budget is not refused";
    time::drive(async {
        for (ready, step) in [
            (Readiness::now(), Step::answer()),
            (Readiness::now(), Step::answer().cooperative()),
            (Readiness::now().cooperative(), Step::answer().cooperative()),
        ] {
            let mount = subject.mount();
            mount.script.always(step);
            mount.script.always_ready(ready);
            let mut service = mount.service();
            for number in 0..200 {
                let mut call = Box::pin(ask(&mut service, number));
                let early = poll_fn(|cx| {
                    while pin!(consume_budget()).poll(cx).is_ready() {}
                    Poll::Ready(call.as_mut().poll(cx))
                });
                let outcome = match early.await {
                    Poll::Ready(outcome) => Ok(outcome),
                    Poll::Pending => finish(call, Duration::ZERO).await,
                };
                match outcome {
                    Ok(Outcome::Answer(answer)) if answer == number => {}
                    Ok(outcome) => broken(LAW, format!("request {number} got {outcome}")),
                    Err(stuck) => broken(LAW, format!("request {number} got {stuck}")),
                }
            }
        }
    });
}
