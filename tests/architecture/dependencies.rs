//! Walls between the crates, read from `cargo metadata`.

use std::process::Command;

use serde_json::Value;

use super::{entries, read, root, shown, uphold};

/// Each with its reason: the two traits that layers implement, time and synchronisation, pinned
/// projections, the derive of errors, and the model checker, which only `--cfg ballast_loom` builds.
const CORE: [&str; 6] =
    ["loom", "pin-project-lite", "thiserror", "tokio", "tower-layer", "tower-service"];

/// The crates that are no pattern of their own.
const COMMON: [&str; 6] = ["ballast", "core", "http", "http-cache", "redis", "test"];

#[test]
fn core_has_only_its_listed_dependencies() {
    uphold(
        "core depends on nothing beyond its list",
        uses("core").filter(|used| !CORE.contains(&used.name.as_str()) && !used.dev).map(Use::told),
    );
}

#[test]
fn a_pattern_depends_on_no_other_pattern() {
    let patterns = crates().into_iter().filter(|name| !COMMON.contains(&name.as_str()));
    uphold(
        "of our crates a pattern may use core, and for its tests the test kit",
        patterns
            .flat_map(|name| uses(&name).collect::<Vec<_>>())
            .filter(|used| {
                !matches!((used.ours(), used.dev), (None | Some("core"), _) | (Some("test"), true))
            })
            .map(Use::told),
    );
}

#[test]
fn the_test_kit_and_core_stand_on_core_alone() {
    uphold(
        "of our crates the test kit uses core alone, and core none",
        ["test", "core"]
            .into_iter()
            .flat_map(uses)
            .filter(|used| used.ours().is_some_and(|ours| used.user == "core" || ours != "core"))
            .map(Use::told),
    );
}

#[test]
fn nothing_uses_the_meta_crate() {
    uphold(
        "only the root package may use ballast",
        crates()
            .iter()
            .flat_map(|name| uses(name).collect::<Vec<_>>())
            .filter(|used| used.ours() == Some("ballast"))
            .map(Use::told),
    );
}

#[test]
fn no_crate_is_built_on_axum_or_tonic() {
    // `ByRoute` reads the route that axum has left on a request, and only by choice.
    let reads_its_route = |used: &Use| used.user == "http" && used.name == "axum" && used.optional;
    uphold(
        "axum and tonic appear in no public signature, so they are dependencies of tests only",
        crates()
            .iter()
            .flat_map(|name| uses(name).collect::<Vec<_>>())
            .filter(|used| {
                !used.dev && (used.name.starts_with("axum") || used.name.starts_with("tonic"))
            })
            .filter(|used| !reads_its_route(used))
            .map(Use::told),
    );
}

#[test]
fn every_published_crate_says_what_a_registry_page_needs() {
    let fields = ["description", "license", "rust_version", "repository", "keywords", "categories"];
    uphold(
        "a published crate has description, license, rust-version, repository, keywords, categories and docs.rs metadata",
        crates().iter().flat_map(|name| {
            let package = package(name);
            let missing =
                |value: &Value| value.is_null() || value == "" || value == &Value::Array(vec![]);
            let mut breaches: Vec<String> = fields
                .iter()
                .filter(|field| missing(&package[**field]))
                .map(|field| format!("crates/{name}/Cargo.toml: no {field}"))
                .collect();
            if package["metadata"]["docs"]["rs"].is_null() {
                breaches.push(format!("crates/{name}/Cargo.toml: no package.metadata.docs.rs"));
            }
            if !package["publish"].is_null() {
                breaches.push(format!("crates/{name}/Cargo.toml: `publish` is set"));
            }
            breaches
        }),
    );
}

#[test]
fn every_crate_inherits_the_lints_which_forbid_unsafe_code() {
    let manifest = read(&root().join("Cargo.toml"));
    assert!(
        manifest.contains("\nunsafe_code = \"forbid\"\n"),
        "Cargo.toml: unsafe_code is not forbidden"
    );
    let manifests = entries(&root().join("crates")).into_iter().map(|path| path.join("Cargo.toml"));
    uphold(
        "a manifest says `[lints]` and `workspace = true`",
        manifests
            .chain([root().join("Cargo.toml")])
            .filter(|path| !read(path).contains("\n[lints]\nworkspace = true\n"))
            .map(|path| shown(&path)),
    );
}

