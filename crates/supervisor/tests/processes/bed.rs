//! What every case needs: a spawner, a child with its events, waiting with a limit.

use std::future::Future;
use std::time::Duration;

use facilitator_supervisor::{ChildHandle, End, Event, Spawner, WatchOptions, watch};
use tokio::sync::mpsc;

use crate::roles::{Answer, Command, VERSION};

/// Nothing here may take longer, on however loaded a machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn block_on(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(PATIENCE, case).await.expect("case hangs") });
}

pub(crate) fn spawner() -> Spawner {
    Spawner::new("/proc/self/exe".into(), &["FAC_TEST_ALLOWED"], std::env::vars_os())
}

/// Short limits, so that reaching one takes no time; the hello has time enough for a loaded machine.
pub(crate) fn options() -> WatchOptions {
    WatchOptions { linger: Duration::from_millis(300), drain: Duration::from_millis(300), ..WatchOptions::new(VERSION) }
}

pub(crate) struct Subject {
    pub(crate) handle: ChildHandle<Command>,
    pub(crate) events: mpsc::Receiver<Event<u32, Answer>>,
}

impl Subject {
    pub(crate) fn start(role: &'static str) -> Self {
        Self::with(role, options())
    }

    pub(crate) fn with(role: &'static str, options: WatchOptions) -> Self {
        let (sender, events) = mpsc::channel(4);
        let handle = watch(spawner().spawn(role, Some("label")).unwrap(), role, 7, sender, options);
        Self { handle, events }
    }

    pub(crate) async fn ready(role: &'static str) -> Self {
        let mut subject = Self::start(role);
        subject.expect_ready().await;
        subject
    }

    pub(crate) async fn expect_ready(&mut self) {
        match self.events.recv().await.unwrap() {
            Event::Ready { key: 7, pid } => assert_eq!(pid, self.handle.pid),
            other => panic!("{other:?} instead of ready"),
        }
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        match self.events.recv().await.unwrap() {
            Event::Message { key: 7, message } => message,
            other => panic!("{other:?} instead of a message"),
        }
    }

    pub(crate) async fn ask(&mut self, command: Command) -> Answer {
        self.handle.send(&command).unwrap();
        self.answer().await
    }

    /// The end, after any messages; and that nothing follows it.
    pub(crate) async fn end(&mut self) -> End {
        loop {
            match self.events.recv().await.unwrap() {
                Event::Ended { key: 7, end } => {
                    assert!(self.events.recv().await.is_none(), "something follows the end");
                    return end;
                }
                Event::Message { .. } => {}
                other => panic!("{other:?} instead of the end"),
            }
        }
    }
}

impl Subject {
    /// The end, whatever came before it.
    pub(crate) async fn any_end(&mut self) -> End {
        loop {
            if let Event::Ended { end, .. } = self.events.recv().await.unwrap() {
                return end;
            }
        }
    }
}

/// Fields of `/proc/<pid>/stat` after the name: state, parent, process group, …; `None` if there is no such process.
pub(crate) fn stat_of(pid: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

/// Whether the process runs (a zombie does not).
pub(crate) fn is_alive(pid: u32) -> bool {
    stat_of(pid).is_some_and(|fields| fields[0] != "Z" && fields[0] != "X")
}

/// Waits until the process is gone.
pub(crate) async fn gone(pid: u32, within: Duration) {
    let waited = tokio::time::timeout(within, async {
        while is_alive(pid) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("process {pid} lives on after {within:?}"));
}

/// Children of this process that ended and were not waited for.
pub(crate) fn zombies() -> usize {
    let own = std::process::id().to_string();
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(stat_of).filter(|fields| fields[0] == "Z" && fields[1] == own).count()
}
