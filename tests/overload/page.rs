//! What a scenario found, as a page of `docs/overload`.

use std::{fmt::Write, fs, path::PathBuf};

use super::{drawing::Drawing, is_long};

pub(super) struct Page {
    name: &'static str,
    text: String,
    drawings: Vec<(String, String)>,
}

impl Page {
    pub(super) fn new(name: &'static str, title: &str, text: &str) -> Self {
        let text = format!(
            "# {title}\n\n{text}\n\n\
             Written by `cargo xtask overload`: the real layers on a paused clock. Figures are of the \
             worst of {} seeds unless said otherwise; drawings are of the first. This page alone is \
             written again, to the byte, by\n\n\
             ```text\n\
             BALLAST_OVERLOAD_SEEDS={0} cargo test --package tower-ballast-workspace --release \
             --test suite -- overload::{} --nocapture\n\
             ```\n",
            super::seeds().end(),
            name.replace('-', "_"),
        );
        Self { name, text, drawings: Vec::new() }
    }

    pub(super) fn section(mut self, title: &str) -> Self {
        let _ = write!(self.text, "\n## {title}\n");
        self
    }

    pub(super) fn text(mut self, text: &str) -> Self {
        let _ = write!(self.text, "\n{text}\n");
        self
    }

    pub(super) fn table(
        mut self,
        head: &[&str],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> Self {
        let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
        self.text.push('\n');
        self.text.push_str(&line(head.to_vec()));
        self.text.push_str(&line(vec!["---"; head.len()]));
        for row in rows {
            self.text.push_str(&line(row.iter().map(String::as_str).collect()));
        }
        self
    }

    /// What is asked of ours beside what it reaches.
    pub(super) fn bars(self, bars: impl IntoIterator<Item = Bar>) -> Self {
        let row = |Bar { of, asked, reached, is_met }: Bar| {
            vec![of, asked, reached, if is_met { "met" } else { "**missed**" }.to_owned()]
        };
        self.section("Bars").table(&["of ours", "bar", "reached", ""], bars.into_iter().map(row))
    }

    pub(super) fn drawing(mut self, name: &str, drawing: &Drawing) -> Self {
        let file = format!("{}-{name}.svg", self.name);
        let _ = write!(self.text, "\n![{}]({file})\n", drawing.title());
        self.drawings.push((file, drawing.to_string()));
        self
    }

    /// Prints it, and in the long run keeps it.
    pub(super) fn publish(self) {
        println!("{}", self.text);
        if !is_long() {
            return;
        }
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/overload");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{}.md", self.name)), self.text).unwrap();
        for (file, drawing) in self.drawings {
            fs::write(folder.join(file), drawing).unwrap();
        }
    }
}

/// One thing that is asked of ours.
pub(super) struct Bar {
    of: String,
    asked: String,
    reached: String,
    is_met: bool,
}

impl Bar {
    fn new(of: &str, sign: char, [bar, reached]: [String; 2], is_met: bool) -> Self {
        Self { of: of.to_owned(), asked: format!("{sign} {bar}"), reached, is_met }
    }

    /// It is to be so much at least.
    pub(super) fn least<T: PartialOrd + Copy>(
        of: &str,
        bar: T,
        reached: T,
        shown: impl Fn(T) -> String,
    ) -> Self {
        Self::new(of, '≥', [shown(bar), shown(reached)], reached >= bar)
    }

    /// It is to be so much at most.
    pub(super) fn most<T: PartialOrd + Copy>(
        of: &str,
        bar: T,
        reached: T,
        shown: impl Fn(T) -> String,
    ) -> Self {
        Self::new(of, '≤', [shown(bar), shown(reached)], reached <= bar)
    }
}

/// "1.2 s", or "never".
pub(super) fn time(time: Option<std::time::Duration>) -> String {
    time.map_or_else(|| "never".to_owned(), |time| format!("{} s", time.as_secs()))
}

/// "98.76 %".
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
