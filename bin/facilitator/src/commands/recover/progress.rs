//! How far a recovery is, on standard error: one line that changes on a terminal, else a line every few seconds.

use crate::output;
use facilitator_protocol::model::Side;
use facilitator_roles::recovery::Progress;
use std::cell::{Cell, RefCell};
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Time between two lines where lines stay.
const PAUSE: Duration = Duration::from_secs(2);
/// Time between two changes of the line on a terminal.
const BLINK: Duration = Duration::from_millis(100);

/// What was shown last.
pub(super) struct Shown {
    on_terminal: bool,
    at: Cell<Option<Instant>>,
    sides: RefCell<[Option<String>; 2]>,
    last: RefCell<String>,
}

impl Default for Shown {
    fn default() -> Self {
        let (sides, last) = (RefCell::default(), RefCell::default());
        Self { on_terminal: std::io::stderr().is_terminal(), at: Cell::new(None), sides, last }
    }
}

impl Shown {
    /// Shows it, unless something was shown a moment ago.
    pub(super) fn tell(&self, progress: &Progress) {
        match progress {
            Progress::Reading { side, at, of } => {
                let at = at.map_or_else(|| "the beginning".to_owned(), |block| format!("block {block}"));
                self.sides.borrow_mut()[place(*side)] = Some(format!("{side} chain: {at} of {of}"));
                let line = self.sides.borrow().iter().flatten().cloned().collect::<Vec<_>>().join("; ");
                self.line(format!("reading {line}"));
            }
            Progress::Trouble { side, text: Some(text) } => {
                self.end();
                output::remark(&format!("{side} chain: {text}; trying again"));
            }
            Progress::Trouble { side, text: None } => {
                self.end();
                output::remark(&format!("{side} chain: it can be read again"));
            }
            Progress::Judging { done, of } => self.line(format!("looking at requests: {done} of {of}")),
        }
    }

    /// Shows what was held back, and leaves the line.
    pub(super) fn end(&self) {
        let last = self.last.take();
        if self.on_terminal {
            if self.at.take().is_some() {
                print(&format!("\r\u{1b}[K{last}\n"));
            }
        } else if !last.is_empty() {
            output::remark(&last);
        }
    }

    fn line(&self, text: String) {
        let pause = if self.on_terminal { BLINK } else { PAUSE };
        if self.at.get().is_some_and(|at| at.elapsed() < pause) {
            self.last.replace(text);
            return;
        }
        self.at.set(Some(Instant::now()));
        if self.on_terminal {
            print(&format!("\r\u{1b}[K{text}"));
            self.last.replace(text);
        } else {
            self.last.take();
            output::remark(&text);
        }
    }
}

fn print(text: &str) {
    let mut out = std::io::stderr().lock();
    let _nobody_may_look = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

const fn place(side: Side) -> usize {
    match side {
        Side::Origin => 0,
        Side::Auxiliary => 1,
    }
}
