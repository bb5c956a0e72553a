//! Curves over time as an SVG, written by hand.

use std::fmt::{self, Write};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 300.0;
/// Left, right, above and below the curves.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 200.0;
const ABOVE: f64 = 34.0;
const BELOW: f64 = 40.0;
/// Told apart also by those who see no red or green (Okabe and Ito).
const COLOURS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555", "#000000"];

pub(super) struct Drawing {
    title: String,
    across: &'static str,
    most: f64,
    /// A time that is shaded: when the trouble lasts.
    trouble: Option<(f64, f64)>,
    curves: Vec<(String, Vec<(f64, f64)>)>,
}

impl Drawing {
    /// Shares over seconds.
    pub(super) fn of_shares(title: &str) -> Self {
        let title = title.to_owned();
        Self { title, across: "seconds", most: 1.0, trouble: None, curves: Vec::new() }
    }

    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// What stands at the top, as a share. Default: all.
    pub(super) fn most(mut self, most: f64) -> Self {
        self.most = most;
        self
    }

    pub(super) fn trouble(mut self, from: f64, to: f64) -> Self {
        self.trouble = Some((from, to));
        self
    }

    pub(super) fn curve(mut self, name: &str, points: Vec<(f64, f64)>) -> Self {
        self.curves.push((name.to_owned(), points));
        self
    }

    fn axis(&self) -> Axis {
        let points = || self.curves.iter().flat_map(|(_, points)| points).map(|point| point.0);
        let first = points().fold(f64::INFINITY, f64::min);
        let last = points().fold(f64::NEG_INFINITY, f64::max);
        let step = if last - first > 30.0 { 10.0 } else { 5.0 };
        Axis { first: (first / step).floor() * step, last: (last / step).ceil() * step, step }
    }
}

/// From where to where it goes, with a number at each step.
struct Axis {
    first: f64,
    last: f64,
    step: f64,
}

impl fmt::Display for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Axis { first, last, step } = self.axis();
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BELOW);
        let x = |value: f64| LEFT + (value - first) / (last - first) * (right - LEFT);
        let y = |value: f64| bottom - value.min(self.most) / self.most * (bottom - ABOVE);
        writeln!(
            f,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">"#
        )?;
        writeln!(f, r#"<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>"#)?;
        writeln!(f, r#"<text x="{LEFT}" y="20" font-size="14">{}</text>"#, self.title)?;
        if let Some((from, to)) = self.trouble {
            let (from, width) = (x(from), x(to) - x(from));
            let height = bottom - ABOVE;
            writeln!(
                f,
                r##"<rect x="{from:.1}" y="{ABOVE}" width="{width:.1}" height="{height:.1}" fill="#eeeeee"/>"##
            )?;
        }
        for step in 0..=4 {
            let value = self.most * f64::from(step) / 4.0;
            let (at, label) = (y(value), format!("{:.0} %", 100.0 * value));
            writeln!(
                f,
                r##"<path d="M{LEFT} {at:.1}H{right}" stroke="#dddddd"/><text x="{}" y="{:.1}" text-anchor="end">{label}</text>"##,
                LEFT - 6.0,
                at + 4.0
            )?;
        }
        let mut value = first;
        while value <= last {
            writeln!(
                f,
                r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{value:.0}</text>"#,
                x(value),
                bottom + 16.0
            )?;
            value += step;
        }
        let middle = f64::midpoint(LEFT, right);
        writeln!(
            f,
            r#"<text x="{middle:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
            HEIGHT - 6.0,
            self.across
        )?;
        for (index, (name, points)) in self.curves.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let mut path = String::new();
            for (number, point) in points.iter().enumerate() {
                let pen = if number == 0 { 'M' } else { 'L' };
                write!(path, "{pen}{:.1} {:.1}", x(point.0), y(point.1))?;
            }
            writeln!(f, r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>"#)?;
            #[allow(clippy::cast_precision_loss)]
            let at = ABOVE + 8.0 + 20.0 * index as f64;
            writeln!(
                f,
                r#"<path d="M{} {at}h18" stroke="{colour}" stroke-width="3"/><text x="{}" y="{}">{name}</text>"#,
                right + 10.0,
                right + 34.0,
                at + 4.0
            )?;
        }
        writeln!(f, "</svg>")
    }
}
