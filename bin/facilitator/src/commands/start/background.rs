//! Several chains, or one in the background: each is a `start` of its own, with the passwords over a pipe.

use super::super::{Logging, context};
use super::{log_file, passwords, selection};
use crate::cli::{LogFormat, StartArgs};
use crate::failure::{Exit, Failure};
use crate::output;
use facilitator_config::{Home, Loaded};
use facilitator_supervisor::limits::{Memory, protect};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, OpenOptions};
use std::io::{IsTerminal, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Starts a facilitator for each chain and waits: until all are ready (`--detach`), else until all have ended.
pub(super) async fn run(
    args: &StartArgs,
    chains: &[Option<u64>],
    home: &Home,
    logging: &Logging,
) -> Result<Exit, Failure> {
    // Passwords pass through this process.
    protect(Memory::HoldsKeys).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    let mut children = Vec::with_capacity(chains.len());
    for chain_id in chains {
        let loaded = context::load_config(&selection(args, *chain_id), home).await?;
        let input = password_lines(&loaded)?;
        children.push(spawn(args, &loaded, home, logging, &input).await?);
    }
    if args.detach { wait_until_ready(children, args.json).await } else { wait_until_ended(children).await }
}

/// How long it is waited for in silence.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of a log in which the reason of an end is looked for: another facilitator may write much into it.
const LOG_END: u64 = 1 << 20;

struct Started {
    chain_id: u64,
    child: Child,
    log: Option<Log>,
}

/// The log of a facilitator in the background.
struct Log {
    path: PathBuf,
    /// Where it ended when this facilitator was started.
    from: u64,
}

fn password_lines(loaded: &Loaded) -> Result<Zeroizing<String>, Failure> {
    let passwords = passwords(false, loaded)?;
    let mut lines = Zeroizing::new(String::new());
    for account in loaded.facilitator.workers() {
        if let Some(password) = passwords.get(account) {
            lines.push_str(&format!("{account} {}\n", password.expose()));
        }
    }
    Ok(lines)
}

async fn spawn(
    args: &StartArgs,
    loaded: &Loaded,
    home: &Home,
    logging: &Logging,
    passwords: &str,
) -> Result<Started, Failure> {
    let chain_id = loaded.facilitator.auxiliary.chain_id;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["start", "--passwords-from-stdin", "--chain-id", &chain_id.to_string()]);
    command.arg("--facilitator-config").arg(&loaded.facilitator.file);
    if let Some(file) = &args.mosaic_config {
        command.arg("--mosaic-config").arg(file);
    }
    if args.monitor {
        command.arg("--monitor");
    }
    if args.json && !args.detach {
        command.arg("--json");
    }
    // What was not given here the configuration says, which may change while it runs.
    if let Some(level) = &logging.level {
        command.args(["--log-level", level]);
    }
    if let Some(format) = logging.format {
        let name = match format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        command.args(["--log-format", name]);
    }
    // Ctrl-C in the terminal is passed on in order, and a detached one is not to hear of it at all.
    command.process_group(0).stdin(Stdio::piped());
    let mut log = None;
    if args.detach {
        let path = log_file(home, chain_id);
        let file = open_log(&path)?;
        log = Some(Log { from: file.metadata().map_or(0, |metadata| metadata.len()), path });
        command.stdout(Stdio::piped()).stderr(file);
    }
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A child that ended already says why by its exit code.
        let _ended_meanwhile = input.write_all(passwords.as_bytes()).await;
    }
    Ok(Started { chain_id, child, log })
}

fn open_log(log: &Path) -> Result<fs::File, Failure> {
    let failed = |error: std::io::Error| Failure::new(Exit::Failed, format!("{}: {error}", log.display()));
    OpenOptions::new().create(true).append(true).mode(0o600).open(log).map_err(failed)
}

async fn wait_until_ready(children: Vec<Started>, json: bool) -> Result<Exit, Failure> {
    for mut started in children {
        let first = first_line(&mut started, json).await?;
        if first.trim() != "ready" {
            return Err(ended_early(&mut started).await);
        }
        let (chain_id, pid) = (started.chain_id, started.child.id().unwrap_or_default());
        output::line(&if json {
            format!("{{\"ready\":true,\"chain_id\":{chain_id},\"pid\":{pid}}}")
        } else {
            format!("ready: chain {chain_id}, pid {pid}")
        });
    }
    Ok(Exit::Done)
}

