//! Measures the layers beside their peers and writes what it finds.

#![allow(
    clippy::disallowed_methods,
    reason = "real time is what is measured here"
)]

mod breaker;
mod bulkhead;
mod cache;
mod counting;
mod harness;
mod http_cache;
mod loopback;
mod metrics;
mod rate_limit;
mod report;
mod retry;
mod services;
mod stack;
mod timeout;

use std::{env, fs, process::ExitCode, time::Duration};

use harness::{Bar, Case, TWO_THREADS};

const USAGE: &str = "\
Usage: peers [--smoke | --out FILE | --only TEXT | --loopback | --memory]

  --smoke      each case for an instant
  --out FILE   writes the page as well
  --only TEXT  the cases whose name contains TEXT, and what they are compared with, for 10 seconds
  --loopback   a server on loopback alone, for 10 seconds
  --memory     what the limits of many keys hold, alone
";
const TIME: Duration = Duration::from_secs(120);
const ONLY: Duration = Duration::from_secs(10);
const SMOKE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => run(cases(), TIME, true, None),
        ["--smoke"] => run(cases(), SMOKE, true, None),
        ["--out", file] => run(cases(), TIME, true, Some(file)),
        ["--loopback"] => {
            print!("{}", report::table(&loopback::findings(ONLY)));
            ExitCode::SUCCESS
        }
        ["--memory"] => {
            print!("{}", rate_limit::memory());
            ExitCode::SUCCESS
        }
        ["--only", text] => run(named(text), ONLY, false, None),
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn cases() -> Vec<Case> {
    [
        retry::cases(),
        breaker::cases(),
        timeout::cases(),
        bulkhead::cases(),
        cache::cases(),
        http_cache::cases().into(),
        metrics::cases(),
        rate_limit::cases(),
        stack::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a case cannot be judged without.
fn needs(case: &Case) -> Vec<&'static str> {
    let (other, bar) = case.against.unzip();
    let control = matches!(bar, Some(Bar::Throughput(_))).then_some(TWO_THREADS);
    other.into_iter().chain(control).collect()
}

/// The cases whose name contains `text`, and those that they are compared with.
fn named(text: &str) -> Vec<Case> {
    let mut wanted: Vec<&str> = Vec::new();
    let mut found: Vec<&str> = cases()
        .iter()
        .map(|case| case.name)
        .filter(|name| name.contains(text))
        .collect();
    while !found.is_empty() {
        wanted.append(&mut found);
        found = cases()
            .iter()
            .filter(|case| wanted.contains(&case.name))
            .flat_map(needs)
            .filter(|name| !wanted.contains(name))
            .collect();
    }
    cases()
        .into_iter()
        .filter(|case| wanted.contains(&case.name))
        .collect()
}

fn run(cases: Vec<Case>, time: Duration, whole: bool, file: Option<&str>) -> ExitCode {
    let circumstances = report::circumstances();
    let (findings, rounds) = harness::measure(cases, time);
    let circumstances = format!(
        "{circumstances}- Load after the run: {}\n- Rounds: {rounds}\n",
        report::load()
    );
    let mut table = report::table(&findings);
    if whole {
        let loopback = loopback::findings(time / 4);
        table.push_str(LOOPBACK);
        table.push_str(&report::table(&loopback));
        table.push_str(MEMORY);
        table.push_str(&rate_limit::memory());
        table.push_str(include_str!("../../notes.md"));
    }
    let page = format!("{}\n{circumstances}\n{table}", INTRODUCTION);
    print!("{circumstances}\n{table}");
    match file.map(|file| (file, fs::write(file, page))) {
        None | Some((_, Ok(()))) => ExitCode::SUCCESS,
        Some((file, Err(error))) => {
            eprintln!("{file}: {error}");
            ExitCode::FAILURE
        }
    }
}

const LOOPBACK: &str = "
## axum on loopback

Nanoseconds of processor time of the server for one request, kernel included: a router of one route that
answers with a few bytes, asked for in batches of 50 on one connection, served by a thread of its own.

";

const MEMORY: &str = "
## Keys of a rate limit

Bytes of the heap after each of so many keys was let through once.

";

const INTRODUCTION: &str = "\
# The layers beside their peers

Written by `cargo xtask bench`. Each case is `ready().await.call().await` on a current-thread runtime
over a service that does nothing; `ns` is the median of one call, allocations are exact. All cases
run in short batches in turn, and a ratio is the median of the ratios within the rounds: compare
those, as times drift with the machine. Our layers read tokio's clock, which is not paused here and
so costs as much as `std::time::Instant`; a closed breaker with a count window and a timeout whose
inner future is ready read none. tower-resilience is built with its default features, which leave
its metrics out. `busy` stands where two threads missed a bar in a run in which two that share nothing
missed theirs too: the machine did not have both cores free, and nothing follows.
";
