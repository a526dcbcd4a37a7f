//! What a terminal can do beside lines: its width, colours, and a screen of its own for a view that goes on.

use std::io::{self, IsTerminal, Write};

/// Columns of a terminal that does not say.
const COLUMNS: usize = 100;

/// Columns that are left of any cell.
const LEAST: usize = 4;

/// Narrowest width that is laid out for.
const NARROWEST: usize = 40;

/// How something is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    Soft,
    Good,
    Warn,
    Bad,
}

impl Tone {
    const fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Strong => Some("1"),
            Self::Soft => Some("2"),
            Self::Good => Some("32"),
            Self::Warn => Some("33"),
            Self::Bad => Some("31"),
        }
    }
}

/// Where results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Columns to fit into; none where lines may be as long as they are.
    pub(crate) width: Option<usize>,
    /// Whether there are colours.
    colour: bool,
}

impl Look {
    /// That of standard output: colours and a width on a terminal alone.
    pub(crate) fn of_stdout() -> Self {
        let on_terminal = io::stdout().is_terminal();
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let width = on_terminal.then(|| size().map_or(COLUMNS, |(columns, _)| columns).max(NARROWEST));
        Self { width, colour: on_terminal && !set("NO_COLOR") && !dumb }
    }

    /// Without colours, for whoever compares text.
    #[cfg(test)]
    pub(crate) const fn plain(width: Option<usize>) -> Self {
        Self { width, colour: false }
    }

    #[cfg(test)]
    pub(crate) const fn coloured(width: Option<usize>) -> Self {
        Self { width, colour: true }
    }

    /// A text as it is meant. What others wrote has no control characters when it comes here.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        match tone.code().filter(|_| self.colour && !text.is_empty()) {
            Some(code) => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            None => text.to_owned(),
        }
    }

    /// A text in as many lines as it needs, the later ones indented by `indent`.
    pub(crate) fn wrap(self, text: &str, indent: usize) -> Vec<String> {
        let text = &visible(text);
        let Some(width) = self.width else { return vec![text.to_owned()] };
        let words = text.trim_start_matches(' ');
        let begin = text.len() - words.len();
        let mut lines = vec![" ".repeat(begin)];
        let mut used = begin;
        for word in words.split(' ') {
            let mut word: Vec<char> = word.chars().collect();
            let is_first = lines.len() == 1 && used == begin;
            if !is_first && used + 1 + word.len() > width {
                lines.push(" ".repeat(indent));
                used = indent;
            } else if !is_first {
                push(&mut lines, ' ');
                used += 1;
            }
            // A word that is longer than a line is cut, not lost.
            while used + word.len() > width && width > indent {
                let rest = word.split_off(width.saturating_sub(used).min(word.len()));
                word.iter().for_each(|c| push(&mut lines, *c));
                word = rest;
                lines.push(" ".repeat(indent));
                used = indent;
            }
            used += word.len();
            word.iter().for_each(|c| push(&mut lines, *c));
        }
        lines
    }

    /// A bar of so many percent.
    pub(crate) fn bar(self, percent: u64, columns: usize) -> String {
        let full = usize::try_from(percent.min(100)).unwrap_or(100) * columns / 100;
        let rest = columns.saturating_sub(full);
        format!("{}{}", self.paint(Tone::Good, &"█".repeat(full)), self.paint(Tone::Soft, &"░".repeat(rest)))
    }
}

fn push(lines: &mut [String], c: char) {
    if let Some(last) = lines.last_mut() {
        last.push(c);
    }
}

/// A text in which nothing moves the cursor or changes colours: reasons come from chains and nodes.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A cell of a table, and how it is meant.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(crate) fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: visible(&text.into()), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(Tone::Plain, text)
    }
}

/// Columns of text, each as wide as its widest cell, as long as all fit; else the widest are cut.
pub(crate) fn table(look: Look, heads: &[&str], rows: &[Vec<Cell>]) -> Vec<String> {
    let count = |text: &str| text.chars().count();
    let mut widths: Vec<usize> = heads.iter().map(|head| count(head)).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(count(&cell.text));
        }
    }
    if let Some(most) = look.width {
        shrink(&mut widths, heads, most);
    }
    let heading: Vec<Cell> = heads.iter().map(|head| Cell::new(Tone::Soft, *head)).collect();
    std::iter::once(&heading).chain(rows).map(|row| line(look, row, &widths)).collect()
}

