//! Where the workspace lies, and the programs that the steps run.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use crate::run::Run;

/// Without its network code, which takes half the time to build.
pub(crate) const CARGO_DENY: Tool =
    Tool { name: "cargo-deny", version: "0.20.2", options: "--no-default-features" };
pub(crate) const CARGO_FUZZ: Tool = Tool { name: "cargo-fuzz", version: "0.13.2", options: "" };

/// A pinned program of the registry.
pub(crate) struct Tool {
    name: &'static str,
    version: &'static str,
    options: &'static str,
}

impl Tool {
    /// Where it lies, built on first use into `target/tools`; `None` if that failed.
    ///
    /// Built without optimisation: our few crates are checked in a moment either way, and what is fuzzed is not built here.
    pub(crate) fn program(&self, run: &mut Run) -> Option<PathBuf> {
        let tools = root().join("target/tools");
        let program = tools.join("bin").join(self.name);
        if !self.is(&program) {
            let mut install = cargo("install --quiet --locked --force --debug");
            install.args(self.options.split_whitespace());
            install.args(["--version", self.version, "--root"]).arg(&tools).arg(self.name);
            install.env("CARGO_PROFILE_DEV_DEBUG", "0").env("CARGO_INCREMENTAL", "0");
            let hint = format!("building {} needs the crate registry and a C linker", self.name);
            if !run.step(&format!("build {}", self.name), &hint, &mut install) {
                return None;
            }
        }
        Some(program)
    }

    fn is(&self, program: &Path) -> bool {
        Command::new(program).arg("--version").output().is_ok_and(|output| {
            String::from_utf8_lossy(&output.stdout).trim().ends_with(self.version)
        })
    }
}

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
