//! One JSON file in a folder: for a monitor that shares no database with a facilitator.
//!
//! Invariant: the file is replaced as a whole, and on the disk before a change counts. A lock on a file beside it, which
//! ends with the process, lets one run at a time.

use super::{Checkpoint, KeepError, Persistence};
use crate::{Report, SystemEvent, Task};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashSet},
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Names of the files.
const DATA: &str = "monitor.json";
const LOCK: &str = "monitor.lock";

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Content {
    /// By chain.
    checkpoints: BTreeMap<u64, u64>,
    /// By receiver, then by name of the event.
    handled: BTreeMap<String, BTreeMap<String, SystemEvent>>,
    memories: BTreeMap<String, String>,
    last_run: Option<Report>,
}

#[derive(Debug, Default)]
struct State {
    content: Content,
    lock: Option<Flock<fs::File>>,
}

/// Keeps everything in a file.
#[derive(Debug)]
pub struct File {
    folder: PathBuf,
    state: Mutex<State>,
}

impl File {
    /// Keeps it in this folder, which is made if it is not there.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: &io::Error) -> KeepError {
        KeepError::Failed(format!("{}: {error}", self.folder.join(DATA).display()))
    }

    fn read(&self) -> io::Result<Content> {
        match fs::read(self.folder.join(DATA)) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Content::default()),
            Err(error) => Err(error),
        }
    }

    fn begin_now(&self) -> io::Result<bool> {
        fs::create_dir_all(&self.folder)?;
        let file = fs::OpenOptions::new().create(true).append(true).open(self.folder.join(LOCK))?;
        let lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => return Ok(false),
            Err((_, error)) => return Err(error.into()),
        };
        // Behind the lock: the run before may have been another process'.
        let content = self.read()?;
        *self.state() = State { content, lock: Some(lock) };
        Ok(true)
    }

    fn change(&self, change: impl FnOnce(&mut Content)) -> Result<(), KeepError> {
        let mut state = self.state();
        let mut content = state.content.clone();
        change(&mut content);
        self.write(&content).map_err(|error| self.failed(&error))?;
        state.content = content;
        Ok(())
    }

    fn write(&self, content: &Content) -> io::Result<()> {
        let new = self.folder.join(format!("{DATA}.new"));
        let mut file = fs::File::create(&new)?;
        file.write_all(&serde_json::to_vec(content)?)?;
        file.sync_all()?;
        fs::rename(&new, self.folder.join(DATA))?;
        fs::File::open(&self.folder)?.sync_all()
    }
}

impl Persistence for File {
    fn begin(&self, _now_ms: i64) -> Task<'_, Result<(), KeepError>> {
        Box::pin(async move {
            match self.begin_now() {
                Ok(true) => Ok(()),
                Ok(false) => Err(KeepError::Busy(format!("{} is locked", self.folder.join(LOCK).display()))),
                Err(error) => Err(self.failed(&error)),
            }
        })
    }

    fn prolong(&self, _now_ms: i64) -> Task<'_, Result<(), KeepError>> {
        Box::pin(async { Ok(()) })
    }

    fn end<'a>(&'a self, report: &'a Report, _now_ms: i64) -> Task<'a, Result<(), KeepError>> {
        Box::pin(async move {
            let ended = self.change(|content| content.last_run = Some(report.clone()));
            self.state().lock = None;
            ended
        })
    }

    fn checkpoint(&self, chain_id: u64) -> Task<'_, Result<Option<u64>, KeepError>> {
        Box::pin(async move { Ok(self.state().content.checkpoints.get(&chain_id).copied()) })
    }

    fn move_checkpoints<'a>(&'a self, moved: &'a [Checkpoint], _now_ms: i64) -> Task<'a, Result<(), KeepError>> {
        Box::pin(async move {
            self.change(|content| {
                for checkpoint in moved {
                    content.checkpoints.insert(checkpoint.chain_id, checkpoint.block);
                    let stays = |event: &SystemEvent| {
                        event.chain_id() != checkpoint.chain_id || event.block >= checkpoint.forget_below
                    };
                    content.handled.values_mut().for_each(|events| events.retain(|_, event| stays(event)));
                }
            })
        })
    }

    fn handled<'a>(&'a self, receiver: &'a str) -> Task<'a, Result<HashSet<String>, KeepError>> {
        Box::pin(async move {
            Ok(self
                .state()
                .content
                .handled
                .get(receiver)
                .map(|events| events.keys().cloned().collect())
                .unwrap_or_default())
        })
    }

    fn handle<'a>(
        &'a self,
        receiver: &'a str,
        events: &'a [&'a SystemEvent],
        _now_ms: i64,
    ) -> Task<'a, Result<(), KeepError>> {
        Box::pin(async move {
            self.change(|content| {
                let handled = content.handled.entry(receiver.to_owned()).or_default();
                handled.extend(events.iter().map(|event| (event.id(), (*event).clone())));
            })
        })
    }

    fn memory<'a>(&'a self, name: &'a str) -> Task<'a, Result<Option<String>, KeepError>> {
        Box::pin(async move { Ok(self.state().content.memories.get(name).cloned()) })
    }

    fn remember<'a>(&'a self, name: &'a str, value: &'a str) -> Task<'a, Result<(), KeepError>> {
        Box::pin(async move { self.change(|content| drop(content.memories.insert(name.to_owned(), value.to_owned()))) })
    }
}
