//! What commands print: results to standard output, one line about a failure to standard error.

use crate::failure::{Exit, Failure};
use serde::Serialize;
use std::io::{self, Write};
use std::process::ExitCode;

/// A line of results. A reader that has gone away (`| head`) is no error.
pub(crate) fn line(text: &str) {
    let _reader_may_be_gone = writeln!(io::stdout().lock(), "{text}");
}

/// A result as JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    line(&text);
    Ok(())
}

/// A remark that is no result.
pub(crate) fn remark(text: &str) {
    let _reader_may_be_gone = writeln!(io::stderr().lock(), "{text}");
}

/// A failure, whether or not it ends the command.
pub(crate) fn remark_failure(failure: &Failure, as_json: bool) {
    remark(&if as_json { failure.to_json() } else { format!("facilitator: {failure}") });
}

/// The end of a command that failed.
pub(crate) fn fail(failure: &Failure, as_json: bool) -> ExitCode {
    remark_failure(failure, as_json);
    failure.exit.into()
}

/// Wrong usage that was found before the command line was read.
pub(crate) fn usage(text: &str) -> ExitCode {
    fail(&Failure::new(Exit::Usage, text), false)
}

/// Columns of text, each as wide as its widest cell.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn tables_line_up_without_trailing_blanks() {
        let rows = [vec!["a".to_owned(), "bb".to_owned()], vec!["ccc".to_owned(), "d".to_owned()]];
        assert_eq!(super::table(&rows), "a    bb\nccc  d");
    }
}
