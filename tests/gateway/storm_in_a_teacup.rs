//! The whole demonstration, in short: nothing here depends on how fast the machine is.

use std::time::Duration;

use super::{
    figures,
    load::Outcome,
    protection::Protection,
    report,
    storm::{self, FLOOD, Phase, RATE},
    upstream::Weather,
};

const TEACUP: [Phase; 7] = [
    Phase::new("calm", Weather::Calm, RATE, Duration::from_millis(400)),
    Phase::new("slow", Weather::Slow, RATE, Duration::from_millis(300)),
    Phase::new("errors", Weather::Errors, RATE, Duration::from_millis(300)),
    Phase::new("flood", Weather::Calm, FLOOD, Duration::from_millis(300)),
    Phase::new("breath", Weather::Calm, RATE, Duration::from_millis(300)),
    Phase::new("outage", Weather::Outage, RATE, Duration::from_millis(800)),
    Phase::new("recovery", Weather::Calm, RATE, Duration::from_millis(300)),
];

/// What holds in a few tenths of a second each as well. Others need their time: a second that is good again, or a
/// queue that has drained.
const KEPT: [&str; 5] = [
    "every request of the calm gets a good answer",
    "slowed to half of the load, the upstream's work is not in vain",
    "flooded with twice what it can do, it does what it can",
    "in the flood requests of high priority get a good answer",
    "a request costs the upstream no more than 1.1 calls",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_runs_go_from_end_to_end() {
    let mut runs = Vec::new();
    for protection in [Protection::Off, Protection::On] {
        let seconds = std::sync::Mutex::new(Vec::new());
        let run = storm::run(&TEACUP, protection, |phase, at, answered| {
            seconds.lock().unwrap().push(report::second(phase, at, answered));
        });
        let run = run.await.unwrap();
        assert_eq!(seconds.into_inner().unwrap().len(), TEACUP.len(), "{protection:?}");
        for (number, phase) in TEACUP.iter().enumerate() {
            assert!(run.samples.iter().any(|sample| sample.phase == number), "{}", phase.name);
        }
        assert!(run.samples.iter().any(|sample| sample.outcome == Outcome::Good), "{protection:?}");
        assert!(run.calls > 0);
        runs.push(run);
    }
    let table = report::table(&runs[0], &runs[1]);
    for phase in TEACUP {
        assert!(table.contains(phase.name), "{table}");
    }
    assert!(runs[1].figures.as_ref().unwrap().contains("GET"), "{:?}", runs[1].figures);
    let promises = figures::promises(&runs[1]);
    for claim in KEPT {
        let promise = promises.iter().find(|promise| promise.claim == claim).unwrap();
        assert!(promise.kept, "{claim}: {}", promise.seen);
    }
    assert_eq!(report::verdict(&promises).lines().count(), 1 + promises.len());
}
