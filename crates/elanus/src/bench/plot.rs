//! Recall against speed as a picture, in letters on a terminal or as SVG. Invariant: the better way to search lies further
//! up and to the right; recall is spread so that 0.9, 0.99 and 0.999 are equally far apart, speed is logarithmic.

use super::measure::Run;
use crate::show;
use std::fmt::Write;

/// Recall above this is drawn as this.
const TOP: f64 = 0.9999;
const MARKS: &[f64] = &[0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, TOP];
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";

/// A curve of points, rising in recall.
struct Curve {
    name: String,
    /// Recall, and queries a second.
    points: Vec<(f64, f64)>,
}

/// Where points lie: both sides go from 0 to 1.
struct Scale {
    recall: (f64, f64),
    rate: (f64, f64),
}

fn spread(recall: f64) -> f64 {
    -(1.0 - recall.min(TOP)).ln()
}

impl Scale {
    fn of(curves: &[Curve]) -> Option<Self> {
        let points = || curves.iter().flat_map(|curve| curve.points.iter().copied());
        let least = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::MAX, f64::min);
        let most = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::MIN, f64::max);
        points().next()?;
        let low = least(&mut points().map(|(recall, _)| recall)).min(0.95);
        let (slow, fast) =
            (least(&mut points().map(|(_, rate)| rate)), most(&mut points().map(|(_, rate)| rate)));
        let decade = |rate: f64| 10_f64.powf(rate.max(1e-3).log10());
        Some(Self {
            recall: (spread(low), spread(TOP)),
            rate: (decade(slow * 0.8).ln(), decade(fast * 1.25).ln()),
        })
    }

    fn x(&self, recall: f64) -> f64 {
        (spread(recall) - self.recall.0) / (self.recall.1 - self.recall.0)
    }

    fn y(&self, rate: f64) -> f64 {
        (rate.max(1e-3).ln() - self.rate.0) / (self.rate.1 - self.rate.0)
    }

    /// Recalls worth a mark on the axis.
    fn recalls(&self) -> impl Iterator<Item = f64> {
        MARKS.iter().copied().filter(|recall| self.x(*recall) >= 0.0)
    }

    /// Speeds worth a mark on the axis: 1, 2 and 5 of each power of ten.
    fn rates(&self) -> impl Iterator<Item = f64> {
        let steps = (-3..9).flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(power)));
        steps.filter(|rate| (0.0..=1.0).contains(&self.y(*rate)))
    }
}

fn curves(runs: &[Run<'_>]) -> Vec<Curve> {
    let several_k = runs.iter().any(|run| runs.first().is_some_and(|first| run.k != first.k));
    let curve = |run: &Run<'_>| {
        let mut points: Vec<(f64, f64)> =
            run.points.iter().map(|measured| (measured.recall, measured.rate())).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut name = run.built.plan.name.clone();
        if let Some(mask) = run.mask {
            let _ = write!(name, ", {}", mask.name);
        }
        if several_k {
            let _ = write!(name, ", k = {}", run.k);
        }
        Curve { name, points }
    };
    runs.iter().map(curve).collect()
}

fn rate_text(rate: f64) -> String {
    if rate >= 1000.0 { format!("{}k", rate / 1000.0) } else { format!("{rate}") }
}

