//! Whether a command printed what the book shows.
//!
//! Words are compared as they are, blanks by their being there. Numbers stand for any number, since heights, times and
//! amounts differ from run to run; `1406`, the chain of all examples, for itself. `…` stands for anything within a line,
//! and alone on a line for any lines. What begins with `0x` stands for one address or hash, wherever it is shown or typed.

use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeMap;

/// The chain that every example has.
const CHAIN: &str = "1406";

/// What the addresses and hashes of the pages are in this run.
#[derive(Debug, Clone, Default)]
pub struct Names(BTreeMap<String, String>);

/// A piece of a line that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Exactly(String),
    Anything,
    Number,
    Hex(String),
}

fn is_hex(c: char) -> bool {
    c.is_ascii_hexdigit() || c == '…'
}

/// The text at the beginning that stands for an address or a hash.
fn hex_at(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("0x")?;
    let end = digits.find(|c| !is_hex(c)).unwrap_or(digits.len());
    (end > 0).then(|| &text[..2 + end])
}

fn digits_at(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| &text[..end])
}

fn pieces(shown: &str) -> Vec<Piece> {
    let mut found: Vec<Piece> = Vec::new();
    let mut rest = shown;
    while let Some(first) = rest.chars().next() {
        let (piece, length) = if let Some(hex) = hex_at(rest) {
            (Piece::Hex(hex.to_owned()), hex.len())
        } else if let Some(digits) = digits_at(rest) {
            let own = if digits == CHAIN { Piece::Exactly(CHAIN.to_owned()) } else { Piece::Number };
            (own, digits.len())
        } else if first == '…' {
            (Piece::Anything, first.len_utf8())
        } else {
            (Piece::Exactly(first.to_string()), first.len_utf8())
        };
        rest = &rest[length..];
        found.push(piece);
    }
    found
}

/// The line with each run of blanks as one.
fn plain(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Names {
    /// The command with what the names stand for.
    ///
    /// # Errors
    /// When it has one that no output has shown.
    pub fn fill_in(&self, command: &str) -> Result<String> {
        let mut filled = String::new();
        let mut rest = command;
        while let Some(at) = rest.find("0x") {
            filled.push_str(&rest[..at]);
            let Some(name) = hex_at(&rest[at..]) else {
                filled.push_str("0x");
                rest = &rest[at + 2..];
                continue;
            };
            match self.0.get(name) {
                Some(value) => filled.push_str(value),
                None if name.contains('…') => {
                    return Err(anyhow::anyhow!("nothing has shown {name} before")).context(command.to_owned());
                }
                None => filled.push_str(name),
            }
            rest = &rest[at + name.len()..];
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// Whether `name` may stand for `value`; learns it.
    fn stands_for(&mut self, name: &str, value: &str) -> bool {
        let known = self.0.get(name).cloned();
        let same = known.as_ref().is_none_or(|known| same(known, value));
        if same && known.is_none_or(|known| known.len() < value.len()) {
            self.0.insert(name.to_owned(), value.to_owned());
        }
        same
    }

    /// Whether the rest of a line is what these pieces say.
    fn fits(&mut self, pieces: &[Piece], text: &str) -> bool {
        let Some((piece, more)) = pieces.split_first() else { return text.is_empty() };
        match piece {
            Piece::Exactly(wanted) => text.strip_prefix(wanted.as_str()).is_some_and(|rest| self.fits(more, rest)),
            Piece::Number => digits_at(text).is_some_and(|digits| self.fits(more, &text[digits.len()..])),
            Piece::Hex(name) => hex_at(text).is_some_and(|value| {
                let before = self.clone();
                let fits = self.stands_for(name, value) && self.fits(more, &text[value.len()..]);
                if !fits {
                    *self = before;
                }
                fits
            }),
            Piece::Anything => {
                let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
                ends.into_iter().any(|at| self.fits(more, &text[at..]))
            }
        }
    }

    fn lines_fit(&mut self, shown: &[String], printed: &[String]) -> bool {
        let Some((line, more)) = shown.split_first() else { return printed.is_empty() };
        if line.trim() == "…" {
            return (0..=printed.len()).any(|skipped| self.lines_fit(more, &printed[skipped..]));
        }
        let Some((first, rest)) = printed.split_first() else { return false };
        let before = self.clone();
        let fits = self.fits(&pieces(&plain(line)), &plain(first)) && self.lines_fit(more, rest);
        if !fits {
            *self = before;
        }
        fits
    }

    /// Compares what was printed with what is shown.
    ///
    /// # Errors
    /// When it is something else: both.
    pub fn compare(&mut self, shown: &[String], printed: &[String]) -> Result<()> {
        let fits = shown.is_empty() || self.lines_fit(shown, printed);
        ensure!(fits, "the book shows\n{}\nbut it printed\n{}", shown.join("\n"), printed.join("\n"));
        Ok(())
    }
}

/// Whether two forms of an address or a hash, of which either may be cut, can be the same.
fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    let ends = |text: &str| {
        let (head, tail) = text.split_once('…').unwrap_or((text, ""));
        (head.to_owned(), tail.to_owned())
    };
    match (one.contains('…'), other.contains('…')) {
        (false, false) => one == other,
        _ => {
            let ((a, b), (c, d)) = (ends(&one), ends(&other));
            let heads = a.starts_with(&c) || c.starts_with(&a);
            heads && (b.is_empty() || d.is_empty() || b.ends_with(&d) || d.ends_with(&b))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(names: &mut Names, shown: &[&str], printed: &[&str]) -> bool {
        let own = |lines: &[&str]| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
        names.compare(&own(shown), &own(printed)).is_ok()
    }

    #[test]
    fn numbers_blanks_and_dots_may_differ_and_words_may_not() {
        let names = &mut Names::default();
        assert!(compare(names, &["ready: chain 1406, pid 4355"], &["ready:  chain 1406, pid 7"]));
        assert!(!compare(names, &["ready: chain 1406"], &["ready: chain 1407"]));
        assert!(compare(names, &["Running since …", "…", "end"], &["Running since 9 ms", "a", "b", "end"]));
        assert!(!compare(names, &["a", "…"], &["b", "a"]));
        assert!(!compare(names, &["a"], &["a", "b"]));
        assert!(!compare(names, &["1 ACCEPTED"], &["1 COMPLETE"]));
        assert!(compare(names, &[], &["anything"]));
    }

    #[test]
    fn an_address_is_the_same_everywhere() {
        let names = &mut Names::default();
        let (one, two) = ("0xaaaa567890abcdef567890abcdef567890bbbb", "0xcccc567890abcdef567890abcdef567890dddd");
        assert!(compare(names, &["from 0x64Cf…0d4e to 0xA09e…f8c6"], &[&format!("from {one} to {two}")]));
        assert_eq!(names.fill_in("show PASSW_0x64Cf…0d4e=x").unwrap(), format!("show PASSW_{one}=x"));
        assert!(compare(names, &["0x64Cf…0d4e"], &["0xaaaa…bbbb"]));
        assert!(!compare(names, &["0x64Cf…0d4e"], &[two]));
        assert!(names.fill_in("show 0x1234…5678").is_err());
        assert_eq!(names.fill_in("show 0x1234").unwrap(), "show 0x1234");
    }
}
