//! Small looks at processes through `/proc`: who lives, who is whose child, what they used.
//!
//! Reads only; ends nothing.

use anyhow::{Context as _, Result};
use nix::sys::resource::{UsageWho, getrusage};
use std::{
    fs,
    time::{Duration, Instant},
};

/// Clock ticks of `/proc/<pid>/stat` a second, the same on every Linux platform this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process used until now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Processor seconds, its own and those of children that it has waited for.
    pub cpu_seconds: f64,
    /// Largest resident memory in KiB.
    pub peak_kib: u64,
    /// Resident memory now, in KiB.
    pub resident_kib: u64,
    /// Memory that it shares with nobody now, in KiB; none where this process may not look.
    pub private_kib: Option<u64>,
}

/// The fields of `/proc/<pid>/stat` behind the name, which may hold blanks itself: the first one is the state.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// Whether the process is there and no zombie.
#[must_use]
pub fn alive(pid: u32) -> bool {
    stat(pid).and_then(|fields| fields.first().cloned()).is_some_and(|state| state != "Z" && state != "X")
}

/// The living children of a process.
#[must_use]
pub fn children(pid: u32) -> Vec<u32> {
    // The kernel's own lists where it keeps them, one for each thread that may start processes: much quicker.
    let threads: Vec<_> = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten().collect();
    let lists: Vec<_> = threads.iter().filter_map(|t| fs::read_to_string(t.path().join("children")).ok()).collect();
    if !lists.is_empty() {
        let listed = lists.iter().flat_map(|list| list.split_whitespace());
        return listed.filter_map(|child| child.parse().ok()).filter(|child| alive(*child)).collect();
    }
    let wanted = pid.to_string();
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|child| stat(*child).and_then(|fields| fields.get(1).cloned()).as_deref() == Some(wanted.as_str()))
        .filter(|child| alive(*child))
        .collect()
}

/// The children of a process that have ended and were not waited for yet.
#[must_use]
pub fn zombies(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists: Vec<_> = threads.filter_map(|t| fs::read_to_string(t.path().join("children")).ok()).collect();
    let listed = lists.iter().flat_map(|list| list.split_whitespace()).filter_map(|child| child.parse().ok());
    listed.filter(|child| stat(*child).and_then(|fields| fields.first().cloned()).as_deref() == Some("Z")).collect()
}

/// How many descriptors a process has open; none when it has ended.
#[must_use]
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten().count()
}

/// The arguments of a process, joined by blanks.
#[must_use]
pub fn command_line(pid: u32) -> String {
    let text = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&text).replace('\0', " ").trim_end().to_owned()
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find(|line| line.starts_with(name))?.split_whitespace().nth(1)?.parse().ok()
}

fn kib(text: &str, name: &str) -> u64 {
    field(text, name).unwrap_or(0)
}

/// What a living process used until now.
///
/// # Errors
/// When it has ended.
pub fn usage(pid: u32) -> Result<Usage> {
    let fields = stat(pid).with_context(|| format!("process {pid} has ended"))?;
    // utime, stime, cutime and cstime are fields 14 to 17 of the whole line, two before the first one here.
    let ticks: f64 = fields.iter().skip(11).take(4).filter_map(|field| field.parse::<f64>().ok()).sum();
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok();
    let private = |rollup: String| Some(field(&rollup, "Private_Clean:")? + field(&rollup, "Private_Dirty:")?);
    Ok(Usage {
        cpu_seconds: ticks / TICKS_PER_SECOND,
        peak_kib: kib(&status, "VmHWM:"),
        resident_kib: kib(&status, "VmRSS:"),
        private_kib: rollup.and_then(private),
    })
}

/// Processor time of this process, and of those that it has waited for with all that they have waited for: to the
/// microsecond, where `/proc/<pid>/stat` counts ticks of ten milliseconds.
///
/// # Errors
/// Never met.
pub fn own_cpu() -> Result<Duration> {
    let mut all = Duration::ZERO;
    for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
        let usage = getrusage(who)?;
        for time in [usage.user_time(), usage.system_time()] {
            all += Duration::from_secs(u64::try_from(time.tv_sec())?)
                + Duration::from_micros(u64::try_from(time.tv_usec())?);
        }
    }
    Ok(all)
}

/// Bytes that a living process has written, to pipes and files alike. `None` when it has ended, or this process may not
/// look into it: into one that holds secrets only root may.
#[must_use]
pub fn written(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("wchar:"))?.trim().parse().ok()
}

/// All living processes in a role that this parent started, whoever is their parent by now.
#[must_use]
pub fn started_by(parent: u32) -> Vec<u32> {
    let parent = parent.to_string();
    let plays = |pid: &u32| {
        let line = command_line(*pid);
        let mut words = line.split(' ').skip_while(|word| *word != "__role").skip(2);
        words.next() == Some(parent.as_str()) && alive(*pid)
    };
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(plays).collect()
}

/// Waits until none of the processes lives; `false` when some still does after `limit`.
pub async fn all_gone(pids: &[u32], limit: Duration) -> bool {
    let start = Instant::now();
    while pids.iter().any(|pid| alive(*pid)) {
        if start.elapsed() > limit {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_can_not_be_seen_is_not_none_at_all() {
        let rollup = "Private_Clean:         12 kB\nPrivate_Dirty:          0 kB\n";
        assert_eq!((field(rollup, "Private_Clean:"), field(rollup, "Private_Dirty:")), (Some(12), Some(0)));
        assert_eq!(field("", "Private_Clean:"), None);
        assert!(usage(std::process::id()).unwrap().private_kib.unwrap() > 0);
    }

    #[test]
    fn processor_time_is_finer_than_a_tick_and_counts_who_was_waited_for() {
        let before = own_cpu().unwrap();
        assert!(std::process::Command::new("true").status().unwrap().success());
        assert!(own_cpu().unwrap() > before);
    }
}
