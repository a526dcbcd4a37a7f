//! A terminal that a command runs on: what it is shown is kept, byte by byte.

use crate::operator::Operator;
use anyhow::{Context as _, Result, bail};
use nix::{
    pty::{Winsize, openpty},
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::File,
    io::Read as _,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};
use tokio::process::Child;

/// Longest wait for anything on it.
const LIMIT: Duration = Duration::from_secs(60);

/// A command on a terminal of its own. Killed when dropped.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Runs a command of an operator on a terminal of this size; standard error goes nowhere.
    ///
    /// # Errors
    /// When there is no terminal, or the command can't be started.
    pub fn run(operator: &Operator, arguments: &[&str], columns: u16, lines: u16) -> Result<Self> {
        let size = Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let ends = openpty(Some(&size), None)?;
        let mut command = operator.command(arguments);
        command.stdout(Stdio::from(ends.slave)).stderr(Stdio::null()).env("TERM", "xterm-256color");
        let child = command.spawn()?;
        // Nobody holds the other end any more but the child, so that the terminal ends with it.
        drop(command);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&shown);
        let mut screen = File::from(ends.master);
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = screen.read(&mut piece) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..length]);
            }
        });
        Ok(Self { child, shown })
    }

    /// Everything that was shown so far.
    #[must_use]
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    /// Waits until what was shown is as wanted.
    ///
    /// # Errors
    /// When it never is.
    pub async fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let start = Instant::now();
        loop {
            let shown = self.shown();
            if wanted(&shown) {
                return Ok(shown);
            }
            if start.elapsed() > LIMIT {
                bail!("never {what}: {shown:?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sends a signal to the command.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = self.child.id().context("it has ended")?;
        Ok(kill(Pid::from_raw(i32::try_from(pid)?), signal)?)
    }

    /// Waits for its end, and for the last of what it shows.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn ended(mut self) -> Result<(ExitStatus, String)> {
        let status = tokio::time::timeout(LIMIT, self.child.wait()).await.context("it does not end")??;
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok((status, self.shown()))
    }
}

/// The lines of a text without what colours and moves.
#[must_use]
pub fn bare(text: &str) -> Vec<String> {
    let mut pieces = text.split('\u{1b}');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| c.is_ascii_alphabetic()).map_or(piece.len(), |at| at + 1);
        plain.push_str(&piece[end..]);
    }
    plain.split("\r\n").map(str::to_owned).collect()
}
