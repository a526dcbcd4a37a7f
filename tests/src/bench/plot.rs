//! Plots as SVG, written by hand: axes, lines, a legend, and colours that can be told apart on light and dark pages.

use super::chapter::told;
use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;

/// Size of the picture, and of the margins around the field: left, top, right, bottom.
const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 84.0;
const TOP: f64 = 48.0;
const RIGHT: f64 = 250.0;
const BOTTOM: f64 = 58.0;
/// Lines with more points than this have no dots.
const DOTS: usize = 40;
/// About so many marks on a linear axis.
const MARKS: f64 = 5.0;

/// Colours and dashes, one for each line; the palette of Okabe and Ito, made for all kinds of sight, its blue
/// lighter for dark pages.
const PENS: [(&str, &str); 6] = [
    ("#1a80c4", ""),
    ("#d55e00", "7 4"),
    ("#009e73", "2 4"),
    ("#cc79a7", "10 3 2 3"),
    ("#e69f00", "4 2"),
    ("#56b4e9", "1 3"),
];

/// The page's own colour scheme decides; the picture brings its ground, so that nothing depends on the page's.
const STYLE: &str = "\
text{font:13px sans-serif;fill:#1f2328}.title{font-weight:bold;font-size:15px}.ground{fill:#fff}\
.frame{fill:none;stroke:#59636e}.grid{stroke:#d1d9e0}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.ground{fill:#161b22}.frame{stroke:#9198a1}.grid{stroke:#30363d}}";

/// A plot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plot {
    /// Its file's name, without folder and ending.
    pub name: String,
    /// Heading.
    pub title: String,
    /// What goes to the right.
    pub x: Axis,
    /// What goes up.
    pub y: Axis,
    /// The lines.
    pub lines: Vec<Line>,
}

/// An axis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// What it counts, with its unit.
    pub label: String,
    /// Whether equal steps stand for equal ratios; else it begins at zero.
    pub is_log: bool,
}

impl Axis {
    /// With equal steps for equal ratios.
    #[must_use]
    pub fn log(label: &str) -> Self {
        Self { label: label.to_owned(), is_log: true }
    }

    /// From zero on.
    #[must_use]
    pub fn linear(label: &str) -> Self {
        Self { label: label.to_owned(), is_log: false }
    }
}

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// Its points, in the order in which they are joined.
    pub points: Vec<(f64, f64)>,
}

/// An axis with its ends, and the pixels that these stand at.
struct Scale {
    is_log: bool,
    from: f64,
    to: f64,
    pixels: (f64, f64),
}

impl Scale {
    fn new(axis: &Axis, values: &[f64], pixels: (f64, f64)) -> Result<Self> {
        ensure!(values.iter().all(|value| value.is_finite()), "{}: a value is no number", axis.label);
        let least = values.iter().copied().reduce(f64::min).context("nothing to plot")?;
        let most = values.iter().copied().reduce(f64::max).context("nothing to plot")?;
        ensure!(!axis.is_log || least > 0.0, "{}: {least} has no place on a logarithmic axis", axis.label);
        ensure!(axis.is_log || least >= 0.0, "{}: {least} is below the axis", axis.label);
        let (from, to) = match axis.is_log {
            // Some room, so that a level line runs in the midst.
            true => (least / 1.25, most * 1.25),
            false => (0.0, if most > 0.0 { most * 1.05 } else { 1.0 }),
        };
        Ok(Self { is_log: axis.is_log, from, to, pixels })
    }

    fn at(&self, value: f64) -> f64 {
        let part = match self.is_log {
            true => (value / self.from).ln() / (self.to / self.from).ln(),
            false => (value - self.from) / (self.to - self.from),
        };
        self.pixels.0 + part * (self.pixels.1 - self.pixels.0)
    }

