//! Undoing what was derived from blocks that a reorg has removed.

use super::{BlockRef, blocks, messages};
use crate::{
    Store,
    db::{Tx, args},
    error::{Result, StoreError},
};
use facilitator_protocol::model::{Kind, State};

/// What [`Store::rollback_to`] undid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RolledBack {
    /// Removed events.
    pub events: u64,
    /// Requests that were known only from removed blocks and never acted upon: forgotten.
    pub forgotten: u64,
    /// Requests that were touched by removed events: their workers look at the chains again.
    pub reopened: u64,
}

impl Store {
    /// Goes back to a block of a chain: everything derived from later blocks is undone in one transaction, and the
    /// requests concerned are woken so that their workers read the chains again (law 1).
    ///
    /// A request with a hash lock is kept even if its event is gone: its accept may be under way, and when the event
    /// appears again it must be accepted with the same secret (protocol.md R2, R15).
    ///
    /// # Errors
    /// [`StoreError::CheckpointMoved`] if another scanner went back further: from this block on nothing was read by it.
    /// Else [`StoreError`] of the database. Nothing is undone then.
    pub async fn rollback_to(&self, chain_id: u64, to: BlockRef, now_ms: i64) -> Result<RolledBack> {
        let mut tx = self.db.begin_alone().await?;
        let reached = blocks::checkpoint(&mut tx, chain_id).await?;
        if reached.is_none_or(|reached| reached.number < to.number) {
            let found = reached.map_or_else(|| "the beginning".to_owned(), |block| block.to_string());
            return Err(StoreError::CheckpointMoved { chain_id, found, expected: format!("{to} or above") });
        }
        let mut undo = Undo { tx, chain_id, above: height(to.number), now_ms };
        let undone = undo.everything().await?;
        blocks::set_checkpoint(&mut undo.tx, chain_id, to, now_ms).await?;
        undo.tx.commit().await?;
        Ok(undone)
    }

    /// Goes back to the newest remembered block that is not above `to`, or to the very beginning if there is none: what
    /// an operator does when a fork is too deep to be followed. Everything derived from later blocks is undone as in
    /// [`Store::rollback_to`]; a scanner that runs notices and reads again from there. `None`: nothing was stored above.
    ///
    /// # Errors
    /// [`crate::StoreError`] of the database; then nothing is undone.
    pub async fn rewind(&self, chain_id: u64, to: u64, now_ms: i64) -> Result<Option<Rewound>> {
        let mut tx = self.db.begin_alone().await?;
        let reached = blocks::checkpoint(&mut tx, chain_id).await?;
        if reached.is_none_or(|reached| reached.number <= to) {
            return Ok(None);
        }
        let target = blocks::at_or_below(&mut tx, chain_id, to).await?;
        let above = target.map_or(BEFORE_ALL, |block| height(block.number));
        let mut undo = Undo { tx, chain_id, above, now_ms };
        let undone = undo.everything().await?;
        match target {
            Some(block) => blocks::set_checkpoint(&mut undo.tx, chain_id, block, now_ms).await?,
            None => blocks::clear_checkpoint(&mut undo.tx, chain_id).await?,
        }
        undo.tx.commit().await?;
        Ok(Some(Rewound { to: target, undone }))
    }
}

/// What [`Store::rewind`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewound {
    /// The block that the chain is read from again; `None` for the first one that matters.
    pub to: Option<BlockRef>,
    /// What was undone.
    pub undone: RolledBack,
}

struct Undo {
    tx: Tx,
    chain_id: u64,
    /// The highest block to keep.
    above: i64,
    now_ms: i64,
}

/// Below block 0.
const BEFORE_ALL: i64 = -1;

