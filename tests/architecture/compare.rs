//! COMPARE.md says of the workspace only what is there.

use std::collections::HashSet;

use super::{files, read, root, sources::names, uphold};

#[test]
fn what_compare_names_is_there() {
    let page = read(&root().join("COMPARE.md"));
    uphold(
        "COMPARE.md names crates, public items and tests that exist",
        sections(&page).iter().flat_map(|section| {
            let sources =
                section.crates.iter().flat_map(|name| sources_of(name)).collect::<Vec<_>>();
            let items = section.rows.iter().flat_map(|row| {
                row.items.iter().filter(|item| !is_public(item, &sources)).map(|item| {
                    format!("{}, row {}: no public `{item}`", section.title, row.number)
                })
            });
            let tests = section.rows.iter().flat_map(|row| {
                row.tests.iter().filter(|(test, path)| !has_function(path, test)).map(
                    |(test, path)| {
                        format!("{}, row {}: no `{test}` in {path}", section.title, row.number)
                    },
                )
            });
            let crates = section.crates.iter().filter(|name| sources_of(name).is_empty());
            let crates = crates.map(|name| format!("{}: no crates/{name}", section.title));
            crates.chain(items).chain(tests).collect::<Vec<_>>()
        }),
    );
}

#[test]
fn compare_claims_nothing_without_an_item_and_a_test() {
    let page = read(&root().join("COMPARE.md"));
    let sections = sections(&page);
    uphold(
        "a row of COMPARE.md has its number and a status, and what is here an item and a test",
        sections.iter().flat_map(|section| {
            let numbered = section.rows.iter().zip(1..).filter_map(|(row, number)| {
                let is_here = !row.status.starts_with("not yet");
                let reason = if row.number != number.to_string() {
                    "is not next"
                } else if row.kind().is_none() {
                    "has no known status"
                } else if is_here && (row.items.is_empty() || row.tests.is_empty()) {
                    "names no item or no test"
                } else {
                    return None;
                };
                Some(format!("{}: row {} {reason}", section.title, row.number))
            });
            numbered.collect::<Vec<_>>()
        }),
    );
    let count = |kind| {
        let rows = sections.iter().flat_map(|section| &section.rows);
        rows.filter(|row| row.kind() == Some(kind)).count()
    };
    let (yes, partly, missing) = (count("yes"), count("partly"), count("not yet"));
    let told = format!(
        "Of {} rows {yes} are `yes`, {partly} `partly` and {missing} `not yet`.",
        yes + partly + missing
    );
    let words: Vec<&str> = page.split_whitespace().collect();
    assert!(words.join(" ").contains(&told), "COMPARE.md: it should say \"{told}\"");
}

/// A chapter of the page with a table.
struct Section<'a> {
    title: &'a str,
    crates: Vec<&'a str>,
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    number: &'a str,
    status: &'a str,
    items: Vec<&'a str>,
    /// Each with its file.
    tests: Vec<(&'a str, &'a str)>,
}

impl Row<'_> {
    fn kind(&self) -> Option<&'static str> {
        let is = |kind: &&str| {
            self.status.strip_prefix(*kind).is_some_and(|rest| {
                // What is missing has to be said.
                if *kind == "partly" {
                    rest.starts_with(": ")
                } else {
                    !rest.starts_with(char::is_alphabetic)
                }
            })
        };
        ["yes", "partly", "not yet"].into_iter().find(is)
    }
}

fn sections(page: &str) -> Vec<Section<'_>> {
    page.split("\n## ").skip(1).filter(|chapter| chapter.contains("\n| # |")).map(section).collect()
}

fn section(chapter: &str) -> Section<'_> {
    let lines = || chapter.lines();
    let crates = lines().filter(|line| line.starts_with("In [")).flat_map(links);
    let rows = lines().filter(|line| line.starts_with("| ") && !line.starts_with("| # |"));
    Section {
        title: lines().next().unwrap_or_default(),
        crates: crates.map(|(name, _)| name).collect(),
        rows: rows.map(row).collect(),
    }
}

fn row(line: &str) -> Row<'_> {
    let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
    let cell = |index: usize| cells.get(index).copied().unwrap_or_default();
    Row {
        number: cell(0),
        status: cell(2),
        items: cell(3)
            .split(", ")
            .map(|item| item.trim_matches('`'))
            .filter(|item| !item.is_empty())
            .collect(),
        tests: links(cell(4)),
    }
}

/// The links in a text whose words are code: the words, and where they lead.
fn links(text: &str) -> Vec<(&str, &str)> {
    text.split("[`").skip(1).filter_map(link).collect()
}

fn link(text: &str) -> Option<(&str, &str)> {
    let (words, rest) = text.split_once("`](")?;
    Some((words, rest.split_once(')')?.0))
}

/// A source file, and the names of what is public in it.
struct Source {
    text: String,
    public: HashSet<String>,
}

fn sources_of(name: &str) -> Vec<Source> {
    let folder = root().join("crates").join(name).join("src");
    let source = |text: String| Source { public: public(&text), text };
    files(&folder, "rs").iter().map(|path| source(read(path))).collect()
}

fn public(text: &str) -> HashSet<String> {
    let kinds = ["fn", "struct", "enum", "trait", "mod", "type"];
    let lines = text.lines().filter_map(|line| line.trim_start().strip_prefix("pub "));
    let declared = lines.filter_map(|line| {
        let mut words = line.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        let kind = words.find(|word| !["const", "async"].contains(word))?;
        kinds.contains(&kind).then(|| words.next())?
    });
    declared.map(str::to_owned).collect()
}

/// Whether the item is public, and so is the type that it belongs to, which its file then names.
fn is_public(path: &str, sources: &[Source]) -> bool {
    let with = |name: &str, owner: &str| {
        sources.iter().any(|source| source.public.contains(name) && names(&source.text, owner))
    };
    match path.split_once("::") {
        Some((owner, name)) => with(owner, owner) && with(name, owner),
        None => with(path, path),
    }
}

fn has_function(path: &str, name: &str) -> bool {
    let path = root().join(path);
    path.exists() && read(&path).contains(&format!("fn {name}("))
}
