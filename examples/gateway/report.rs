//! What is printed: plain text, one line for each second, then the table.

use std::{
    collections::BTreeSet,
    fmt::{self, Write},
    time::Duration,
};

use tower_ballast_core::Priority;

use super::{
    figures::{Fare, Promise, RECOVERED},
    load::{Outcome, Sample},
    protection::{AT_ONCE, ATTEMPT, ATTEMPTS, PAUSE, Protection, WHOLE},
    storm::{FLOOD, Phase, RATE, Run},
    upstream::{QUEUE, WORK, WORKERS},
};

/// What is about to be shown.
pub(crate) fn opening() -> String {
    let capacity = (Duration::from_secs(1).as_nanos() / WORK.as_nanos()) * WORKERS as u128;
    format!(
        "callers --> gateway --> upstream, over real sockets of loopback\n\
         {RATE} requests a second, whatever happens, {FLOOD} in the flood; the upstream can do {capacity}\n\
         ({WORKERS} workers, {} ms each, a queue of {QUEUE}), and a third of that when it is slow",
        WORK.as_millis()
    )
}

/// The line above the seconds of a run.
pub(crate) fn heading(protection: Protection) -> &'static str {
    match protection {
        Protection::Off => "\nprotection off",
        Protection::On => "\nprotection on",
    }
}

/// What callers got within one second.
pub(crate) fn second(phase: &Phase, at: Duration, answered: &[Sample]) -> String {
    const WIDTH: usize = 25;
    let fare = Fare::of(answered);
    let good = answered.iter().filter(|sample| sample.outcome == Outcome::Good).count();
    let full = (good * WIDTH).checked_div(answered.len()).unwrap_or(0);
    format!(
        "  {:<9}{:>3} s  {}{}  {} good   p50 {}   p99 {}",
        phase.name,
        at.as_secs(),
        "█".repeat(full),
        "░".repeat(WIDTH - full),
        percent(fare.success),
        millis(fare.p50),
        millis(fare.p99),
    )
}

/// Both runs side by side.
pub(crate) fn table(off: &Run, on: &Run) -> String {
    let mut out = Table(String::from("\n"));
    out.line("", "protection off", "protection on");
    out.fares(
        "",
        ["good", "p50", "p99"].map(String::from),
        ["good", "p50", "p99"].map(String::from),
    );
    out.rule();
    for (number, phase) in off.phases.iter().enumerate() {
        out.fares(phase.name, fare(off.fare(number)), fare(on.fare(number)));
    }
    out.rule();
    for priority in Priority::ALL {
        let label = format!("flood, {} priority", priority.as_str());
        let of = |run: &Run| fare(run.fare_in_flood(priority));
        out.fares(&label, of(off), of(on));
    }
    out.rule();
    out.fares("all", fare(Fare::of(&off.samples)), fare(Fare::of(&on.samples)));
    out.rule();
    let mut both = |label: &str, of: &dyn Fn(&Run) -> String| out.line(label, &of(off), &of(on));
    both("upstream calls per request", &|run| format!("{:.2}", run.calls_per_request()));
    both("upstream work done in vain", &|run| percent(run.in_vain));
    both("time to recover", &|run| match run.recovery() {
        Some(took) => format!("{:.1} s", took.as_secs_f64()),
        None => format!("not in {} s", run.watched().as_secs()),
    });
    out.rule();
    let (bad_off, bad_on) = (off.bad(), on.bad());
    for outcome in bad_off.keys().chain(bad_on.keys()).collect::<BTreeSet<_>>() {
        let count = |count: Option<&usize>| count.map_or("-".to_owned(), usize::to_string);
        out.line(&outcome.to_string(), &count(bad_off.get(outcome)), &count(bad_on.get(outcome)));
    }
    out.rule();
    out.0.push_str(&caption());
    out.0
}

/// The promises, each with what was seen.
pub(crate) fn verdict(promises: &[Promise]) -> String {
    let mut out = String::from("with protection on,\n");
    for Promise { claim, seen, kept } in promises {
        let word = if *kept { "ok" } else { "BROKEN" };
        let _ = writeln!(out, "    {claim:<64}{seen:>10}   {word}");
    }
    out
}

fn caption() -> String {
    format!(
        "  good: the right answer, whole. p50, p99: the time to any answer, good or bad;\n  \
           of the four priorities, to a good one.\n  \
           calls per request: less than one where some requests are refused and never sent.\n  \
           time to recover: until the first second with {:.0} % good answers.\n  \
           off: what a service does by habit; reads are sent up to {ATTEMPTS} times, {} ms apart, with {} ms\n  \
           for each. on: the presets http_server and http_client, with the same {} ms, {} ms in\n  \
           all, {AT_ONCE} at once, and their other times a tenth of the defaults or less, so that a storm is soon over.\n",
        100.0 * RECOVERED,
        PAUSE.as_millis(),
        ATTEMPT.as_millis(),
        ATTEMPT.as_millis(),
        WHOLE.as_millis(),
    )
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("good"),
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::Failed(how) => write!(f, "failed: {how}"),
        }
    }
}

/// Lines of a label and two columns.
#[derive(Debug)]
struct Table(String);

impl Table {
    fn line(&mut self, label: &str, off: &str, on: &str) {
        let _ = writeln!(self.0, "  {label:<36}{off:>26}  {on:>26}");
    }

    fn fares(&mut self, label: &str, off: [String; 3], on: [String; 3]) {
        let join = |[good, p50, p99]: [String; 3]| format!("{good:>8}{p50:>9}{p99:>9}");
        self.line(label, &join(off), &join(on));
    }

    fn rule(&mut self) {
        let _ = writeln!(self.0, "  {}", "─".repeat(36 + 26 + 2 + 26));
    }
}

fn fare(fare: Fare) -> [String; 3] {
    [percent(fare.success), millis(fare.p50), millis(fare.p99)]
}

fn percent(share: f64) -> String {
    format!("{:5.1} %", 100.0 * share)
}

fn millis(time: Duration) -> String {
    match time.as_millis() {
        0 => "  <1 ms".to_owned(),
        millis => format!("{millis:4} ms"),
    }
}
