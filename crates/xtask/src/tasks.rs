//! What each command runs.

use std::{fs, process::Command, time::UNIX_EPOCH};

use crate::{
    fuzz,
    run::Run,
    tools::{CARGO_DENY, cargo, root},
};

const FLAKE_RUNS: u32 = 20;

pub(crate) fn ci(run: &mut Run) {
    // A fresh clone builds everything once, so what would speed up a second build is only cost.
    run.environment(&[("CARGO_INCREMENTAL", "0"), ("CARGO_TERM_COLOR", "never")]);
    let hint = "run `cargo fmt --all` there; rustfmt comes with `rustup component add rustfmt`";
    run.step("fmt", hint, &mut cargo("fmt --all --check"));
    run.step("fmt of benches/peers", hint, &mut peers("fmt --check"));
    fuzz::fmt(run);
    run.step(
        "clippy",
        "mend the warnings; a missing clippy comes with `rustup component add clippy`",
        &mut cargo("clippy --workspace --all-targets --all-features -- -D warnings"),
    );
    run.step(
        "documentation",
        "mend the warnings of rustdoc",
        cargo("doc --workspace --no-deps --all-features").env("RUSTDOCFLAGS", "-D warnings"),
    );
    fuzz::lint(run);
    if let Some(program) = CARGO_DENY.program(run) {
        let mut deny = Command::new(program);
        deny.args(["--all-features", "--locked", "check", "bans", "licenses", "sources"]);
        deny.current_dir(root());
        run.step("dependency rules", "the rules and their exceptions are in deny.toml", &mut deny);
    }
    test(run);
    bench_smoke(run);
}

pub(crate) fn test(run: &mut Run) {
    each_crate_alone(run);
    run.step(
        "tests, doctests and examples",
        "see the failures above",
        &mut cargo("test --workspace --all-features --no-fail-fast"),
    );
    loom(run, 2);
    packages(run);
}

/// In a folder of its own each time: cargo keeps what it unpacked by folder and version, and would
/// build one package against yesterday's archive of another.
fn packages(run: &mut Run) {
    let stamp = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let folder = root().join("target").join(format!("packages-{stamp}"));
    run.step(
        "packages",
        "each package has to build from its own archive; that needs cargo 1.90 or newer",
        cargo(
            "package --workspace --exclude xtask --exclude tower-ballast-workspace --allow-dirty --all-features --target-dir",
        )
        .arg(&folder),
    );
    // Nothing is lost when it stays: it lies in `target`.
    let _ = fs::remove_dir_all(folder);
}

/// Clippy rather than `cargo check`, because it can refuse warnings without building the
/// dependencies anew.
fn each_crate_alone(run: &mut Run) {
    let crates = match fs::read_dir(root().join("crates")) {
        Ok(crates) => crates,
        Err(error) => return run.fail("crates without features", error),
    };
    let mut names: Vec<String> =
        crates.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    for name in names.iter().filter(|name| *name != "xtask") {
        run.step(
            &format!("{name} alone, without features"),
            "it has to build without a warning, and without what other crates switch on",
            &mut cargo(&format!(
                "clippy --manifest-path crates/{name}/Cargo.toml --no-default-features -- -D warnings"
            )),
        );
    }
}

fn loom(run: &mut Run, preemptions: u32) {
    for package in [
        "tower-ballast-core",
        "tower-ballast-bulkhead",
        "tower-ballast-rate-limit",
        "tower-ballast-http-cache",
    ] {
        run.step(
            &format!("loom models of {package}, {preemptions} preemptions"),
            "a model found an order of steps that breaks its claim",
            cargo(&format!("test --package {package} --test loom --release"))
                .env("RUSTFLAGS", "--cfg ballast_loom")
                .env("CARGO_TARGET_DIR", "target/loom")
                .env("LOOM_MAX_PREEMPTIONS", preemptions.to_string()),
        );
    }
}

pub(crate) fn bench(run: &mut Run) {
    run.step(
        "benches beside the peers",
        "benches/peers is a workspace of its own",
        &mut peers("run --release --locked -- --out ../results.md"),
    );
}

/// Not optimised: this proves that each case does what it is to measure, and measures nothing.
pub(crate) fn bench_smoke(run: &mut Run) {
    run.step(
        "benches, an instant each",
        "benches/peers is a workspace of its own",
        &mut peers("run --quiet --locked -- --smoke"),
    );
}

fn peers(line: &str) -> Command {
    let mut command = cargo(line);
    command.current_dir(root().join("benches/peers"));
    command
}

/// The scenarios use all cores by themselves. Built by itself, so that the summary says how long they
/// took.
pub(crate) fn overload(run: &mut Run) {
    const SUITE: &str = "test --package tower-ballast-workspace --release --test suite";
    let hint = "see the error of the compiler above";
    if run.step("the suite, optimised", hint, &mut cargo(&format!("{SUITE} --no-run"))) {
        run.step(
            "overload, 20 seeds; the bar is 10 minutes on two cores that do nothing else",
            "a bar is not met; the tables above show how far it is away",
            cargo(&format!("{SUITE} -- overload:: --nocapture"))
                .env("BALLAST_OVERLOAD_SEEDS", "20"),
        );
    }
}

pub(crate) fn nightly(run: &mut Run) {
    run.step(
        "property tests, 20 times the cases",
        "the failing case is printed above",
        cargo("test --workspace --all-features --release --lib --tests")
            .env("PROPTEST_CASES", "20000"),
    );
    for round in 1..=FLAKE_RUNS {
        let passed = run.step(
            &format!("suite, run {round} of {FLAKE_RUNS}"),
            "a test that fails once in many runs is a wrong test or a real race",
            &mut cargo("test --workspace --all-features --lib --bins --tests"),
        );
        if !passed {
            break;
        }
    }
    loom(run, 3);
    fuzz::run(run);
}
