//! The tables `monitor_*` of the facilitator's database.

use super::{Checkpoint, KeepError, Persistence, RUN_TTL_MS};
use crate::{Report, SystemEvent, Task};
use facilitator_store::{
    Store, StoreError,
    monitor::{Begun, HandledEvent, MovedCheckpoint, Run},
};
use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Keeps everything in a database.
#[derive(Debug)]
pub struct Database {
    store: Store,
    owner: String,
    run: Mutex<Option<Run>>,
}

impl Database {
    /// Keeps it there; `owner` names this process to others who look.
    #[must_use]
    pub fn new(store: Store, owner: String) -> Self {
        Self { store, owner, run: Mutex::new(None) }
    }

    fn run(&self) -> MutexGuard<'_, Option<Run>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<StoreError> for KeepError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Persistence for Database {
    fn begin(&self, now_ms: i64) -> Task<'_, Result<(), KeepError>> {
        Box::pin(async move {
            match self.store.begin_monitor_run(&self.owner, RUN_TTL_MS, now_ms).await? {
                Begun::As(run) => {
                    *self.run() = Some(run);
                    Ok(())
                }
                Begun::Refused { owner, .. } => Err(KeepError::Busy(owner)),
            }
        })
    }

    fn prolong(&self, now_ms: i64) -> Task<'_, Result<(), KeepError>> {
        Box::pin(async move {
            let run = *self.run();
            let Some(run) = run else { return Ok(()) };
            if self.store.prolong_monitor_run(run, RUN_TTL_MS, now_ms).await? {
                return Ok(());
            }
            Err(KeepError::Busy("this one showed no life for too long and was replaced".to_owned()))
        })
    }

    fn end<'a>(&'a self, report: &'a Report, now_ms: i64) -> Task<'a, Result<(), KeepError>> {
        Box::pin(async move {
            let run = self.run().take();
            match run {
                Some(run) => Ok(self.store.end_monitor_run(run, &report.to_json(), now_ms).await?),
                None => Ok(()),
            }
        })
    }

    fn checkpoint(&self, chain_id: u64) -> Task<'_, Result<Option<u64>, KeepError>> {
        Box::pin(async move { Ok(self.store.monitor_checkpoint(chain_id).await?) })
    }

    fn move_checkpoints<'a>(&'a self, moved: &'a [Checkpoint], now_ms: i64) -> Task<'a, Result<(), KeepError>> {
        Box::pin(async move {
            let of = |checkpoint: &Checkpoint| {
                let Checkpoint { chain_id, block, forget_below } = *checkpoint;
                MovedCheckpoint { chain_id, block, forget_below }
            };
            let moved: Vec<MovedCheckpoint> = moved.iter().map(of).collect();
            Ok(self.store.move_monitor_checkpoints(&moved, now_ms).await?)
        })
    }

    fn handled<'a>(&'a self, receiver: &'a str) -> Task<'a, Result<HashSet<String>, KeepError>> {
        Box::pin(async move { Ok(self.store.handled_monitor_events(receiver).await?.into_iter().collect()) })
    }

    fn handle<'a>(
        &'a self,
        receiver: &'a str,
        events: &'a [&'a SystemEvent],
        now_ms: i64,
    ) -> Task<'a, Result<(), KeepError>> {
        Box::pin(async move {
            let of = |event: &&SystemEvent| HandledEvent {
                id: event.id(),
                chain_id: event.chain_id(),
                block: event.block,
                event: event.to_json(),
            };
            let events: Vec<HandledEvent> = events.iter().map(of).collect();
            Ok(self.store.handle_monitor_events(receiver, &events, now_ms).await?)
        })
    }

    fn memory<'a>(&'a self, name: &'a str) -> Task<'a, Result<Option<String>, KeepError>> {
        Box::pin(async move { Ok(self.store.monitor_state(name).await?) })
    }

    fn remember<'a>(&'a self, name: &'a str, value: &'a str) -> Task<'a, Result<(), KeepError>> {
        Box::pin(async move { Ok(self.store.set_monitor_state(name, value).await?) })
    }
}
