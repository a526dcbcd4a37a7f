//! The database as committed: what a death leaves. Each method is one transaction.
//!
//! It follows the statements of the store crate one by one, which run on SQL; the conformance of those is tested there.
//! What was not committed exists nowhere else than in the memory of a process.

mod brief;
mod journal;
mod requests;
mod scan;
mod waits;

pub(crate) use journal::JournalTable;
pub(crate) use requests::{Kept, Row};

use crate::names::Pair;
use facilitator_eth::B256;
use facilitator_protocol::events::{Event, Log};
use facilitator_protocol::model::{Request, RequestId, Side};
use facilitator_store::scan::{Block, BlockRef};
use std::collections::BTreeMap;

/// A root that the scan has seen anchored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Root {
    /// Chain that holds the anchor.
    pub(crate) side: Side,
    pub(crate) height: u64,
    pub(crate) root: B256,
    pub(crate) block: u64,
}

/// All tables.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) requests: BTreeMap<RequestId, Row>,
    pub(crate) last_id: i64,
    pub(crate) checkpoints: Pair<Option<BlockRef>>,
    pub(crate) blocks: Pair<BTreeMap<u64, Block>>,
    pub(crate) events: Pair<Vec<(Log, Event)>>,
    pub(crate) roots: Vec<Root>,
    /// Block of the other chain in which a height of this one was proven.
    pub(crate) proven: Pair<BTreeMap<u64, u64>>,
    pub(crate) journals: Pair<JournalTable>,
}

impl Disk {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Request> {
        self.requests.values().map(|row| &row.request)
    }

    /// Wakes requests by the end of a transaction that they wait for.
    pub(crate) fn wake(&mut self, waiting: &[RequestId]) {
        for id in waiting {
            if let Some(row) = self.requests.get_mut(id) {
                row.wake();
            }
        }
    }
}