/// The same with only the first columns, where not even their heads fit beside each other: what is most wanted stands first.
pub(crate) fn fitted(look: Look, heads: &[&str], rows: &[Vec<Cell>]) -> Vec<String> {
    let count = fitting(look, heads);
    let rows: Vec<Vec<Cell>> = rows.iter().map(|row| row.iter().take(count).cloned().collect()).collect();
    table(look, heads.get(..count).unwrap_or(heads), &rows)
}

/// How many of these columns fit beside each other, each cut as far as it may be; at least one.
fn fitting(look: Look, heads: &[&str]) -> usize {
    let Some(most) = look.width else { return heads.len() };
    let mut used = 0;
    let fits = |head: &&&str| {
        used += head.chars().count().max(LEAST) + 2;
        used <= most + 2
    };
    heads.iter().take_while(fits).count().max(1)
}

fn line(look: Look, row: &[Cell], widths: &[usize]) -> String {
    let last = row.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or(0);
    let cells = row.iter().zip(widths).take(last + 1).enumerate().map(|(at, (cell, width))| {
        let text = cut(&cell.text, *width);
        let blanks = if at == last { 0 } else { width.saturating_sub(text.chars().count()) };
        format!("{}{}", look.paint(cell.tone, &text), " ".repeat(blanks))
    });
    cells.collect::<Vec<_>>().join("  ")
}

fn shrink(widths: &mut [usize], heads: &[&str], most: usize) {
    let gaps = 2 * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > most {
        let widest = widths.iter_mut().zip(heads).filter(|(width, head)| **width > head.chars().count().max(LEAST));
        match widest.max_by_key(|(width, _)| **width) {
            Some((width, _)) => *width -= 1,
            None => return,
        }
    }
}

/// The beginning of a text, with a mark for what is missing.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut text: String = text.chars().take(width.saturating_sub(1)).collect();
    text.push('…');
    text
}

/// Columns and lines of the terminal.
fn size() -> Option<(usize, usize)> {
    let (width, height) = terminal_size::terminal_size()?;
    Some((width.0.into(), height.0.into()))
}

/// A screen beside the lines of the terminal, which are there again when it is dropped.
pub(crate) struct Screen(());

impl Screen {
    /// Takes the terminal, if standard output is one.
    pub(crate) fn take() -> Option<Self> {
        if !io::stdout().is_terminal() {
            return None;
        }
        put("\u{1b}[?1049h\u{1b}[?25l\u{1b}[2J");
        Some(Self(()))
    }

    /// Shows a frame: one write, over what stood there, so that nothing flickers.
    pub(crate) fn show(&self, lines: &[String]) {
        let height = size().map_or(lines.len(), |(_, lines)| lines);
        put(&frame(lines, height));
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        put("\u{1b}[?25h\u{1b}[?1049l");
    }
}

fn frame(lines: &[String], height: usize) -> String {
    let mut text = "\u{1b}[?2026h\u{1b}[H".to_owned();
    let fits = lines.len() <= height;
    let shown = if fits { lines.len() } else { height.saturating_sub(1) };
    for (at, line) in lines.iter().take(shown).enumerate() {
        if at > 0 {
            text.push_str("\r\n");
        }
        text.push_str(line);
        text.push_str("\u{1b}[0m\u{1b}[K");
    }
    if !fits {
        text.push_str(&format!("\r\n… {} more lines\u{1b}[K", lines.len() - shown));
    }
    text.push_str("\u{1b}[J\u{1b}[?2026l");
    text
}