#[test]
fn folders_and_packages_have_the_same_names() {
    uphold(
        "crates/x holds the package tower-ballast-x (crates/ballast: tower-ballast), all of one version",
        members().iter().filter_map(|package| {
            let folder = folder(package)?;
            let expected = match folder {
                "ballast" => "tower-ballast".to_owned(),
                "xtask" => "xtask".to_owned(),
                _ => format!("tower-ballast-{folder}"),
            };
            let name = package["name"].as_str()?;
            (name != expected).then(|| format!("crates/{folder}: {name} instead of {expected}"))
        }),
    );
}

#[test]
fn what_only_benches_and_fuzz_targets_need_stays_in_workspaces_of_their_own() {
    for folder in ["benches/peers", "fuzz"] {
        let manifest = root().join(folder).join("Cargo.toml");
        uphold(
            "this folder is no member of the workspace",
            members()
                .iter()
                .map(path)
                .filter(|path| manifest == std::path::Path::new(path))
                .map(str::to_owned),
        );
        assert!(read(&manifest).contains("[workspace]"), "{folder}/Cargo.toml: no [workspace]");
    }
}

#[test]
fn every_example_and_every_test_file_is_built() {
    let package = members()
        .into_iter()
        .find(|package| path(package) == root().join("Cargo.toml").to_string_lossy());
    let package = package.expect("the root is a package");
    let targets: Vec<&str> = package["targets"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|target| target["src_path"].as_str())
        .collect();
    let suite = read(&root().join("tests/main.rs"));
    let sources = ["examples", "tests"].map(|folder| entries(&root().join(folder))).concat();
    uphold(
        "a file of examples/ or tests/ is a target in Cargo.toml or a module of tests/main.rs",
        sources
            .into_iter()
            .map(|path| if path.join("main.rs").exists() { path.join("main.rs") } else { path })
            .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
            .filter(|path| !targets.contains(&path.to_string_lossy().as_ref()))
            .filter(|path| {
                let module = path.file_stem().unwrap_or_default().to_string_lossy();
                path.starts_with(root().join("examples"))
                    || !suite.contains(&format!("\nmod {module};"))
            })
            .map(|path| shown(&path)),
    );
}

/// One crate's wish for another.
struct Use {
    user: String,
    name: String,
    dev: bool,
    optional: bool,
}

impl Use {
    /// The folder of the used crate, if it is one of ours.
    fn ours(&self) -> Option<&str> {
        match self.name.strip_prefix("tower-ballast")? {
            "" => Some("ballast"),
            rest => rest.strip_prefix('-'),
        }
    }

    fn told(self) -> String {
        let section = if self.dev { "dev-dependencies" } else { "dependencies" };
        format!("crates/{}/Cargo.toml: {} in [{section}]", self.user, self.name)
    }
}

fn uses(user: &str) -> impl Iterator<Item = Use> {
    let dependencies = package(user)["dependencies"].as_array().cloned().unwrap_or_default();
    dependencies.into_iter().map(move |dependency| Use {
        user: user.to_owned(),
        name: dependency["name"].as_str().unwrap_or_default().to_owned(),
        dev: dependency["kind"] == "dev",
        optional: dependency["optional"] == true,
    })
}

/// The folders of the published crates.
fn crates() -> Vec<String> {
    let mut names: Vec<String> = members()
        .iter()
        .filter_map(folder)
        .filter(|name| *name != "xtask")
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}

fn package(name: &str) -> Value {
    members()
        .into_iter()
        .find(|package| folder(package) == Some(name))
        .unwrap_or_else(|| panic!("crates/{name} is no member of the workspace"))
}

fn folder(package: &Value) -> Option<&str> {
    let inside = path(package).strip_prefix(root().to_str()?)?.strip_prefix("/crates/")?;
    inside.strip_suffix("/Cargo.toml")
}

fn path(package: &Value) -> &str {
    package["manifest_path"].as_str().unwrap_or_default()
}

fn members() -> Vec<Value> {
    static METADATA: std::sync::OnceLock<Value> = std::sync::OnceLock::new();
    let metadata = METADATA.get_or_init(|| {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
            .current_dir(root())
            .output()
            .expect("cargo built this test, so it can be run");
        assert!(
            output.status.success(),
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
    });
    metadata["packages"].as_array().cloned().unwrap_or_default()
}
