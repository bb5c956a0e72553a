//! Numbers from a run, and what the protected one promises.

use std::{collections::BTreeMap, time::Duration};

use tower_ballast_core::Priority;

use super::{
    load::{Outcome, Sample},
    storm::Run,
    upstream::Weather,
};

/// A run counts as recovered in the first second in which so many requests got a good answer.
pub(crate) const RECOVERED: f64 = 0.95;

/// How some requests fared.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fare {
    /// The share that got a good answer.
    pub(crate) success: f64,
    /// Half of the answers came within this time.
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Fare {
    /// With the times of all answers, good or bad.
    pub(crate) fn of<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> Self {
        Self::with_times_of(samples, |_| true)
    }

    fn with_times_of<'a>(
        samples: impl IntoIterator<Item = &'a Sample>,
        is_timed: impl Fn(&Sample) -> bool,
    ) -> Self {
        let samples: Vec<_> = samples.into_iter().collect();
        let which = samples.iter().filter(|sample| is_timed(sample));
        let mut times: Vec<_> = which.map(|sample| sample.took).collect();
        times.sort_unstable();
        let good = samples.iter().filter(|sample| sample.outcome == Outcome::Good).count();
        Self {
            success: share(good, samples.len()),
            p50: percentile(&times, 50),
            p99: percentile(&times, 99),
        }
    }
}

impl Run {
    /// How the requests of one phase fared.
    pub(crate) fn fare(&self, phase: usize) -> Fare {
        Fare::of(self.samples.iter().filter(|sample| sample.phase == phase))
    }

    /// How the requests of the phase with this name fared.
    fn fare_in(&self, name: &str) -> Fare {
        self.fare(self.phase(name))
    }

    /// How those of one priority fared in the flood, with the times of the good answers: how long they waited.
    pub(crate) fn fare_in_flood(&self, priority: Priority) -> Fare {
        let flood = self.phase("flood");
        let is_it = |sample: &&Sample| sample.phase == flood && sample.priority == priority;
        let is_good = |sample: &Sample| sample.outcome == Outcome::Good;
        Fare::with_times_of(self.samples.iter().filter(is_it), is_good)
    }

    fn phase(&self, name: &str) -> usize {
        let phase = self.phases.iter().position(|phase| phase.name == name);
        phase.expect("the script has this phase")
    }

    /// What one request cost the upstream.
    #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
    pub(crate) fn calls_per_request(&self) -> f64 {
        self.calls as f64 / self.samples.len().max(1) as f64
    }

    /// From the end of the outage to the first second that was good again; `None` if none was.
    pub(crate) fn recovery(&self) -> Option<Duration> {
        const SECOND: Duration = Duration::from_secs(1);
        let mut after: Vec<_> =
            self.samples.iter().filter(|sample| sample.sent >= self.outage_end).collect();
        after.sort_unstable_by_key(|sample| sample.sent);
        let last = after.last()?.sent;
        let starts =
            after.iter().map(|sample| sample.sent).take_while(|start| *start + SECOND <= last);
        let good = starts.into_iter().find(|start| {
            let second =
                after.iter().filter(|sample| (*start..*start + SECOND).contains(&sample.sent));
            Fare::of(second.copied()).success >= RECOVERED
        });
        good.map(|start| start.saturating_sub(self.outage_end))
    }

    /// How often each bad outcome occurred.
    pub(crate) fn bad(&self) -> BTreeMap<&Outcome, usize> {
        let mut counts = BTreeMap::new();
        for sample in self.samples.iter().filter(|sample| sample.outcome != Outcome::Good) {
            *counts.entry(&sample.outcome).or_default() += 1;
        }
        counts
    }

    /// Within which time nine of ten refusals in the outage were given; `None` without refusals.
    pub(crate) fn refusal_p90(&self) -> Option<Duration> {
        let refused = self.samples.iter().filter(|sample| self.was_refused(sample));
        let mut times: Vec<_> = refused.map(|sample| sample.took).collect();
        times.sort_unstable();
        (!times.is_empty()).then(|| percentile(&times, 90))
    }

    /// How long the time after the outage was watched.
    pub(crate) fn watched(&self) -> Duration {
        self.phases.last().map_or(Duration::ZERO, |phase| phase.length)
    }

    fn was_refused(&self, sample: &Sample) -> bool {
        self.phases[sample.phase].weather == Weather::Outage
            && matches!(sample.outcome, Outcome::Refused(_))
    }
}

/// A sentence about the protected run that is true or not.
#[derive(Debug)]
pub(crate) struct Promise {
    pub(crate) claim: &'static str,
    pub(crate) seen: String,
    pub(crate) kept: bool,
}

/// What protection is for, measured.
pub(crate) fn promises(run: &Run) -> [Promise; 9] {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let calm = run.fare_in("calm").success;
    let failed = 1.0 - run.fare_in("errors").success;
    let (slow, flood, breath) =
        (run.fare_in("slow").success, run.fare_in("flood").success, run.fare_in("breath").success);
    let high = run.fare_in_flood(Priority::High).success;
    let calls = run.calls_per_request();
    let refusal = run.refusal_p90();
    let recovery = run.recovery();
    [
        Promise {
            claim: "every request of the calm gets a good answer",
            seen: percent(calm),
            kept: calm >= 1.0,
        },
        Promise {
            claim: "slowed to half of the load, the upstream's work is not in vain",
            seen: percent(slow),
            kept: slow >= 0.4,
        },
        Promise {
            claim: "flooded with twice what it can do, it does what it can",
            seen: percent(flood),
            kept: flood >= 0.4,
        },
        Promise {
            claim: "in the flood requests of high priority get a good answer",
            seen: percent(high),
            kept: high >= 0.98,
        },
        Promise {
            claim: "after the flood 95 of 100 requests get a good answer at once",
            seen: percent(breath),
            kept: breath >= 0.95,
        },
        Promise {
            claim: "of 8 errors in 100 requests, callers see no more than 4",
            seen: percent(failed),
            kept: failed <= 0.04,
        },
        Promise {
            claim: "a request costs the upstream no more than 1.1 calls",
            seen: format!("{calls:.2}"),
            kept: calls <= 1.1,
        },
        Promise {
            claim: "nine of ten refusals in the outage take less than 50 ms",
            seen: refusal
                .map_or("none".to_owned(), |took| format!("{:.1} ms", 1e3 * took.as_secs_f64())),
            kept: refusal.is_some_and(|took| took < Duration::from_millis(50)),
        },
        Promise {
            claim: "the service has recovered within 5 s of the outage",
            seen: recovery.map_or("no".to_owned(), |took| format!("{:.1} s", took.as_secs_f64())),
            kept: recovery.is_some_and(|took| took <= Duration::from_secs(5)),
        },
    ]
}

#[allow(clippy::cast_precision_loss, reason = "a few thousand")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// The value below which `percent` of the sorted `times` lie; zero for none.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    let place = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times.get(place).copied().unwrap_or_default()
}