/// Prints the plot, where there is more than one point.
pub(super) fn print(runs: &[Run<'_>]) {
    let curves = curves(runs);
    if let Some(lines) = text(&curves) {
        show::line("");
        lines.into_iter().for_each(show::line);
    }
}

fn text(curves: &[Curve]) -> Option<Vec<String>> {
    const WIDTH: usize = 64;
    const HEIGHT: usize = 16;
    let scale = Scale::of(curves)?;
    if curves.iter().map(|curve| curve.points.len()).sum::<usize>() < 2 {
        return None;
    }
    let place = |part: f64, size: usize| (part.clamp(0.0, 1.0) * (size - 1) as f64).round() as usize;
    let mut grid = vec![vec![' '; WIDTH]; HEIGHT];
    for (curve, letter) in curves.iter().zip(LETTERS.chars().cycle()) {
        for (recall, rate) in &curve.points {
            grid[HEIGHT - 1 - place(scale.y(*rate), HEIGHT)][place(scale.x(*recall), WIDTH)] = letter;
        }
    }
    let mut labels = vec![String::new(); HEIGHT];
    for rate in scale.rates() {
        labels[HEIGHT - 1 - place(scale.y(rate), HEIGHT)] = rate_text(rate);
    }
    let mut lines = vec![show::dim("  queries/s")];
    for (label, row) in labels.iter().zip(grid) {
        lines.push(format!("  {label:>6} │{}", String::from_iter(row)));
    }
    let mut axis = vec!['─'; WIDTH];
    let mut marks = vec![' '; WIDTH + 8];
    for recall in scale.recalls() {
        let at = place(scale.x(recall), WIDTH);
        let text = format!("{recall}");
        axis[at] = '┴';
        let from = at.saturating_sub(text.len() / 2);
        if marks[from.saturating_sub(1)..from + text.len()].iter().all(|mark| *mark == ' ') {
            text.chars().zip(&mut marks[from..]).for_each(|(letter, mark)| *mark = letter);
        }
    }
    lines.push(format!("  {:>6} └{}", "", String::from_iter(axis)));
    lines.push(format!("  {:>6}  {}", "recall", String::from_iter(marks).trim_end()));
    for (curve, letter) in curves.iter().zip(LETTERS.chars().cycle()) {
        lines.push(format!("  {:>6}  {}", letter, curve.name));
    }
    Some(lines)
}

/// A drawing of all runs.
pub(super) fn svg(title: &str, runs: &[Run<'_>]) -> String {
    draw(title, &curves(runs))
}

const COLOURS: [&str; 8] =
    ["#1b6ca8", "#d1495b", "#2e933c", "#8e5ea2", "#e08e0b", "#3a7d7c", "#7f5539", "#5c6b73"];

fn draw(title: &str, curves: &[Curve]) -> String {
    let (left, top, width, height) = (70.0, 40.0, 620.0, 380.0);
    let full = top + height + 60.0 + 18.0 * curves.len() as f64;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 {full}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"{left}\" y=\"24\" font-size=\"15\">{}</text>\n",
        escape(title)
    );
    let Some(scale) = Scale::of(curves) else { return out + "</svg>\n" };
    let x = |recall: f64| left + width * scale.x(recall);
    let y = |rate: f64| top + height * (1.0 - scale.y(rate));
    let (bottom, right) = (top + height, left + width);
    for recall in scale.recalls() {
        let at = x(recall);
        let _ = writeln!(
            out,
            "<path d=\"M{at:.1} {top}V{bottom}\" stroke=\"#ddd\"/><text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{recall}</text>",
            bottom + 18.0
        );
    }
    for rate in scale.rates() {
        let at = y(rate);
        let _ = writeln!(
            out,
            "<path d=\"M{left} {at:.1}H{right}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 6.0,
            at + 4.0,
            rate_text(rate)
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">recall</text><text x=\"{left}\" y=\"{}\">queries a second, one thread</text>",
        left + width / 2.0,
        bottom + 36.0,
        top - 4.0
    );
    for (at, (curve, colour)) in curves.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let line: Vec<String> =
            curve.points.iter().map(|(recall, rate)| format!("{:.1},{:.1}", x(*recall), y(*rate))).collect();
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            line.join(" ")
        );
        for (recall, rate) in &curve.points {
            let _ = writeln!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                x(*recall),
                y(*rate)
            );
        }
        let line = bottom + 60.0 + 18.0 * at as f64;
        let _ = writeln!(
            out,
            "<path d=\"M{left} {line}h24\" stroke=\"{colour}\" stroke-width=\"3\"/><text x=\"{}\" y=\"{}\">{}</text>",
            left + 32.0,
            line + 4.0,
            escape(&curve.name)
        );
    }
    out + "</svg>\n"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Vec<Curve> {
        let curve = |name: &str, by: f64| Curve {
            name: name.to_owned(),
            points: vec![(0.8, 10_000.0 * by), (0.95, 5_000.0 * by), (1.0, 500.0 * by)],
        };
        vec![curve("one <", 1.0), curve("two", 2.0)]
    }

    #[test]
    fn faster_lies_higher_and_better_to_the_right() {
        let scale = Scale::of(&two()).unwrap();
        assert!(scale.y(10_000.0) > scale.y(9_000.0) && scale.x(0.99) > scale.x(0.98));
        let decade = scale.x(0.99) - scale.x(0.9);
        assert!((scale.x(0.999) - scale.x(0.99) - decade).abs() < 1e-9);
        let lines = text(&two()).unwrap();
        let line_of = |letter: char| {
            lines
                .iter()
                .position(|line| line.split_once('│').is_some_and(|(_, grid)| grid.contains(letter)))
                .unwrap()
        };
        assert!(line_of('b') < line_of('a'), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("0.95") && line.contains("0.99")), "{lines:?}");
    }

    #[test]
    fn a_drawing_is_whole_whatever_there_is() {
        let one = Curve { name: "one".to_owned(), points: vec![(1.0, 3.0)] };
        for curves in [two(), vec![one], Vec::new()] {
            let drawn = draw("a & b", &curves);
            assert!(drawn.starts_with("<svg") && drawn.ends_with("</svg>\n") && drawn.contains("a &amp; b"));
            assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        }
        assert!(text(&[]).is_none());
    }
}
