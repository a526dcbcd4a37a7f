//! What a part of the benchmark found, as values: told as text while it runs, and written into the report afterwards.

use super::plot::Plot;
use crate::table;
use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// The result of one part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chapter {
    /// The part's name on the command line.
    pub part: String,
    /// Heading.
    pub title: String,
    /// What is shown, in its order.
    pub blocks: Vec<Block>,
    /// Numbers by which the aims are judged; each part tells their names and units.
    pub figures: BTreeMap<String, f64>,
}

/// A piece of a chapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Block {
    /// A paragraph.
    Text(String),
    /// A table.
    Table(Table),
    /// A plot.
    Plot(Plot),
}

/// A table; each row has a cell for each column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Names of the columns.
    pub header: Vec<String>,
    /// The cells.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of these cells.
    #[must_use]
    pub fn new(header: &[&str], rows: Vec<Vec<String>>) -> Self {
        Self { header: header.iter().map(|title| (*title).to_owned()).collect(), rows }
    }

    /// As Markdown: columns of numbers to the right.
    #[must_use]
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let is_number = |cell: &String| cell.chars().all(|c| c.is_ascii_digit() || " .,-–−/×%".contains(c));
        let right = |column: usize| {
            let mut cells = self.rows.iter().filter_map(|row| row.get(column));
            column > 0 && cells.all(is_number)
        };
        let rules = (0..self.header.len()).map(|column| if right(column) { "---:" } else { "---" });
        let rule = format!("| {} |\n", rules.collect::<Vec<_>>().join(" | "));
        line(&self.header) + &rule + &self.rows.iter().map(|row| line(row)).collect::<String>()
    }
}

impl Chapter {
    /// An empty one.
    #[must_use]
    pub fn new(part: &str, title: &str) -> Self {
        Self { part: part.to_owned(), title: title.to_owned(), blocks: Vec::new(), figures: BTreeMap::new() }
    }

    /// With one more paragraph.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.blocks.push(Block::Text(text.into()));
        self
    }

    /// With one more table.
    #[must_use]
    pub fn table(mut self, header: &[&str], rows: Vec<Vec<String>>) -> Self {
        self.blocks.push(Block::Table(Table::new(header, rows)));
        self
    }

    /// With one more plot.
    #[must_use]
    pub fn plot(mut self, plot: Plot) -> Self {
        self.blocks.push(Block::Plot(plot));
        self
    }

    /// With one more number to be judged.
    #[must_use]
    pub fn figure(mut self, name: impl Into<String>, value: f64) -> Self {
        self.figures.insert(name.into(), value);
        self
    }

    /// A number that was measured.
    ///
    /// # Errors
    /// When it was not.
    pub fn number(&self, name: &str) -> Result<f64> {
        self.figures.get(name).copied().with_context(|| format!("part {} has not measured {name}", self.part))
    }

    /// Its plots.
    pub fn plots(&self) -> impl Iterator<Item = &Plot> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Plot(plot) => Some(plot),
            Block::Text(_) | Block::Table(_) => None,
        })
    }
}

impl fmt::Display for Chapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.title)?;
        for block in &self.blocks {
            match block {
                Block::Text(text) => writeln!(f, "{text}\n")?,
                Block::Table(table) => {
                    let header: Vec<&str> = table.header.iter().map(String::as_str).collect();
                    writeln!(f, "{}", table::layout(&header, &table.rows))?;
                }
                // For the report alone: its numbers stand in the tables.
                Block::Plot(_) => {}
            }
        }
        Ok(())
    }
}

/// A number as it is told: three digits that count, no exponent.
#[must_use]
pub(super) fn told(value: f64) -> String {
    with_digits(value, digits(value))
}

/// As [`told`], but never as if it were the limit that it stands beside, where it is not.
#[must_use]
pub(super) fn beside(value: f64, limit: f64) -> String {
    let mut digits = digits(value);
    let is_blurred = |digits| with_digits(value, digits) == with_digits(limit, digits);
    while digits < 9 && value.to_bits() != limit.to_bits() && is_blurred(digits) {
        digits += 1;
    }
    with_digits(value, digits)
}

fn digits(value: f64) -> usize {
    match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    }
}

fn with_digits(value: f64, digits: usize) -> String {
    let size = value.abs();
    let text = format!("{size:.digits$}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), table::grouped);
    let rest = rest.trim_end_matches('0');
    let sign = if value < 0.0 { "−" } else { "" };
    if rest.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") }
}

/// The middle one of some values; none of none.
#[must_use]
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let (below, above) = (values.get(values.len().saturating_sub(1) / 2)?, values.get(values.len() / 2)?);
    Some(f64::midpoint(*below, *above))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_with_the_digits_that_count() {
        let cases = [(0.0, "0"), (0.34567, "0.346"), (8.2, "8.2"), (12.04, "12"), (1_795_712.4, "1 795 712")];
        for (value, expected) in cases {
            assert_eq!(told(value), expected);
        }
        assert_eq!(told(-1.5), "−1.5");
    }

    #[test]
    fn beside_a_limit_a_number_is_told_apart_from_it() {
        let cases = [(1.204, 1.2, "1.204"), (1.2, 1.2, "1.2"), (1.31, 1.2, "1.31"), (89.96, 90.0, "89.96")];
        for (value, limit, expected) in cases {
            assert_eq!(beside(value, limit), expected);
        }
        assert_eq!([beside(0.0004, 0.0), beside(40.04, 40.0)], ["0.0004", "40.04"]);
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn a_table_stands_as_markdown_with_numbers_to_the_right() {
        let rows = vec![vec!["a|b".to_owned(), "1 000".to_owned(), "yes".to_owned()]];
        let table = Table::new(&["what", "gas", "met?"], rows);
        assert_eq!(table.markdown(), "| what | gas | met? |\n| --- | ---: | --- |\n| a\\|b | 1 000 | yes |\n");
    }

    #[test]
    fn a_chapter_reads_back_as_it_was_and_tells_what_it_does_not_know() {
        let chapter =
            Chapter::new("scan", "Reading").text("so").table(&["x"], vec![vec!["1".into()]]).figure("rate", 0.93);
        let read: Chapter = serde_json::from_str(&serde_json::to_string(&chapter).unwrap()).unwrap();
        assert_eq!(read, chapter);
        assert_eq!(chapter.number("rate").unwrap().to_bits(), 0.93f64.to_bits());
        assert_eq!(chapter.number("speed").unwrap_err().to_string(), "part scan has not measured speed");
        assert_eq!(chapter.to_string(), "Reading\n\nso\n\nx\n─\n1\n\n");
    }
}
