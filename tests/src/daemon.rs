//! The daemon that an operator started: its signals, its children, its log, its end.
//!
//! Invariant: it is killed when the test that holds it ends, however that ends.

use crate::process;
use anyhow::{Result, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};
use tokio::{
    io::{BufReader, Lines},
    process::{Child, ChildStdout},
};

/// Longest wait for `ready`, and for the end.
const READY_LIMIT: Duration = Duration::from_secs(60);
const END_LIMIT: Duration = Duration::from_secs(60);
/// Lines of the log that an error shows.
const LOG_TAIL: usize = 60;

/// A running daemon. Killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    pub(crate) child: Child,
    pub(crate) lines: Lines<BufReader<ChildStdout>>,
    pub(crate) log: PathBuf,
    /// Its process id.
    pub pid: u32,
}

impl Daemon {
    /// Waits for the line `ready`.
    ///
    /// # Errors
    /// When the daemon ends before, or isn't ready within a minute.
    pub async fn ready(&mut self) -> Result<()> {
        let ready = async {
            while let Some(line) = self.lines.next_line().await? {
                if line.contains("ready") {
                    return Ok(true);
                }
            }
            anyhow::Ok(false)
        };
        match tokio::time::timeout(READY_LIMIT, ready).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => {
                let status = self.child.wait().await?;
                bail!("the daemon ended with {status} before it was ready:\n{}", self.log_tail())
            }
            Ok(Err(error)) => Err(error),
            Err(_) => bail!("not ready after {READY_LIMIT:?}:\n{}", self.log_tail()),
        }
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system can't tell.
    pub fn has_ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// The file of its log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The last lines of its log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(LOG_TAIL)..).unwrap_or_default().join("\n")
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the daemon has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(i32::try_from(self.pid)?), signal)?)
    }

    /// Its children, which are the scanners, senders and workers.
    #[must_use]
    pub fn children(&self) -> Vec<u32> {
        process::children(self.pid)
    }

    /// Its living children in a role (`scanner`, `sender`, `worker`), as their command line names it.
    #[must_use]
    pub fn in_role(&self, role: &str) -> Vec<u32> {
        let plays = |pid: &u32| process::command_line(*pid).split(' ').any(|word| word == role);
        self.children().into_iter().filter(plays).collect()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it doesn't end within a minute.
    pub async fn ended(mut self) -> Result<ExitStatus> {
        match tokio::time::timeout(END_LIMIT, self.child.wait()).await {
            Ok(status) => Ok(status?),
            Err(_) => bail!("the daemon did not end:\n{}", self.log_tail()),
        }
    }

    /// Kills it with SIGKILL and tells which children it had.
    ///
    /// # Errors
    /// When it doesn't end.
    pub async fn kill(self) -> Result<Vec<u32>> {
        let children = self.children();
        self.signal(Signal::SIGKILL)?;
        self.ended().await?;
        Ok(children)
    }
}
