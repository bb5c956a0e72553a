//! The table, as one reads it in a terminal and in a file.

use std::{fmt::Write, fs, process::Command};

use crate::harness::{Bar, Comparison, Finding, TWO_THREADS};

/// The findings as a Markdown table that is also straight as plain text.
pub fn table(findings: &[Finding]) -> String {
    let head = [
        "case",
        "ns",
        "allocations",
        "compared with",
        "ratio",
        "bar",
        "met",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    let had_two_cores = findings
        .iter()
        .filter_map(|finding| {
            finding
                .against
                .as_ref()
                .filter(|_| finding.name == TWO_THREADS)
        })
        .any(|control| control.is_met() == Some(true));
    rows.extend(findings.iter().map(|finding| row(finding, had_two_cores)));
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    rows.insert(1, std::array::from_fn(|column| "-".repeat(widths[column])));
    rows.iter().fold(String::new(), |mut table, row| {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(table, "| {cell:width$} ");
        }
        table.push_str("|\n");
        table
    })
}

fn row(finding: &Finding, had_two_cores: bool) -> [String; 7] {
    let allocations = finding
        .allocations
        .map_or("-".to_owned(), |count| match count {
            0.0 => "0".to_owned(),
            // The first call of a thread or a growing buffer may add a few to thousands of calls.
            count if (count - count.round()).abs() < 0.01 => format!("{count:.0}"),
            count => format!("{count:.2}"),
        });
    let nanos = format!("{:.1}", finding.nanos);
    let [other, ratio, bar, met] = finding
        .against
        .as_ref()
        .map(|against| compared(against, had_two_cores))
        .unwrap_or_default();
    [
        finding.name.to_owned(),
        nanos,
        allocations,
        other,
        ratio,
        bar,
        met,
    ]
}

fn compared(comparison: &Comparison, had_two_cores: bool) -> [String; 4] {
    let ratio = format!("{:.2}x", comparison.ratio);
    let (bar, ratio) = match comparison.bar {
        Bar::Cost(most) => (format!("<= {most}x"), ratio),
        Bar::Throughput(least) => (format!(">= {least}x calls"), format!("{ratio} calls")),
        Bar::None => (String::new(), ratio),
    };
    let met = match (comparison.bar, comparison.is_met()) {
        (_, None) => "",
        (_, Some(true)) => "yes",
        (Bar::Throughput(_), Some(false)) if !had_two_cores => "busy",
        (_, Some(false)) => "no",
    };
    [comparison.other.to_owned(), ratio, bar, met.to_owned()]
}

/// What the figures were measured with.
pub fn circumstances() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "- Date: {}\n- Machine: {cores} cores, {}\n- Compiler: {}, release profile\n- Load before the run: {}\n",
        said_by("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        model.map_or("processor unknown", |(_, model)| model),
        said_by("rustc", &["--version"]),
        load(),
    )
}

/// How many programs wanted a core in the last minute; the benches themselves are one or two.
pub fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ')
        .next()
        .filter(|load| !load.is_empty())
        .unwrap_or("unknown")
        .to_owned()
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    said.ok()
        .filter(|said| !said.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}
