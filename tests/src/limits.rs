//! Limits of running processes, set from outside, as an administrator may. Only the soft ones, so that they can be raised
//! again without any privilege. Children that a process starts later inherit its limits.

use anyhow::{Context as _, Result, ensure};
use nix::unistd::Uid;
use std::{fs, os::unix::process::CommandExt as _, process::Command};

/// How far any file of the process may grow, in bytes; `None`: as far as it might before.
///
/// # Errors
/// When there is no `prlimit` (util-linux), or no such process.
pub fn file_size(pid: u32, limit: Option<u64>) -> Result<()> {
    set(pid, "fsize", "Max file size", limit)
}

/// How many processes its user may have before this one can start no more; `None`: as many as before. Root may have any
/// number all the same.
///
/// # Errors
/// When there is no `prlimit` (util-linux), or no such process.
pub fn processes(pid: u32, limit: Option<u64>) -> Result<()> {
    set(pid, "nproc", "Max processes", limit)
}

fn set(pid: u32, option: &str, name: &str, limit: Option<u64>) -> Result<()> {
    let limit = match limit {
        Some(limit) => limit.to_string(),
        None => hard(pid, name)?,
    };
    let mut command = Command::new("prlimit");
    command.args(["--pid", &pid.to_string(), &format!("--{option}={limit}:")]);
    if Uid::effective().is_root() {
        // As the one whose process it is, who may; root may only where it has all its powers.
        command.uid(owner(pid, "Uid:")?).gid(owner(pid, "Gid:")?);
    }
    let output = command.output().context("no prlimit: install util-linux")?;
    ensure!(output.status.success(), "prlimit: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn owner(pid: u32, name: &str) -> Result<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no owner")?;
    Ok(line.split_whitespace().next().context("no owner")?.parse()?)
}

fn hard(pid: u32, name: &str) -> Result<String> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits"))?;
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).context("no such limit")?;
    Ok(line.split_whitespace().nth(1).context("no hard limit")?.to_owned())
}
