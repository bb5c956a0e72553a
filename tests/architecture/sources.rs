//! What no source of the workspace may contain, read from the files.

use std::path::{Path, PathBuf};

use super::{entries, files, read, root, shown, uphold};

const LONGEST: usize = 300;

#[test]
fn only_the_clock_of_core_reads_a_clock() {
    let is_clock = |source: &Source| source.path.ends_with("core/src/clock.rs");
    uphold(
        "time comes from tower_ballast_core::clock",
        library().into_iter().filter(|source| !is_clock(source)).flat_map(|source| {
            let mut breaches =
                source.lines_with(&["std::time::Instant", "SystemTime::now", "Instant::now"]);
            let imports = source.code.split(';').map(squeezed).filter(|statement| {
                statement.contains("usestd::")
                    && statement.contains("time::")
                    && names(statement, "Instant")
            });
            breaches
                .extend(imports.map(|_| format!("{}: imports std's Instant", shown(&source.path))));
            breaches
        }),
    );
}

#[test]
fn no_layer_boxes_an_async_block() {
    let boxes = |source: &Source| squeezed(&source.code).contains("Box::pin(async");
    uphold(
        "a layer names its future instead of boxing an async block",
        library()
            .iter()
            .filter(|source| !source.is_of("test") && boxes(source))
            .map(|source| shown(&source.path)),
    );
}

#[test]
fn no_layer_owns_a_task_or_a_thread() {
    // Caches renew beside an answer that they have given already, and write to a second tier.
    let renews = |source: &Source| {
        ["cache/src/service.rs", "cache/src/tier.rs", "http-cache/src/refresh.rs"]
            .iter()
            .any(|end| shown(&source.path).ends_with(end))
    };
    uphold(
        "a layer spawns nothing, so nothing of it outlives its futures",
        library().iter().filter(|source| !source.is_of("test") && !renews(source)).flat_map(
            |source| {
                source.lines_with(&[
                    "::spawn(",
                    "::spawn_blocking(",
                    "::spawn_local(",
                    ".spawn(",
                    "thread::sleep",
                ])
            },
        ),
    );
}

#[test]
fn axum_is_read_in_one_place_and_shown_in_none() {
    let shows = |line: &str| line.contains("axum") || line.contains("MatchedPath");
    uphold(
        "no type of axum or tonic stands in a public signature",
        library().iter().flat_map(|source| {
            let reads = source.path.ends_with("http/src/route.rs");
            let lines = source.code.lines().filter(move |line| {
                let tells = line.contains("feature = ");
                shows(line) && !tells && (!reads || line.trim_start().starts_with("pub "))
            });
            lines.map(|line| format!("{}: {line}", shown(&source.path))).collect::<Vec<_>>()
        }),
    );
}

#[test]
fn features_switch_files_not_lines() {
    let asks = |line: &str| line.contains("cfg") && squeezed(line).contains("feature=\"");
    let switches_a_file = |line: &str| {
        let item = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        (item.starts_with("mod ") && item.ends_with(';')) || item.starts_with("use ")
    };
    uphold(
        "outside lib.rs a feature is asked for only before a `mod` or a `use`",
        library().iter().filter(|source| !source.path.ends_with("lib.rs")).flat_map(|source| {
            let lines: Vec<&str> = source.code.lines().collect();
            let item = |from: usize| lines[from..].iter().find(|line| !line.starts_with("#["));
            let breaches = (0..lines.len()).filter(|&index| {
                asks(lines[index]) && !item(index).is_some_and(|line| switches_a_file(line))
            });
            breaches
                .map(|index| {
                    format!("{}:{}: {}", shown(&source.path), index + 1, lines[index].trim())
                })
                .collect::<Vec<_>>()
        }),
    );
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    uphold(
        &format!("a file has at most {LONGEST} lines before its tests, and aims at 250"),
        crate_sources().iter().filter_map(|source| {
            let lines = source.text.lines().count();
            (lines > LONGEST).then(|| format!("{}: {lines} lines", shown(&source.path)))
        }),
    );
}

#[test]
fn no_test_is_ignored() {
    let ignored = concat!("#[", "ignore");
    uphold(
        "a test that is not run proves nothing",
        all_rust().iter().flat_map(|path| {
            let source = Source::whole(path);
            source.lines_where(|line| line.trim_start().starts_with(ignored))
        }),
    );
}

#[test]
fn no_documented_example_is_left_out() {
    let pages =
        files(root(), "md").into_iter().filter(|path| !path.starts_with(root().join("benches")));
    uphold(
        "documented code is compiled and run; what is no code is `text`",
        all_rust().into_iter().chain(pages).flat_map(|path| {
            let source = Source::whole(&path);
            source.lines_where(|line| {
                let line = line.trim_start();
                let line = line.trim_start_matches("///").trim_start_matches("//!").trim_start();
                line.strip_prefix("```")
                    .is_some_and(|kind| names(kind, "ignore") || names(kind, "no_run"))
            })
        }),
    );
}

/// A source file: its lines before the tests, and of these the code, comments blanked.
struct Source {
    path: PathBuf,
    text: String,
    code: String,
}

impl Source {
    fn without_tests(path: &Path) -> Self {
        let whole = read(path);
        let lines: Vec<&str> = whole.lines().collect();
        let tests = lines.windows(2).position(|pair| {
            pair[0].starts_with("#[cfg(") && names(pair[0], "test") && pair[1].ends_with('{')
        });
        Self::of(path, lines[..tests.unwrap_or(lines.len())].join("\n"))
    }

    fn whole(path: &Path) -> Self {
        Self::of(path, read(path))
    }

    fn of(path: &Path, text: String) -> Self {
        let is_comment = |line: &&str| line.trim_start().starts_with("//");
        let code: Vec<&str> =
            text.lines().map(|line| if is_comment(&line) { "" } else { line }).collect();
        Self { path: path.to_owned(), code: code.join("\n"), text }
    }

    fn is_of(&self, name: &str) -> bool {
        self.path.starts_with(root().join("crates").join(name))
    }

    fn lines_with(&self, needles: &[&str]) -> Vec<String> {
        numbered(&self.path, &self.code, |line| needles.iter().any(|needle| line.contains(needle)))
    }

    fn lines_where(&self, is_breach: impl Fn(&str) -> bool) -> Vec<String> {
        numbered(&self.path, &self.text, is_breach)
    }
}

fn numbered(path: &Path, text: &str, is_breach: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = text.lines().enumerate().filter(|(_, line)| is_breach(line));
    lines.map(|(index, line)| format!("{}:{}: {}", shown(path), index + 1, line.trim())).collect()
}

/// The sources of the published crates.
fn library() -> Vec<Source> {
    crate_sources().into_iter().filter(|source| !source.is_of("xtask")).collect()
}

fn crate_sources() -> Vec<Source> {
    let folders = entries(&root().join("crates")).into_iter().map(|path| path.join("src"));
    let sources = folders.flat_map(|folder| files(&folder, "rs"));
    let is_test = |path: &PathBuf| names(&shown(path), "tests");
    sources.filter(|path| !is_test(path)).map(|path| Source::without_tests(&path)).collect()
}

fn all_rust() -> Vec<PathBuf> {
    ["crates", "src", "tests", "examples"].map(|folder| files(&root().join(folder), "rs")).concat()
}

fn squeezed(text: impl AsRef<str>) -> String {
    text.as_ref().chars().filter(|letter| !letter.is_whitespace()).collect()
}

/// Whether `word` stands in `text` as a word of its own.
pub(super) fn names(text: &str, word: &str) -> bool {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|part| part == word)
}
