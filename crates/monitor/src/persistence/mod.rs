//! What is kept between runs.

mod database;
mod file;

pub use database::Database;
pub use file::File;

use crate::{Report, SystemEvent, Task};
use std::collections::HashSet;

/// Longest time without a sign of life until a run counts as dead.
pub const RUN_TTL_MS: i64 = 15_000;

/// Why something could not be kept or found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeepError {
    /// Another run is under way.
    #[error("another run is under way: {0}; nothing was done")]
    Busy(String),
    /// The database or the file refuses.
    #[error("{0}")]
    Failed(String),
}

/// A checkpoint that moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The chain.
    pub chain_id: u64,
    /// The last block that was looked at.
    pub block: u64,
    /// Events of lower blocks are never found again.
    pub forget_below: u64,
}

/// Keeps what a manager and its monitors need for the next run.
pub trait Persistence: Send + Sync {
    /// Begins a run, as the only one.
    fn begin(&self, now_ms: i64) -> Task<'_, Result<(), KeepError>>;

    /// The run goes on; called every few seconds.
    fn prolong(&self, now_ms: i64) -> Task<'_, Result<(), KeepError>>;

    /// The run has ended.
    fn end<'a>(&'a self, report: &'a Report, now_ms: i64) -> Task<'a, Result<(), KeepError>>;

    /// The last block of a chain up to which runs succeeded.
    fn checkpoint(&self, chain_id: u64) -> Task<'_, Result<Option<u64>, KeepError>>;

    /// Moves checkpoints, all or none.
    fn move_checkpoints<'a>(&'a self, moved: &'a [Checkpoint], now_ms: i64) -> Task<'a, Result<(), KeepError>>;

    /// The names of events that a receiver has handled.
    fn handled<'a>(&'a self, receiver: &'a str) -> Task<'a, Result<HashSet<String>, KeepError>>;

    /// Remembers events as handled by a receiver.
    fn handle<'a>(
        &'a self,
        receiver: &'a str,
        events: &'a [&'a SystemEvent],
        now_ms: i64,
    ) -> Task<'a, Result<(), KeepError>>;

    /// What a monitor remembers under a name.
    fn memory<'a>(&'a self, name: &'a str) -> Task<'a, Result<Option<String>, KeepError>>;

    /// Replaces it.
    fn remember<'a>(&'a self, name: &'a str, value: &'a str) -> Task<'a, Result<(), KeepError>>;
}
