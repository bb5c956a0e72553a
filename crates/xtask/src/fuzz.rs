//! The fuzz targets, which are a workspace of their own.

use std::{fs, path::Path, process::Command};

use crate::{
    run::Run,
    tools::{CARGO_FUZZ, cargo, root},
};

/// For how long each target runs, in seconds.
const SECONDS: u32 = 60;

pub(crate) fn fmt(run: &mut Run) {
    let hint = "run `cargo fmt` there; rustfmt comes with `rustup component add rustfmt`";
    run.step("fmt of fuzz", hint, &mut own("fmt --check"));
}

/// On the stable toolchain, and without libFuzzer: a check links nothing, so its C++ need not be built.
pub(crate) fn lint(run: &mut Run) {
    run.step(
        "clippy of fuzz",
        "fuzz is a workspace of its own; mend the warnings, and run cargo there when its lock file is old",
        own("clippy --locked -- -D warnings").env("CUSTOM_LIBFUZZER_PATH", "none/libfuzzer.a"),
    );
}

/// Runs every target for a bounded time. What is found lies in `fuzz/artifacts`.
pub(crate) fn run(run: &mut Run) {
    let needs =
        "fuzzing needs the nightly toolchain: `rustup toolchain install nightly --profile minimal`";
    let mut nightly = Command::new("rustup");
    nightly.args(["run", "nightly", "rustc", "--version"]);
    if !run.step("nightly toolchain", needs, &mut nightly) {
        return;
    }
    let Some(program) = CARGO_FUZZ.program(run) else { return };
    let targets = match fs::read_dir(root().join("fuzz/fuzz_targets")) {
        Ok(targets) => targets,
        Err(error) => return run.fail("fuzz targets", error),
    };
    let mut targets: Vec<_> = targets.flatten().map(|target| target.path()).collect();
    targets.sort();
    for name in targets.iter().filter_map(|target| target.file_stem()?.to_str()) {
        run.step(
            &format!("fuzz {name} for {SECONDS} s"),
            "an input breaks what the target asserts; the command to run it again is printed above",
            &mut fuzz(&program, name),
        );
    }
}

fn fuzz(program: &Path, name: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", "nightly"]).arg(program).args(["run", name]);
    // What is found anew is kept in the first folder, for the next run.
    let corpus = format!("fuzz/corpus/{name}");
    let seeds = format!("fuzz/seeds/{name}");
    if root().join(&seeds).exists() {
        let _ = fs::create_dir_all(root().join(&corpus));
        command.args([corpus, seeds]);
    }
    command.arg("--").arg(format!("-max_total_time={SECONDS}"));
    command.args(["-timeout=10", "-print_final_stats=1"]).current_dir(root());
    command
}

fn own(line: &str) -> Command {
    let mut command = cargo(line);
    command.current_dir(root().join("fuzz"));
    command
}
