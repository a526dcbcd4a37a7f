//! Tables as plain text: columns as wide as they must be, numbers to the right.

use facilitator_eth::U256;
use std::fmt::Write as _;

/// Lays out `rows` under `header`. A column whose cells below the header all begin with a digit goes to the right.
#[must_use]
pub fn layout(header: &[&str], rows: &[Vec<String>]) -> String {
    let columns = 0..header.len();
    let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| cell(row, column).chars().count());
        cells.chain(header.get(column).map(|title| title.chars().count())).max().unwrap_or(0)
    };
    let numeric = |column: usize| rows.iter().all(|row| cell(row, column).starts_with(|c: char| c.is_ascii_digit()));
    let shape: Vec<(usize, bool)> = columns.map(|column| (width(column), numeric(column))).collect();
    let mut text = String::new();
    let mut line = |cells: Vec<String>| {
        let mut row = String::new();
        for (content, (width, right)) in cells.iter().zip(&shape) {
            // Writing to a string does not fail.
            let _ = if *right { write!(row, "{content:>width$}  ") } else { write!(row, "{content:<width$}  ") };
        }
        text.push_str(row.trim_end());
        text.push('\n');
    };
    line(header.iter().map(|title| (*title).to_owned()).collect());
    line(shape.iter().map(|(width, _)| "─".repeat(*width)).collect());
    for row in rows {
        line((0..header.len()).map(|column| cell(row, column)).collect());
    }
    text
}

/// Wei of an 18-decimals token as whole tokens with four decimals, rounded down.
#[must_use]
pub fn token_text(wei: U256) -> String {
    let unit = U256::exp10(14);
    let parts = wei.checked_div(unit).and_then(U256::to_u64).unwrap_or(u64::MAX);
    format!("{}.{:04}", parts / 10_000, parts % 10_000)
}

/// A whole number with blanks between groups of three digits.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A hash or an address in short.
#[must_use]
pub fn short(hex: &impl ToString) -> String {
    let text = hex.to_string();
    match (text.get(..10), text.len()) {
        (Some(start), 11..) => format!("{start}…"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_words_to_the_left() {
        let rows = vec![vec!["a".to_owned(), "7".to_owned()], vec!["bcd".to_owned(), "10 000".to_owned()]];
        let text = layout(&["x", "gas"], &rows);
        assert_eq!(text, "x       gas\n───  ──────\na         7\nbcd  10 000\n");
        assert_eq!(grouped(1_234_567), "1 234 567");
        assert_eq!(token_text(U256::from(1_234_567_000_000_000_000u64)), "1.2345");
    }
}