fn height(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Undo {
    async fn everything(&mut self) -> Result<RolledBack> {
        let forgotten = self.forget().await?;
        let mut reopened = self.orphan().await?;
        reopened += self.messages().await?;
        reopened += self.withdrawn().await?;
        reopened += self.proofs().await?;
        let (chain_id, above) = (self.chain_id, self.above);
        messages::undo(&mut self.tx, chain_id, above).await?;
        let sql = "DELETE FROM anchored_roots WHERE chain_id = $1 AND block_number > $2";
        self.tx.execute(sql, args![chain_id, above]).await?;
        let sql = "DELETE FROM events WHERE chain_id = $1 AND block_number > $2";
        let events = self.tx.execute(sql, args![chain_id, above]).await?;
        let sql = "DELETE FROM blocks WHERE chain_id = $1 AND number > $2";
        self.tx.execute(sql, args![chain_id, above]).await?;
        Ok(RolledBack { events, forgotten, reopened })
    }

    /// Also foreign messages for which nothing was sent yet: whoever finds them declared again finds them anew.
    async fn forget(&mut self) -> Result<u64> {
        let sql = "DELETE FROM requests WHERE event_chain_id = $1 AND event_block_number > $2 AND (hash_lock IS NULL
            OR (hunted = 1 AND NOT EXISTS (SELECT 1 FROM transactions WHERE request_id = requests.id)))";
        self.tx.execute(sql, args![self.chain_id, self.above]).await
    }

    async fn orphan(&mut self) -> Result<u64> {
        let sql = "UPDATE requests SET orphaned = 1, wakes = wakes + 1, ready = 1, updated_at_ms = $3
            WHERE event_chain_id = $1 AND event_block_number > $2";
        self.tx.execute(sql, args![self.chain_id, self.above, self.now_ms]).await
    }

    /// Steps back to what is known without the removed events; from there the worker goes forward by what the chains
    /// say. The source chain of a message is that of its request's event. If the same request was made twice, the message
    /// is that of the later one.
    async fn messages(&mut self) -> Result<u64> {
        let sql = "UPDATE requests SET done = 0, wakes = wakes + 1, ready = 1, updated_at_ms = $3,
                state = CASE WHEN declared_block IS NULL OR (event_chain_id = $1 AND declared_block > $2)
                    THEN $4 ELSE $5 END,
                message_sender = CASE WHEN event_chain_id = $1 AND declared_block > $2 THEN NULL ELSE message_sender END,
                declared_block = CASE WHEN event_chain_id = $1 AND declared_block > $2 THEN NULL ELSE declared_block END,
                reward = CASE WHEN event_chain_id = $1 THEN reward ELSE NULL END,
                paid_out = CASE WHEN event_chain_id = $1 THEN paid_out ELSE NULL END
            WHERE message_hash IN (SELECT message_hash FROM events
                WHERE chain_id = $1 AND block_number > $2 AND message_hash IS NOT NULL)
              AND NOT EXISTS (SELECT 1 FROM requests AS later
                WHERE later.message_hash = requests.message_hash AND later.request_hash = requests.request_hash
                  AND later.pool_address = requests.pool_address AND later.id > requests.id)";
        // Both names are the same for either kind.
        let (requested, accepted) = (State::Requested.name(Kind::Stake), State::Accepted.name(Kind::Stake));
        self.tx.execute(sql, args![self.chain_id, self.above, self.now_ms, requested, accepted]).await
    }

    /// Ends that the removed events had caused: given back to the sender, or taken by somebody else. A request whose own
    /// message still stands is accepted.
    async fn withdrawn(&mut self) -> Result<u64> {
        let sql = "UPDATE requests SET state = CASE WHEN declared_block IS NULL THEN $4 ELSE $8 END, done = 0,
                wakes = wakes + 1, ready = 1, updated_at_ms = $3
            WHERE event_chain_id = $1 AND ((state IN ($5, $6) AND request_hash IN (SELECT request_hash FROM events
                    WHERE chain_id = $1 AND block_number > $2 AND request_hash IS NOT NULL
                      AND name IN ('StakeRevoked', 'StakeRejected', 'RedeemRevoked', 'RedeemRejected')))
                OR (state = $7 AND gateway_address IN (SELECT address FROM events
                    WHERE chain_id = $1 AND block_number > $2
                      AND name IN ('StakeIntentDeclared', 'RedeemIntentDeclared'))))";
        let name = |state: State| state.name(Kind::Stake);
        let args = args![
            self.chain_id,
            self.above,
            self.now_ms,
            name(State::Requested),
            name(State::Revoked),
            name(State::Rejected),
            name(State::TakenByOther),
            name(State::Accepted),
        ];
        self.tx.execute(sql, args).await
    }

    async fn proofs(&mut self) -> Result<u64> {
        let removed = "chain_id <> $1 AND proven_block > $2";
        let sql = format!(
            "UPDATE requests SET state = $4, wakes = wakes + 1, ready = 1, updated_at_ms = $3
             WHERE state = $5 AND EXISTS (SELECT 1 FROM proofs WHERE {removed}
                 AND proofs.contract = requests.gateway_address AND proofs.height = requests.proof_height)"
        );
        let (accepted, proven) = (State::Accepted.name(Kind::Stake), State::AccountProven.name(Kind::Stake));
        let reopened = self.tx.execute(sql, args![self.chain_id, self.above, self.now_ms, accepted, proven]).await?;
        let sql = format!("UPDATE proofs SET proven_block = NULL WHERE {removed}");
        self.tx.execute(sql, args![self.chain_id, self.above]).await?;
        Ok(reopened)
    }
}