    /// Where it is marked: at powers of ten with 2 and 5 between where there is room, or at equal round steps.
    fn marks(&self) -> Vec<f64> {
        let mut marks = Vec::new();
        if self.is_log {
            let between: &[f64] = if self.to / self.from > 5_000.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
            let mut power = 10f64.powf(self.from.log10().floor());
            while power <= self.to {
                marks.extend(between.iter().map(|digit| digit * power));
                power *= 10.0;
            }
        } else {
            let rough = (self.to - self.from) / MARKS;
            let power = 10f64.powf(rough.log10().floor());
            let step = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power).into_iter().find(|step| *step >= rough);
            let (step, mut mark) = (step.unwrap_or(rough), self.from);
            while mark <= self.to {
                marks.push(mark);
                mark += step;
            }
        }
        marks.retain(|mark| *mark >= self.from && *mark <= self.to);
        marks
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

impl Plot {
    /// The picture as SVG.
    ///
    /// # Errors
    /// When there is nothing to show, a value has no place on its axis, or there are more lines than pens.
    pub fn svg(&self) -> Result<String> {
        ensure!(self.lines.len() <= PENS.len(), "{}: {} lines for {} pens", self.name, self.lines.len(), PENS.len());
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let (xs, ys): (Vec<f64>, Vec<f64>) = points().copied().unzip();
        let x = Scale::new(&self.x, &xs, (LEFT, WIDTH - RIGHT)).with_context(|| self.name.clone())?;
        let y = Scale::new(&self.y, &ys, (HEIGHT - BOTTOM, TOP)).with_context(|| self.name.clone())?;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
             role=\"img\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
             <rect class=\"ground\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\"/>\n\
             <text class=\"title\" x=\"{LEFT}\" y=\"28\">{title}</text>\n",
            title = escaped(&self.title)
        );
        // Writing to a string does not fail, here and below.
        self.axes(&mut svg, &x, &y)?;
        for (line, pen) in self.lines.iter().zip(PENS) {
            draw(&mut svg, line, pen, &x, &y)?;
        }
        for ((index, line), pen) in self.lines.iter().enumerate().zip(PENS) {
            let (left, at) = (WIDTH - RIGHT + 18.0, TOP + 14.0 + 22.0 * f64::from(u32::try_from(index)?));
            let (colour, dash) = pen;
            writeln!(
                svg,
                "<path d=\"M{left} {at}h26\" stroke=\"{colour}\" stroke-width=\"2.5\" stroke-dasharray=\"{dash}\"/>\
                 <text x=\"{}\" y=\"{}\">{}</text>",
                left + 34.0,
                at + 4.5,
                escaped(&line.name)
            )?;
        }
        svg.push_str("</svg>\n");
        Ok(svg)
    }

    fn axes(&self, svg: &mut String, x: &Scale, y: &Scale) -> Result<()> {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for mark in x.marks() {
            let at = x.at(mark);
            writeln!(
                svg,
                "<path class=\"grid\" d=\"M{at:.1} {TOP}V{bottom}\"/>\
                 <text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 18.0,
                told(mark)
            )?;
        }
        for mark in y.marks() {
            let at = y.at(mark);
            writeln!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{right}\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                at + 4.5,
                told(mark)
            )?;
        }
        let (middle, centre) = (f64::midpoint(LEFT, right), f64::midpoint(TOP, bottom));
        writeln!(
            svg,
            "<rect class=\"frame\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{}\" height=\"{}\"/>\n\
             <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n\
             <text transform=\"translate(18 {centre}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            right - LEFT,
            bottom - TOP,
            HEIGHT - 16.0,
            escaped(&self.x.label),
            escaped(&self.y.label)
        )?;
        Ok(())
    }
}

/// The pieces of a line that are joined. One without dots on a linear axis is a series with a point at each step: where
/// points are missing there was nothing, and they are not bridged.
fn pieces<'a>(line: &'a Line, x: &Scale) -> Vec<&'a [(f64, f64)]> {
    if x.is_log || line.points.len() <= DOTS {
        return vec![&line.points];
    }
    let steps = || line.points.windows(2).filter_map(|pair| Some(pair.last()?.0 - pair.first()?.0));
    let step = steps().fold(f64::INFINITY, f64::min);
    line.points.chunk_by(|one, next| next.0 - one.0 <= step * 1.5).collect()
}

