//! `cargo xtask`: one door to everything that builds, checks and measures the workspace.

mod fuzz;
mod run;
mod tally;
mod tasks;
mod tools;

use std::{env, process::ExitCode};

use run::Run;

const USAGE: &str = "\
Usage: cargo xtask <COMMAND>

Commands:
  test     All tests that gate a change: the suite with doctests and examples, each crate
           without its features, the loom models, and the packages as they would be published
  ci       Formatting, lints, documentation and dependency rules, everything of `test`, and the
           benches for an instant
  bench    Measures the layers beside their peers and writes benches/results.md (3 minutes)
           --smoke: each case for an instant, not optimised; measures and writes nothing
  overload The overload scenarios with 20 seeds, optimised; writes docs/overload
  fuzz     Each fuzz target for a minute; needs the nightly toolchain
  nightly  The long checks: 20 runs of the suite, property tests with 20 times the cases, loom
           models with three preemptions, and everything of `fuzz`
  help     This page

Exit code: 0 when every step passed, 1 when one failed, 2 for a wrong command line.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["test"] => finish("test", tasks::test),
        ["ci"] => finish("ci", tasks::ci),
        ["bench"] => finish("bench", tasks::bench),
        ["bench", "--smoke"] => finish("bench --smoke", tasks::bench_smoke),
        ["overload"] => finish("overload", tasks::overload),
        ["fuzz"] => finish("fuzz", fuzz::run),
        ["nightly"] => finish("nightly", tasks::nightly),
        ["help" | "-h" | "--help"] | [_, "-h" | "--help"] => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        [] => refuse("a command is missing"),
        _ => refuse(&format!("unknown command: {}", arguments.join(" "))),
    }
}

fn finish(name: &str, task: fn(&mut Run)) -> ExitCode {
    let mut run = Run::start(name);
    task(&mut run);
    run.close()
}

fn refuse(reason: &str) -> ExitCode {
    eprint!("error: {reason}\n\n{USAGE}");
    ExitCode::from(2)
}