fn put(text: &str) {
    let mut out = io::stdout().lock();
    let _nobody_may_look = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<Cell>> {
        vec![
            vec!["0x1234".into(), Cell::new(Tone::Good, "COMPLETE"), "".into()],
            vec!["0x5678".into(), Cell::new(Tone::Plain, "ACCEPTED"), "a state root that is to be anchored".into()],
        ]
    }

    #[test]
    fn tables_fit_and_the_widest_columns_are_cut() {
        let heads = ["REQUEST", "STATE", "WAITS FOR"];
        let free = table(Look::plain(None), &heads, &rows());
        assert_eq!(free[0], "REQUEST  STATE     WAITS FOR");
        assert_eq!(free[1], "0x1234   COMPLETE");
        assert_eq!(free[2], "0x5678   ACCEPTED  a state root that is to be anchored");
        let narrow = table(Look::plain(Some(34)), &heads, &rows());
        assert_eq!(narrow[2], "0x5678   ACCEPTED  a state root t…");
        for width in 20..60 {
            let lines = table(Look::plain(Some(width)), &heads, &rows());
            let longest = lines.iter().map(|line| line.chars().count()).max();
            assert!(longest <= Some(width.max(25)), "{width}: {lines:?}");
        }
    }

    #[test]
    fn what_others_wrote_can_not_take_the_terminal() {
        let hostile = "reverted: \u{1b}[2J\u{7}\r\nfacilitator: active\u{9b}1m";
        let shown = table(Look::plain(None), &["ERROR"], &[vec![hostile.into()]]);
        assert_eq!(shown.len(), 2);
        let wrapped = Look::plain(Some(20)).wrap(hostile, 2);
        for line in shown.iter().chain(&wrapped) {
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }

    #[test]
    fn columns_that_do_not_fit_are_left_out_from_the_right() {
        let heads = ["REQUEST", "STATE", "WAITS FOR"];
        let needed = |count: usize| heads[..count].iter().map(|head| head.len().max(LEAST) + 2).sum::<usize>() - 2;
        for count in 1..=3 {
            assert_eq!(fitting(Look::plain(Some(needed(count))), &heads), count);
            assert_eq!(fitting(Look::plain(Some(needed(count) - 1)), &heads), (count - 1).max(1));
        }
        assert_eq!(fitting(Look::plain(None), &heads), 3);
    }

    #[test]
    fn colours_change_no_width() {
        let plain = table(Look::plain(Some(40)), &["A", "B", "C"], &rows());
        let coloured = table(Look::coloured(Some(40)), &["A", "B", "C"], &rows());
        let bare = |line: &String| {
            let pieces = line.split('\u{1b}').enumerate();
            pieces.map(|(at, piece)| if at == 0 { piece } else { piece.split_once('m').unwrap().1 }).collect::<String>()
        };
        assert_eq!(coloured.iter().map(bare).collect::<Vec<_>>(), plain);
        assert!(coloured[1].contains("\u{1b}[32mCOMPLETE\u{1b}[0m"), "{coloured:?}");
    }

    #[test]
    fn long_texts_are_wrapped_and_nothing_is_lost() {
        let look = Look::plain(Some(12));
        assert_eq!(look.wrap("waits for a root of the chain", 2), ["waits for a", "  root of", "  the chain"]);
        let long = look.wrap("0x1234567890123456789012345", 2);
        assert!(long.iter().all(|line| line.chars().count() <= 12), "{long:?}");
        assert_eq!(long.iter().map(|line| line.trim()).collect::<String>(), "0x1234567890123456789012345");
        assert_eq!(Look::plain(None).wrap("as it is", 2), ["as it is"]);
        assert_eq!(look.wrap("  waits for it", 4), ["  waits for", "    it"]);
    }

    #[test]
    fn a_frame_is_one_text_that_leaves_nothing_of_the_last_one_and_fits_the_height() {
        let lines: Vec<String> = (0..5).map(|number| format!("line {number}")).collect();
        let whole = frame(&lines, 5);
        assert!(whole.starts_with("\u{1b}[?2026h\u{1b}[H") && whole.ends_with("\u{1b}[J\u{1b}[?2026l"));
        assert_eq!(whole.matches("\r\n").count(), 4);
        assert_eq!(whole.matches("\u{1b}[K").count(), 5);
        assert!(!whole.contains("\u{1b}[2J"), "clearing first would flicker");
        let short = frame(&lines, 3);
        assert!(short.contains("… 3 more lines") && short.matches("\r\n").count() == 2, "{short:?}");
    }

    #[test]
    fn bars_are_as_long_as_they_say() {
        assert_eq!(Look::plain(None).bar(50, 10), "█████░░░░░");
        assert_eq!(Look::plain(None).bar(0, 4), "░░░░");
        assert_eq!(Look::plain(None).bar(250, 4), "████");
    }
}
