//! Where the workspace lies, and the programs that the steps run.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::run::Run;

const CARGO_DENY: &str = "0.20.2";

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask =
        env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let xtask = PathBuf::from(xtask);
    xtask.ancestors().nth(2).expect("xtask lies two folders below the root").to_owned()
}

/// Cargo at the root, with the arguments in `line`, which are parted by spaces.
pub(crate) fn cargo(line: &str) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(line.split_whitespace()).current_dir(root());
    command
}

/// The pinned `cargo-deny`, built on first use into `target/tools`; `None` if that failed.
///
/// Built without optimisation and without its network code: that takes half the time, and our few
/// crates are checked in a moment either way.
pub(crate) fn cargo_deny(run: &mut Run) -> Option<Command> {
    let tools = root().join("target/tools");
    let program = tools.join("bin/cargo-deny");
    if !has_version(&program, CARGO_DENY) {
        let mut install = cargo("install --quiet --locked --force --debug --no-default-features");
        install.args(["--version", CARGO_DENY, "--root"]).arg(&tools).arg("cargo-deny");
        install.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_INCREMENTAL", "0");
        let hint = "building cargo-deny needs the crate registry and a C linker";
        if !run.step("build cargo-deny", hint, &mut install) {
            return None;
        }
    }
    let mut command = Command::new(program);
    command.current_dir(root());
    Some(command)
}

fn has_version(program: &Path, version: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim().ends_with(version))
}
