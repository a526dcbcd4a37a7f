//! Which facilitators run: what their databases say, checked against the processes of this host.

use crate::parent::Standing;
use facilitator_store::processes::{Process, ProcessKind};
use facilitator_store::{Store, StoreError};
use std::fs;

/// The name of this host.
#[must_use]
pub fn host() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_else(|| "localhost".to_owned())
}

/// When a process of this host was started, as the system counts it: tells it from a later one with the same number.
/// `None`: it does not live.
#[must_use]
pub fn started(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name stands in parentheses and may contain anything; the start time is the 20th field behind it.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    let ticks = fields.nth(18)?;
    Some(format!("{}:{ticks}", boot()))
}

/// Tells this run of this machine from any other.
fn boot() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

/// From where processes are judged.
#[derive(Debug, Clone)]
pub struct Viewpoint {
    /// The name of this host.
    pub host: String,
    /// Whether the database is a file of this machine, so that no other one can be meant.
    pub alone: bool,
}

impl Viewpoint {
    /// That of this host on a database.
    #[must_use]
    pub fn of(store: &Store) -> Self {
        Self { host: host(), alone: store.is_local() }
    }

    /// Whether a registered process lives. One of another host is believed as long as its heartbeat is fresh; also one of
    /// a host of the same name that was booted otherwise: it may be another machine.
    #[must_use]
    pub fn is_alive(&self, process: &Process, now_ms: i64) -> bool {
        let registered = &process.registered;
        let is_here = registered.host == self.host && (self.alone || is_of_this_boot(process));
        if is_here {
            return started(registered.pid).is_some_and(|found| found == registered.pid_started);
        }
        now_ms.saturating_sub(process.heartbeat_at_ms) < FRESH_MS
    }

    /// Whether a process may be of this machine before it was started anew: then it is dead, which only its silence shows.
    #[must_use]
    pub fn may_be_former(&self, process: &Process) -> bool {
        process.registered.host == self.host && !is_of_this_boot(process)
    }
}

fn is_of_this_boot(process: &Process) -> bool {
    process.registered.pid_started.split(':').next() == Some(boot().as_str())
}

/// How old the heartbeat of a process of another host may be.
const FRESH_MS: i64 = 60_000;

/// The running facilitators of a database: one each instance.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn all(store: &Store, now_ms: i64) -> Result<Vec<Process>, StoreError> {
    let here = Viewpoint::of(store);
    let processes = store.processes().await?.into_iter();
    let is_parent = |process: &Process| process.registered.kind == ProcessKind::Facilitator;
    Ok(processes.filter(|process| is_parent(process) && here.is_alive(process, now_ms)).collect())
}

/// Any running facilitator of a database.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(store: &Store, now_ms: i64) -> Result<Option<Process>, StoreError> {
    Ok(all(store, now_ms).await?.into_iter().next())
}

/// The running facilitator of an instance.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn own(store: &Store, instance: &str, now_ms: i64) -> Result<Option<Process>, StoreError> {
    Ok(all(store, now_ms).await?.into_iter().find(|process| process.registered.instance == instance))
}

/// What a facilitator has reported last; `None` before its first word, or where another version says it differently.
#[must_use]
pub fn standing(process: &Process) -> Option<Standing> {
    process.detail.as_deref().and_then(|detail| serde_json::from_str(detail).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use facilitator_store::processes::NewProcess;

    fn process(host: &str, pid_started: String, heartbeat_at_ms: i64) -> Process {
        let registered = NewProcess {
            kind: ProcessKind::Facilitator,
            instance: "one".to_owned(),
            chain_id: None,
            host: host.to_owned(),
            pid: std::process::id(),
            pid_started,
            config: None,
            keys: Vec::new(),
        };
        Process { id: 1, registered, started_at_ms: 0, heartbeat_at_ms, detail: None }
    }

    #[test]
    fn another_machine_of_the_same_name_is_believed_while_it_is_heard() {
        let here = Viewpoint { host: "here".to_owned(), alone: false };
        let is_alive = |process: &Process, now_ms| here.is_alive(process, now_ms);
        let own = process("here", started(std::process::id()).unwrap(), 0);
        assert!(is_alive(&own, 10 * FRESH_MS), "it is this process");
        let former = process("here", format!("{}:0", boot()), 10 * FRESH_MS);
        assert!(!is_alive(&former, 10 * FRESH_MS), "its number belongs to another process by now");
        for host in ["here", "there"] {
            let other = process(host, "another-boot:17".to_owned(), 0);
            assert!(is_alive(&other, FRESH_MS - 1) && !is_alive(&other, FRESH_MS), "{host}");
            assert_eq!(here.may_be_former(&other), host == "here");
        }
        assert!(!here.may_be_former(&own) && !here.may_be_former(&former));
    }

    #[test]
    fn on_a_file_of_this_machine_nobody_outlives_its_restart() {
        let here = Viewpoint { host: "here".to_owned(), alone: true };
        assert!(!here.is_alive(&process("here", "another-boot:17".to_owned(), 0), 1));
        assert!(here.is_alive(&process("there", "another-boot:17".to_owned(), 0), 1), "a name that changed since");
    }

    #[test]
    fn this_process_lives_and_number_zero_does_not() {
        assert!(super::started(std::process::id()).is_some());
        assert!(super::started(0).is_none());
    }
}
