//! What a scanner writes: blocks, events, and everything that follows from them, with the checkpoint in one transaction.
//!
//! Invariant (law 6): a checkpoint never moves without its events, nor events without what they mean for requests. The
//! same range may be committed again: an event that is stored already changes nothing. Only events of the configured
//! contracts count, each only from the contract whose event it is (law 10).

mod blocks;
mod derive;
mod messages;
mod rollback;
mod waits;

pub use blocks::{Block, BlockRef, PublishedRoot};
pub use rollback::{Rewound, RolledBack};

use crate::{
    Store,
    db::{Row, Tx, args},
    error::{Result, StoreError},
    gateways,
};
use derive::{Deriver, Place};
use facilitator_eth::B256;
use facilitator_protocol::{
    events::{Event, Log},
    gateway::GatewaySet,
    model::{LogPosition, RequestId},
};

/// A scanned range, ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanCommit {
    /// The chain.
    pub chain_id: u64,
    /// The checkpoint that the range was read from; `None` for the first range of all.
    pub previous: Option<BlockRef>,
    /// Blocks whose hashes are to be remembered.
    pub blocks: Vec<Block>,
    /// The events of the range in the order of the chain.
    pub events: Vec<(Log, Event)>,
    /// The last block of the range.
    pub checkpoint: BlockRef,
}

/// What a commit did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// New requests.
    pub requests: Vec<RequestId>,
    /// How many wake-ups of requests followed; zero and no new requests: nobody needs to be told.
    pub woken: u64,
    /// Events that came from a contract that does not emit them: a node that lies, or a filter that is too wide.
    pub ignored: u64,
}

impl Store {
    /// Stores a scanned range and what follows from it.
    ///
    /// If the process dies before this returns, the range is scanned again; what was stored is recognised.
    ///
    /// # Errors
    /// [`StoreError::CheckpointMoved`] if the stored checkpoint is not `previous`; else [`StoreError`] of the database.
    /// Nothing is stored then.
    pub async fn commit_scan(&self, commit: &ScanCommit, now_ms: i64) -> Result<Committed> {
        let mut tx = self.db.begin_alone().await?;
        let found = blocks::checkpoint(&mut tx, commit.chain_id).await?;
        if found != commit.previous {
            let word = |block: Option<BlockRef>| block.map_or_else(|| "the beginning".to_owned(), |b| b.to_string());
            let (found, expected) = (word(found), word(commit.previous));
            return Err(StoreError::CheckpointMoved { chain_id: commit.chain_id, found, expected });
        }
        let sets = gateways::read(&mut tx).await?;
        let mut committed = Committed::default();
        for (log, event) in &commit.events {
            let place = Place::of(commit.chain_id, log);
            let Some(set) = derive::genuine(&sets, &place, event) else {
                committed.ignored += 1;
                continue;
            };
            if insert_event(&mut tx, commit.chain_id, log, event).await? {
                let mut deriver = Deriver { tx: &mut tx, now_ms, committed: &mut committed };
                deriver.apply(set, &place, event).await?;
            }
        }
        blocks::insert(&mut tx, commit.chain_id, &commit.blocks).await?;
        blocks::prune_old(&mut tx, commit.chain_id, commit.previous, commit.checkpoint).await?;
        blocks::set_checkpoint(&mut tx, commit.chain_id, commit.checkpoint, now_ms).await?;
        tx.commit().await?;
        Ok(committed)
    }
}

/// Stores an event; whether it was new.
async fn insert_event(tx: &mut Tx, chain_id: u64, log: &Log, event: &Event) -> Result<bool> {
    let json = serde_json::to_string(event).map_err(|problem| StoreError::Damaged {
        name: "event".to_owned(),
        problem: format!("{} cannot be written as JSON: {problem}", event.name()),
    })?;
    let sql = "INSERT INTO events (chain_id, block_number, block_hash, tx_hash, tx_index, log_index, address, name,
            message_hash, request_hash, data)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (chain_id, block_hash, log_index) DO NOTHING";
    let args = args![
        chain_id,
        log.block_number,
        log.block_hash,
        log.tx_hash,
        log.tx_index,
        log.log_index,
        log.address,
        event.name(),
        event.message_hash(),
        event.request_hash(),
        json,
    ];
    Ok(tx.execute(sql, args).await? > 0)
}

/// The event whose JSON is the next column.
pub(crate) fn stored_event(row: &mut Row) -> Result<Event> {
    let json: String = row.take()?;
    serde_json::from_str(&json).map_err(|problem| row.damaged(&format!("a stored event cannot be read: {problem}")))
}

/// Applies the stored events of a message to its request, which has just learnt the message's hash: after a loss of the
/// database a declaration is scanned before any worker could compute its hash again.
pub(crate) async fn catch_up(tx: &mut Tx, message_hash: B256, now_ms: i64) -> Result<()> {
    let sql = "SELECT chain_id, block_number, block_hash, tx_hash, log_index, address, data FROM events
        WHERE message_hash = $1 ORDER BY id";
    let mut rows = tx.fetch(sql, args![message_hash]).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let sets: Vec<GatewaySet> = gateways::read(tx).await?;
    let mut committed = Committed::default();
    for row in &mut rows {
        let at = LogPosition {
            chain_id: row.take()?,
            block_number: row.take()?,
            block_hash: row.take()?,
            tx_hash: row.take()?,
            log_index: row.take()?,
        };
        let place = Place { at, address: row.take()? };
        let event = stored_event(row)?;
        if let Some(set) = derive::genuine(&sets, &place, &event) {
            Deriver { tx, now_ms, committed: &mut committed }.apply(set, &place, &event).await?;
        }
    }
    Ok(())
}