fn draw(svg: &mut String, line: &Line, (colour, dash): (&str, &str), x: &Scale, y: &Scale) -> Result<()> {
    let places: Vec<(f64, f64)> = line.points.iter().map(|(right, up)| (x.at(*right), y.at(*up))).collect();
    for piece in pieces(line, x) {
        let place = |(right, up): &(f64, f64)| format!("{:.1},{:.1}", x.at(*right), y.at(*up));
        let path: Vec<String> = piece.iter().map(place).collect();
        writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"/>",
            path.join(" ")
        )?;
    }
    if places.len() <= DOTS {
        for (right, up) in places {
            writeln!(svg, "<circle cx=\"{right:.1}\" cy=\"{up:.1}\" r=\"3.5\" fill=\"{colour}\"/>")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: &[(f64, f64)], y: Axis) -> Plot {
        let lines = vec![Line { name: "a < b".to_owned(), points: points.to_vec() }];
        Plot { name: "test".into(), title: "Cost & growth".into(), x: Axis::log("stakes"), y, lines }
    }

    #[test]
    fn a_plot_has_its_line_its_marks_and_its_words() {
        let svg = plot(&[(1.0, 40.0), (10.0, 20.0), (100.0, 10.0)], Axis::linear("calls")).svg().unwrap();
        for part in [
            "<title>Cost &amp; growth</title>",
            ">a &lt; b</text>",
            ">100</text>",
            ">40</text>",
            ">stakes</text>",
            ">calls</text>",
            "prefers-color-scheme:dark",
        ] {
            assert!(svg.contains(part), "{part} is not in {svg}");
        }
        assert_eq!(svg.matches("<circle").count(), 3);
        assert_eq!(svg.matches("<polyline").count(), 1);
    }

    #[test]
    fn a_series_is_not_joined_where_points_are_missing() {
        let points: Vec<(f64, f64)> = (1..61).filter(|x| !(20..30).contains(x)).map(|x| (f64::from(x), 1.0)).collect();
        let mut series = plot(&points, Axis::linear("gwei"));
        assert_eq!(series.svg().unwrap().matches("<polyline").count(), 1);
        series.x = Axis::linear("block");
        assert_eq!(series.svg().unwrap().matches("<polyline").count(), 2);
    }

    #[test]
    fn equal_ratios_are_equal_steps_and_more_is_further_up() {
        let scale = Scale::new(&Axis::log("x"), &[1.0, 10_000.0], (0.0, 100.0)).unwrap();
        let steps = [1.0, 10.0, 100.0, 1000.0].map(|value| scale.at(value * 10.0) - scale.at(value));
        assert!(steps.iter().all(|step| (step - steps[0]).abs() < 1e-9), "{steps:?}");
        assert_eq!(scale.marks(), [1.0, 10.0, 100.0, 1000.0, 10_000.0]);
        let up = Scale::new(&Axis::linear("y"), &[0.0, 9.0], (300.0, 50.0)).unwrap();
        assert!(up.at(9.0) < up.at(1.0) && up.at(0.0).to_bits() == 300f64.to_bits());
        assert_eq!(up.marks(), [0.0, 2.0, 4.0, 6.0, 8.0]);
    }

    #[test]
    fn what_can_not_be_shown_is_an_error() {
        for (points, y) in [
            (vec![(1.0, 0.0)], Axis::log("y")),
            (vec![(1.0, -1.0)], Axis::linear("y")),
            (vec![(1.0, f64::NAN)], Axis::linear("y")),
            (vec![], Axis::linear("y")),
        ] {
            assert!(plot(&points, y.clone()).svg().is_err(), "{points:?} on {y:?}");
        }
    }
}