/// What it says when it is ready; nothing if it ends before.
async fn first_line(started: &mut Started, json: bool) -> std::io::Result<String> {
    let mut first = String::new();
    if let Some(stdout) = started.child.stdout.take() {
        let mut stdout = BufReader::new(stdout);
        let mut reading = std::pin::pin!(stdout.read_line(&mut first));
        match timeout(PATIENCE, &mut reading).await {
            Ok(read) => read?,
            Err(_) => {
                if !json {
                    let (chain, log) = (started.chain_id, started.log.as_ref().map(|log| log.path.display()));
                    let log = log.map_or(String::new(), |path| format!(", its log is {path}"));
                    output::remark(&format!(
                        "chain {chain}: not ready yet; `facilitator status --chain-id {chain}` says what it waits for{log}"
                    ));
                }
                reading.await?
            }
        };
    }
    Ok(first)
}

/// What a background facilitator said last, with its exit code.
async fn ended_early(started: &mut Started) -> Failure {
    let code = started.child.wait().await.ok().and_then(|status| status.code());
    let log = started.log.as_ref().map(Log::since).and_then(Result::ok).unwrap_or_default();
    let text = last_word(&log).unwrap_or("it said nothing");
    Failure::new(exit_of(code), format!("the facilitator of chain {} did not start: {text}", started.chain_id))
}

impl Log {
    fn since(&self) -> std::io::Result<String> {
        let mut file = fs::File::open(&self.path)?;
        let from = self.from.max(file.metadata()?.len().saturating_sub(LOG_END));
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Why it ended; if it did not say so, the last line. One that runs already may write into the same log, but does not end.
fn last_word(log: &str) -> Option<&str> {
    let reason = log.lines().rev().find_map(|line| line.strip_prefix("facilitator: "));
    reason.or_else(|| log.lines().rev().find(|line| !line.trim().is_empty()))
}

async fn wait_until_ended(mut children: Vec<Started>) -> Result<Exit, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let on_terminal = std::io::stdin().is_terminal();
    let mut worst = Exit::Done;
    while let Some(started) = children.first_mut() {
        tokio::select! {
            _ = terminate.recv() => pass_on(&children, Signal::SIGTERM),
            _ = interrupt.recv() => pass_on(&children, Signal::SIGTERM),
            _ = hang_up.recv() => {
                let closed = on_terminal && !std::io::stdin().is_terminal();
                pass_on(&children, if closed { Signal::SIGTERM } else { Signal::SIGHUP });
            }
            status = started.child.wait() => {
                let exit = exit_of(status?.code());
                if exit != Exit::Done {
                    worst = exit;
                }
                children.remove(0);
            }
        }
    }
    Ok(worst)
}

fn pass_on(children: &[Started], signal: Signal) {
    for pid in children.iter().filter_map(|started| started.child.id()) {
        if let Ok(pid) = i32::try_from(pid) {
            let _ended_meanwhile = kill(Pid::from_raw(pid), signal);
        }
    }
}

const fn exit_of(code: Option<i32>) -> Exit {
    match code {
        Some(0) => Exit::Done,
        Some(2) => Exit::Usage,
        Some(3) => Exit::Config,
        Some(4) => Exit::AlreadyRunning,
        Some(5) => Exit::NotRunning,
        Some(6) => Exit::Key,
        Some(7) => Exit::Node,
        Some(8) => Exit::Database,
        Some(_) | None => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_it_ended_is_found_among_the_lines_of_one_that_runs() {
        let log =
            "INFO unlocking the worker keys\nfacilitator: a facilitator runs already: pid 7\nINFO transaction sent\n";
        assert_eq!(last_word(log), Some("a facilitator runs already: pid 7"));
        assert_eq!(last_word("INFO one\nthread panicked\n\n"), Some("thread panicked"));
        assert_eq!(last_word("\n"), None);
    }
}
