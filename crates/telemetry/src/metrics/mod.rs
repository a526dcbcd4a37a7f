//! Metrics in the text format of Prometheus (version 0.0.4).
//!
//! Invariants: every metric stands once in [`table`], with its type, labels, meaning and the question that it answers;
//! what is not in the table can't be exported, and a sample has as many label values as its metric has labels.
//!
//! Left alone: where the numbers come from.

pub mod table;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

/// The content type of [`Exposition::to_text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What an operator asks; metrics are grouped by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Do all processes live and work?
    Alive,
    /// Does anything not get further?
    Stuck,
    /// What comes in, what is spent?
    Earning,
    /// Do the nodes answer, and agree?
    Nodes,
    /// Can the worker keys pay, and do their transactions get through?
    Keys,
}

impl Question {
    /// All questions, in the order of the documentation.
    pub const ALL: [Self; 5] = [Self::Alive, Self::Stuck, Self::Earning, Self::Nodes, Self::Keys];

    /// As an operator asks it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "Is it alive?",
            Self::Stuck => "Is anything stuck?",
            Self::Earning => "Is it earning?",
            Self::Nodes => "Are the nodes well?",
            Self::Keys => "Are the keys well?",
        }
    }
}

/// How a number behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It goes up and down.
    Gauge,
    /// It only goes up, or begins anew.
    Counter,
}

impl Kind {
    /// As the format names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

/// A metric with so many labels.
#[derive(Debug, Clone, Copy)]
pub struct Metric<const LABELS: usize> {
    name: &'static str,
    labels: [&'static str; LABELS],
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Which question it answers.
    pub question: Question,
    /// How the number behaves.
    pub kind: Kind,
    /// Its name, unit included.
    pub name: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

/// A number as the format takes it.
#[derive(Debug, Clone, PartialEq)]
pub enum Number {
    /// A whole number.
    Whole(u64),
    /// Any other.
    Real(f64),
    /// A whole number of any size, as decimal text.
    Amount(String),
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<bool> for Number {
    fn from(truth: bool) -> Self {
        Self::Whole(u64::from(truth))
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => number.fmt(f),
            Self::Real(number) if number.is_nan() => f.write_str("NaN"),
            Self::Real(number) if number.is_infinite() => f.write_str(if *number > 0.0 { "+Inf" } else { "-Inf" }),
            Self::Real(number) => number.fmt(f),
            Self::Amount(digits) => f.write_str(digits),
        }
    }
}

/// What is exported at one moment.
#[derive(Debug, Clone, Default)]
pub struct Exposition {
    samples: BTreeMap<&'static str, Vec<String>>,
}

impl Exposition {
    /// Adds a sample.
    pub fn add<const LABELS: usize>(
        &mut self,
        metric: &Metric<LABELS>,
        labels: [&str; LABELS],
        number: impl Into<Number>,
    ) {
        let mut line = metric.name.to_owned();
        for (place, (name, value)) in metric.labels.iter().zip(labels).enumerate() {
            let open = if place == 0 { '{' } else { ',' };
            // Writing to a string cannot fail.
            let _infallible = write!(line, "{open}{name}=\"{}\"", Escaped(value));
        }
        let close = if LABELS == 0 { "" } else { "}" };
        let _infallible = write!(line, "{close} {}", number.into());
        self.samples.entry(metric.name).or_default().push(line);
    }

    /// Everything, in the order of the table; a metric without a sample is left out.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for row in table::ALL {
            let Some(samples) = self.samples.get(row.name) else { continue };
            let Row { name, kind, help, .. } = row;
            let _infallible = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {}", kind.as_str());
            for sample in samples {
                let _infallible = writeln!(text, "{sample}");
            }
        }
        text
    }
}

/// A label's value: what others named may stand in it.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '\\' => f.write_str("\\\\"),
            '"' => f.write_str("\\\""),
            '\n' => f.write_str("\\n"),
            c if c.is_control() => f.write_char('\u{fffd}'),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn samples_stand_below_their_metric_in_the_order_of_the_table() {
        let mut exposition = Exposition::default();
        exposition.add(&table::KEY_BALANCE, ["3", "0xabc"], Number::Amount("1".repeat(30)));
        exposition.add(&table::READY, [], true);
        exposition.add(&table::KEY_BALANCE, ["1406", "0xabc"], 7);
        let text = exposition.to_text();
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("# HELP")).collect();
        assert_eq!(
            lines,
            [
                "# TYPE facilitator_ready gauge",
                "facilitator_ready 1",
                "# TYPE facilitator_key_balance_wei gauge",
                &format!("facilitator_key_balance_wei{{chain=\"3\",account=\"0xabc\"}} {}", "1".repeat(30)),
                "facilitator_key_balance_wei{chain=\"1406\",account=\"0xabc\"} 7",
            ]
        );
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn what_others_named_can_not_forge_a_line() {
        let mut exposition = Exposition::default();
        exposition.add(&table::ENDPOINT_WELL, ["3", "a\"} 1\nfacilitator_ready 1 \\\u{1b}"], false);
        let last = exposition.to_text();
        assert_eq!(
            last.lines().last(),
            Some("facilitator_endpoint_well{chain=\"3\",endpoint=\"a\\\"} 1\\nfacilitator_ready 1 \\\\\u{fffd}\"} 0")
        );
    }

    #[test]
    fn numbers_are_as_the_format_wants_them() {
        for (number, text) in [
            (Number::from(f64::INFINITY), "+Inf"),
            (f64::NEG_INFINITY.into(), "-Inf"),
            (f64::NAN.into(), "NaN"),
            (0.25.into(), "0.25"),
            (u64::MAX.into(), "18446744073709551615"),
            (false.into(), "0"),
        ] {
            assert_eq!(number.to_string(), text);
        }
    }

    #[test]
    fn the_table_keeps_the_conventions() {
        let units =
            ["_bytes", "_seconds", "_total", "_wei", "_units", "_block", "_blocks", "_hours", "_info", "_ratio"];
        let mut names = BTreeSet::new();
        for row in table::ALL {
            assert!(names.insert(row.name), "{} stands twice", row.name);
            assert!(row.name.starts_with("facilitator_"), "{}", row.name);
            let plain = |name: &str| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(plain(row.name) && row.labels.iter().all(|label| plain(label)), "{row:?}");
            assert_eq!(row.kind == Kind::Counter, row.name.ends_with("_total"), "{}", row.name);
            assert!(row.help.ends_with('.') && !row.help.contains(['\n', '\\', '|']), "{row:?}");
            // Amounts, times and heights say what they are counted in.
            let measured =
                ["balance", "gas", "reward", "bounty", "age", "latency", "duration", "since", "runway", "lag"];
            if measured.iter().any(|word| row.name.split('_').any(|part| part == *word)) {
                assert!(units.iter().any(|unit| row.name.ends_with(unit)), "{} tells no unit", row.name);
            }
        }
        let questions: Vec<Question> = table::ALL.iter().map(|row| row.question).collect();
        assert!(questions.is_sorted(), "grouped by question");
        assert_eq!(questions.iter().collect::<BTreeSet<_>>().len(), Question::ALL.len());
    }
}
